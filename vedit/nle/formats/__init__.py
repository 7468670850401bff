"""The formats of timelines, each read and written in place."""
