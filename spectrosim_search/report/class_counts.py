"""What the winner named each class of spectra, counted over the seeds that the confirmation kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.search.records import ConfirmationRecord

__all__ = ["ClassCounts", "class_counts"]


@dataclass(frozen=True, eq=False)
class ClassCounts:
    """``table[i, j]``: spectra of class i named j, all seeds together; C classes."""

    names: tuple[str, ...]
    table: NDArray[np.int64]  # (C, C)
    rejected: NDArray[np.int64]  # (C,) named none

    @property
    def judged(self) -> NDArray[np.int64]:
        """Judged spectra of each class ``(C,)``."""
        out: NDArray[np.int64] = self.table.sum(axis=1) + self.rejected
        return out

    @property
    def error(self) -> NDArray[np.float64]:
        """Share of each class's spectra that were not named rightly ``(C,)``; NaN for a class that was not judged."""
        judged = self.judged
        right = np.diag(self.table)
        return np.asarray(np.where(judged > 0, 1.0 - right / np.maximum(judged, 1), np.nan))


def class_counts(record: ConfirmationRecord | None) -> ClassCounts | None:
    """Counts of the winner; None where the confirmation holds no named classes."""
    if record is None or not record.classes or not record.class_names:
        return None
    count = len(record.class_names)
    table = np.zeros((count, count), dtype=np.int64)
    rejected = np.zeros(count, dtype=np.int64)
    for part in record.classes:
        named = part.predicted >= 0
        np.add.at(table, (part.truth[named], part.predicted[named]), 1)
        np.add.at(rejected, part.truth[~named], 1)
    return ClassCounts(record.class_names, table, rejected)
