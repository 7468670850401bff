"""Published benchmarks of video editing: how their folders are read, and what their scorers read of a result."""
