"""Who may meet whom: splits, pairs, the leakage audit."""
