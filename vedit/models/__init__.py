"""Models: what is known by name, where it is, and how it is loaded."""
