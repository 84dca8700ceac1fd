"""One behaviour a test, in memory; the folder mirrors the package."""
