"""Speed as ratios in one run: ``python -m benchmarks [SECTION ...] [--quick] [--write]``."""
