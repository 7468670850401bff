"""Sampling and inversion as plain functions over a trajectory; attention edits as adapters that undo themselves."""
