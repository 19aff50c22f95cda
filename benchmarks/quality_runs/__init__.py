"""The pieces of `benchmarks/quality.py`."""
