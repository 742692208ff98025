"""Projection heads."""
