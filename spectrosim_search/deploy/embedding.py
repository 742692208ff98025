"""From intensities to rows whose products are similarities, for every kind of model.

Most models compare by cosine: their rows have length one, and the similarity of two spectra is the dot product. Models
that compare otherwise (`training.comparison` or `comparison_neighbours`; PLDA as a linear metric) give rows of one
number more, the spectrum's own term, last: the similarity is the dot product of the other numbers plus the two own
terms. So does a committee with such a member.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.spectra.preprocessing import State

__all__ = ["Part", "embed_parts", "embed_prepared", "has_own", "row_similarity", "similarity_matrix", "unit_rows"]

_ROWS_AT_ONCE = 4096
_PAIRS_AT_ONCE = 100_000


@dataclass(frozen=True, eq=False)
class Part:
    """One fitted model with the preprocessing it was fitted on: all there is of a network or a linear metric, a member
    of a committee.

    configuration: None of a linear metric. parameters: weights of the network; of a linear metric ``mean (C,)`` and
    ``projection (C, k)``, and ``weight (k,)`` and ``offset (1,)`` where it compares by PLDA.
    """

    configuration: Configuration | None
    parameters: Mapping[str, NDArray[Any]]
    preprocessing: State

    @property
    def own(self) -> bool:
        """Whether its rows end with an own term."""
        if self.configuration is None:
            return "weight" in self.parameters
        return self.configuration.training.own_terms


def has_own(parts: Sequence[Part]) -> bool:
    """Whether the rows of a model of these parts end with an own term."""
    return any(part.own for part in parts)


def embed_parts(
    parts: Sequence[Part], intensities: NDArray[np.float32], axis: NDArray[np.float64], device: str = "cpu"
) -> NDArray[np.float32]:
    """Embed spectra ``(N, L)`` over the model's `axis` ``(L,)``; float32 ``(N, D)``, rows as this module says.

    The rows of K parts are joined and divided by √K, and their own terms by K, so that the similarity is the mean of
    the parts'.
    """
    rows = [embed_prepared(p, p.preprocessing.transform(intensities), axis, device) for p in parts]
    if len(rows) == 1:
        return rows[0]
    vectors = [r[:, :-1] if p.own else r for p, r in zip(parts, rows)]
    joined = np.concatenate(vectors, axis=1) / np.float32(np.sqrt(len(rows)))
    if not has_own(parts):
        return joined
    terms = np.stack([r[:, -1].astype(np.float64) for p, r in zip(parts, rows) if p.own])
    own = (terms.sum(axis=0) / len(rows)).astype(np.float32)
    return np.concatenate([joined, own[:, None]], axis=1)


def embed_prepared(
    part: Part, prepared: NDArray[np.float32], axis: NDArray[np.float64], device: str = "cpu"
) -> NDArray[np.float32]:
    """Embed spectra ``(N, C)`` that have gone through the part's preprocessing; float32 ``(N, D)``, rows as this module
    says.

    Raises KeyError or ValueError where the arrays of a linear metric do not fit the spectra, RuntimeError where those
    of a network do not.
    """
    if part.configuration is not None:
        from spectrosim_search.learning.engine import embed

        where = part.preprocessing.axis(axis)
        found = embed(part.configuration, part.parameters, prepared, where, device=device)
        return found if part.own else unit_rows(found)
    mean, projection = part.parameters["mean"], part.parameters["projection"]
    size = projection.shape[1]
    out = np.empty((len(prepared), size + part.own), np.float32)
    for start in range(0, len(prepared), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        t = (prepared[rows] - mean) @ projection
        out[rows, :size] = t
        if part.own:
            out[rows, -1] = part.parameters["offset"] - (np.square(t) * part.parameters["weight"]).sum(axis=1)
    return out if part.own else unit_rows(out)


def row_similarity(
    z: NDArray[np.float32], left: NDArray[np.int64], right: NDArray[np.int64], own: bool
) -> NDArray[np.float32]:
    """Similarities ``(P,)`` of pairs of rows of z ``(N, D)``; own: see :func:`has_own`."""
    out = np.empty(len(left), np.float32)
    vectors = z[:, :-1] if own else z
    for start in range(0, len(left), _PAIRS_AT_ONCE):
        chunk = slice(start, start + _PAIRS_AT_ONCE)
        a, b = left[chunk], right[chunk]
        out[chunk] = np.einsum("pd,pd->p", vectors[a], vectors[b])
        if own:
            out[chunk] += z[a, -1] + z[b, -1]
    return out if own else np.clip(out, -1.0, 1.0)


def similarity_matrix(z: NDArray[np.float32], others: NDArray[np.float32], own: bool) -> NDArray[np.float32]:
    """Similarities ``(N, M)`` of every row of z ``(N, D)`` with every one of `others` ``(M, D)``."""
    if not own:
        return np.asarray(np.clip(z @ others.T, -1, 1))
    return np.asarray(z[:, :-1] @ others[:, :-1].T + z[:, -1:] + others[:, -1])


def unit_rows(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of ``(N, D)`` divided by their Euclidean norm; a row of zeros stays zero (similarity 0 to everything)."""
    norm = np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
    return (x / np.where(norm > 0, norm, 1.0)).astype(np.float32)
