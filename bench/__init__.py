"""The measuring programs. What they measured is in docs/benchmarks."""
