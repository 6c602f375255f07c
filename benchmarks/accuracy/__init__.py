"""The accuracy benchmark: ``python -m benchmarks.accuracy``, explained in benchmarks/README.md."""
