"""What a pair classifier sees of a pair: the difference of its spectra, signed or absolute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines._training_pairs import TrainingPairs
from spectrosim_search.learning.metric import principal

__all__ = ["Kind", "PairFeatures", "pair_features"]

Kind = Literal["difference", "absolute"]
Floats = NDArray[np.float64]
_AT_ONCE = 2_048  # pairs


@dataclass(frozen=True, eq=False)
class PairFeatures:
    """Feature vectors of pairs of rows, divided by the root mean squared length of the training pairs' vectors.

    `channels`: |x1 - x2| or x1 - x2, channel by channel ``(P, C)``. `rotated`: for methods that no rotation changes;
    signed differences of n training spectra lie in n - 1 dimensions, so their coordinates there and, last, the length
    of what lies outside (0 for training pairs) have the same distances and products with the training pairs as the
    channels have. Absolute values are not a rotation, there it is `channels`.
    """

    kind: Kind
    spectra: NDArray[np.float32]  # (N, C)
    coordinates: Floats  # (N, k)
    outside: NDArray[np.float32]  # (N, C), or (N, 0) where the training spectra span all channels
    scale: float

    def channels(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> Floats:
        """Features ``(P, C)`` of pairs of rows."""
        difference = self.spectra[left].astype(np.float64) - self.spectra[right]
        if self.kind == "absolute":
            np.abs(difference, out=difference)
        difference *= self.scale
        return difference

    def rotated(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> Floats:
        """Features ``(P, k + 1)`` of pairs of rows; ``(P, C)`` of absolute differences."""
        if self.kind == "absolute":
            return self.channels(left, right)
        inside = self.coordinates[left] - self.coordinates[right]
        apart = np.linalg.norm(self.outside[left] - self.outside[right], axis=1)[:, None]
        return np.asarray(np.hstack([inside, apart]) * self.scale)

    def chunks(
        self, left: NDArray[np.int64], right: NDArray[np.int64], *, rotated: bool
    ) -> Iterator[tuple[slice, Floats]]:
        """Features of many pairs, some at a time."""
        take = self.rotated if rotated else self.channels
        for start in range(0, left.size, _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            yield part, take(left[part], right[part])


def pair_features(
    kind: Kind, spectra: NDArray[np.float32], train: NDArray[np.int64], pairs: TrainingPairs
) -> PairFeatures:
    """Features over preprocessed `spectra` ``(N, C)``; `train` ``(n,)`` are the rows that the training pairs point to.

    Raises DataError where all training spectra are equal.
    """
    pca = principal(spectra[train], train.size)
    coordinates, outside = np.empty((len(spectra), 0)), np.empty((len(spectra), 0), np.float32)
    if kind == "difference":
        centred = spectra.astype(np.float64) - pca.mean
        coordinates = centred @ pca.axes
        if pca.axes.shape[1] < spectra.shape[1]:
            outside = (centred - coordinates @ pca.axes.T).astype(np.float32)
            outside[train] = 0  # but for rounding they are
    # the sign of a difference does not change its length, so both kinds share the scale
    gap = pca.scores[pairs.left] - pca.scores[pairs.right]
    length = float(np.sqrt(np.einsum("pk,pk->p", gap, gap).mean()))
    return PairFeatures(kind, spectra, coordinates, outside, 1 / length if length > 0 else 1.0)
