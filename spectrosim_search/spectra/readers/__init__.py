"""Readers of spectra files, chosen by suffix."""
