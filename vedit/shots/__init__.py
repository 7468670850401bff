"""Where shots begin and end, and the black bars they have."""
