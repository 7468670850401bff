"""Frames to files: what will be written, encoders, containers, copied streams, records."""
