"""Colours: YUV and RGB, matrices, and the names of colour tags."""
