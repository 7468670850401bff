"""Steadiness over time: vedit with its parts on and off, and diffusers frame by frame, on the same clips."""
