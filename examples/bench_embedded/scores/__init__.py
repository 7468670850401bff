"""What `bench.py` measures: metrics, the parts made of them, and their tables."""
