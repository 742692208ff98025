"""Methods that need no search."""
