"""Files to frames: what a file is, its index, and its frames by number."""
