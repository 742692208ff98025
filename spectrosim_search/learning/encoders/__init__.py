"""Encoders: `(R, B, L)` spectra to `(R, B, D)` embeddings."""
