"""Readers of spectra, chosen by the suffix of the file: one module a format.

A reader module declares ``SUFFIXES`` and ``read_table(path) -> Table``; what the columns mean is decided in one place
for all of them (:mod:`spectrosim_search.spectra.readers._assemble`).
"""

from spectrosim_search.spectra.readers._read import read, suffixes

__all__ = ["read", "suffixes"]
