"""What is kept on disk: units of a render, finished frames, and what was computed of a clip."""
