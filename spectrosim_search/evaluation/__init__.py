"""How good it is: verification scores and statistics."""
