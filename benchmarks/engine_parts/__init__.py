"""The parts of the engine benchmark (benchmarks/engine.py)."""
