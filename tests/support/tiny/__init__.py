"""Tiny random weights in the very layout and classes of the hub, for tests without a network."""
