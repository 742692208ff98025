"""The measured spectra and what is known about each of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import DataError

__all__ = ["SpectraSet"]


@dataclass(frozen=True, eq=False)
class SpectraSet:
    """`N` spectra over one axis of `L` channels.

    intensities: float32 ``(N, L)``; axis: float64 ``(L,)``, strictly increasing; others ``(N,)`` strings, empty where
    unknown. `split` holds coarser units whose members stay on one side of every split (empty strings: the group).
    `peaks`: read from lists of peaks, so that the axis ends where the last peak happened to be and nothing lies beyond.
    Raises DataError where shapes disagree, the axis is not strictly increasing or an intensity is not finite.
    """

    intensities: NDArray[np.float32]
    axis: NDArray[np.float64]
    axis_unit: str
    sample_ids: NDArray[np.str_]
    groups: NDArray[np.str_]
    labels: NDArray[np.str_]
    split: NDArray[np.str_]
    name: str = "spectra"
    extra: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)
    truth: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)  # simulated data: what the oracle knows
    warnings: tuple[str, ...] = ()
    peaks: bool = False

    def __post_init__(self) -> None:
        n, length = self.intensities.shape
        if self.intensities.dtype != np.float32:
            raise DataError(f"intensities are {self.intensities.dtype}, expected float32")
        if self.axis.shape != (length,):
            raise DataError(f"axis has {self.axis.shape[0]} values for {length} channels")
        for what in ("sample_ids", "groups", "labels", "split"):
            if getattr(self, what).shape != (n,):
                raise DataError(f"{what} has {getattr(self, what).shape[0]} entries for {n} spectra")
        if length > 1 and not (np.diff(self.axis) > 0).all():
            raise DataError("axis values are not strictly increasing")
        if not np.isfinite(self.intensities).all():
            row, column = np.argwhere(~np.isfinite(self.intensities))[0]
            raise DataError(
                f"intensity of sample '{self.sample_ids[row]}' at {self.axis[column]:g} is not a finite number"
            )

    def __len__(self) -> int:
        return int(self.intensities.shape[0])

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits over everything that can change a result; the name is not part of it."""
        digest = hashlib.sha256()
        for array in (self.intensities, self.axis):
            digest.update(np.ascontiguousarray(array).tobytes())
        for texts in (self.groups, self.labels, self.split):
            digest.update("\x1f".join(texts.tolist()).encode())
            digest.update(b"\x1e")
        return digest.hexdigest()[:16]

    def select(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> SpectraSet:
        """Return the chosen spectra, in the given order."""
        return replace(
            self,
            intensities=self.intensities[rows],
            sample_ids=self.sample_ids[rows],
            groups=self.groups[rows],
            labels=self.labels[rows],
            split=self.split[rows],
            extra={k: v[rows] for k, v in self.extra.items()},
            truth={k: (v[rows] if v.shape[:1] == (len(self),) else v) for k, v in self.truth.items()},
        )
