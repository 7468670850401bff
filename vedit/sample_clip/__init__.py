"""The picture of the built-in sample clip, drawn in numpy."""
