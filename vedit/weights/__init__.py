"""Optional weights: which there are, where they lie, how they are fetched and loaded."""
