"""Frozen dataclasses of every configuration; standard library only."""
