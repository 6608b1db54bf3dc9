"""Benchmarks: ratios measured in one run against a named baseline. Each module has `run()`."""
