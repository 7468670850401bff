"""Timelines of editing systems: read the cut, and write it back with other media in some of its clips."""
