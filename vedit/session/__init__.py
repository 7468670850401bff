"""A clip to work with from Python: its shots, its frames, and an edit for each."""
