"""From intensities to unit vectors whose dot product is the similarity, for every kind of model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.spectra.preprocessing import State

__all__ = ["Part", "embed_parts", "embed_prepared", "unit_rows"]

_ROWS_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class Part:
    """One fitted model with the preprocessing it was fitted on: all there is of a network or a linear metric, a member
    of a committee.

    configuration: None of a linear metric. parameters: weights of the network; of a linear metric ``mean (C,)`` and
    ``projection (C, k)``.
    """

    configuration: Configuration | None
    parameters: Mapping[str, NDArray[Any]]
    preprocessing: State


def embed_parts(
    parts: Sequence[Part], intensities: NDArray[np.float32], axis: NDArray[np.float64], device: str = "cpu"
) -> NDArray[np.float32]:
    """Embed spectra ``(N, L)`` over the model's `axis` ``(L,)``; float32 ``(N, D)`` of unit rows.

    The similarity of two spectra is the dot product of their rows. The unit rows of K parts are joined and divided by
    √K, so that the dot product is the mean of the parts' cosines.
    """
    units = [embed_prepared(p, p.preprocessing.transform(intensities), axis, device) for p in parts]
    return units[0] if len(units) == 1 else np.concatenate(units, axis=1) / np.float32(np.sqrt(len(units)))


def embed_prepared(
    part: Part, prepared: NDArray[np.float32], axis: NDArray[np.float64], device: str = "cpu"
) -> NDArray[np.float32]:
    """Embed spectra ``(N, C)`` that have gone through the part's preprocessing; float32 ``(N, D)`` of unit rows.

    Raises KeyError or ValueError where the arrays of a linear metric do not fit the spectra, RuntimeError where those
    of a network do not.
    """
    if part.configuration is not None:
        from spectrosim_search.learning.engine import embed

        where = part.preprocessing.axis(axis)
        return unit_rows(embed(part.configuration, part.parameters, prepared, where, device=device))
    mean, projection = part.parameters["mean"], part.parameters["projection"]
    out = np.empty((len(prepared), projection.shape[1]), np.float32)
    for start in range(0, len(prepared), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        out[rows] = (prepared[rows] - mean) @ projection
    return unit_rows(out)


def unit_rows(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of ``(N, D)`` divided by their Euclidean norm; a row of zeros stays zero (similarity 0 to everything)."""
    norm = np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
    return (x / np.where(norm > 0, norm, 1.0)).astype(np.float32)
