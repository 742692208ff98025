"""One figure a file, found by its registry."""
