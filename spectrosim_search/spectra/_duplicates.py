"""Counting spectra that repeat another one exactly."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

__all__ = ["count_duplicates"]


def count_duplicates(values: NDArray[np.float32]) -> int:
    """How many rows of ``(N, L)`` repeat an earlier one; digests, not copies, are kept."""
    rows = np.ascontiguousarray(values)
    return len(rows) - len({hashlib.blake2b(row.data, digest_size=16).digest() for row in rows})
