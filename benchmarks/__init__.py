"""Event loops side by side: `python -m benchmarks`, see __main__.py."""
