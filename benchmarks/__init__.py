"""How fast the parts are, by `python -m benchmarks`."""
