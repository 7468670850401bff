"""Optical flow: estimated, warped by, and kept in files."""
