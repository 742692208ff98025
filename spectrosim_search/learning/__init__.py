"""How models learn; torch, numpy and config alone."""
