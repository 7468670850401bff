"""The media contract: what is expected of a result, and whether it holds."""
