"""What is taken away: export, retraining, model folder, verifier."""
