"""What every reader hands over: a table whose columns have no meaning yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import DataError
from spectrosim_search.spectra.readers._channels import Channels

__all__ = ["EMPTY", "Table", "bad_cell"]

EMPTY = ("", "na", "n/a", "nan", "null", "none", "#n/a")  # texts, in lower case, that say there is no number


@dataclass(frozen=True, eq=False)
class Table:
    """`N` rows of a file: `L` columns of numbers, the rest text.

    values: float32 ``(N, L)`` in the order of `channels`, NaN where a cell is empty; text: column name → ``(N,)``
    strings; rows: int64 ``(N,)``, the number each row has in the file (the heading is row 1); truth: arrays that
    simulated data carry along; peaks: the file lists peaks, the axis spans those it has.
    """

    path: Path
    channels: Channels
    channel_names: tuple[str, ...]
    values: NDArray[np.float32]
    text: Mapping[str, NDArray[np.str_]]
    rows: NDArray[np.int64]
    truth: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    peaks: bool = False


def bad_cell(path: Path, row: int, column: str, value: object) -> DataError:
    """The error for a cell that is not a number."""
    return DataError(
        f"{path}: row {row}, column '{column}': '{value}' is not a number; correct the cell or remove the row"
    )
