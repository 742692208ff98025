"""Probabilistic linear discriminant analysis, as the two-covariance model.

A spectrum in principal coordinates is mean + y + e, where y ~ N(0, B) is its group's and e ~ N(0, W) its own (Ioffe
2006; Brümmer and de Villiers 2010). W is the covariance within groups, shrunk as that of the linear metric; B follows
from the covariance M between group means weighted by size, E[M] = W + n0 B, where n0 = (N - Σ n_g² / N) / (G - 1) is
the size of groups of unequal sizes (Searle 1971). In coordinates where W is the identity and B is diagonal, ψ, the
log likelihood ratio of a pair is a sum over directions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import DataError
from spectrosim_search.learning.metric import between_axes, whitening, within_covariance

__all__ = ["Plda", "fit_plda"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Plda:
    """Coordinates (x - mean) @ projection, in which W is the identity and B is diag(`between`), largest first."""

    mean: Floats  # (k,)
    projection: Floats  # (k, d)
    between: Floats  # (d,), above 0

    def project(self, x: NDArray[np.floating]) -> Floats:
        """``(N, k)`` → ``(N, d)``."""
        return np.asarray((np.asarray(x, np.float64) - self.mean) @ self.projection)

    def ratio(self, z: Floats, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float32]:
        """log p(u, v | same) - log p(u, v | different) of pairs of projected rows ``(N, d)`` → ``(P,)``.

        With s = 1 + ψ: (u, v) has covariance [[s, ψ], [ψ, s]], of determinant 1 + 2ψ, if the same, and s·I if not.
        """
        constant, alone, weighted = self._parts(z)
        out = np.empty(left.size, np.float32)
        for start in range(0, left.size, 65_536):
            part = slice(start, start + 65_536)
            a, b = left[part], right[part]
            out[part] = constant + np.einsum("pd,pd->p", weighted[a], z[b]) - alone[a] - alone[b]
        return out

    def ratios(self, z: Floats) -> Floats:
        """The same of all pairs of projected rows ``(N, d)`` → ``(N, N)``."""
        constant, alone, weighted = self._parts(z)
        return np.asarray(constant + weighted @ z.T - alone[:, None] - alone)

    def constants(self) -> dict[str, Floats]:
        """``mean (k,)``, ``projection (k, d)``, ``weight (d,)`` and ``offset (1,)``: what makes rows ``(t, own)`` of x.

        t = (x - mean) @ projection, own = offset - Σ weight t²; the ratio of two rows is t·t' + own + own', as in
        :mod:`spectrosim_search.learning.comparison`, though not brought to the scale of cosines.
        """
        psi = self.between
        return {
            "mean": self.mean,
            "projection": self.projection * np.sqrt(psi / (1 + 2 * psi)),
            "weight": 0.5 * psi / (1 + psi),
            "offset": np.array([0.5 * (np.log1p(psi) - 0.5 * np.log1p(2 * psi)).sum()]),
        }

    def _parts(self, z: Floats) -> tuple[float, Floats, Floats]:
        """Constant, what each row ``(N,)`` takes off, and rows ``(N, d)`` whose product with others is added."""
        psi = self.between
        total, both = 1 + psi, 1 + 2 * psi
        constant = float((np.log(total) - 0.5 * np.log(both)).sum())
        alone = (z * z) @ (0.5 * (total / both - 1 / total))
        weighted = z * (psi / both)
        return constant, np.asarray(alone), np.asarray(weighted)


def fit_plda(x: Floats, groups: NDArray[np.int64], shrinkage: float) -> Plda:
    """Fit coordinates ``(n, k)`` with group codes ``(n,)`` by moments.

    Directions in which groups differ no more than their spectra do within (ψ ≤ 0) are left out: there the ratio is 0.
    Raises DataError with less than two groups or no group of two.
    """
    if np.unique(groups).size < 2:
        raise DataError("PLDA needs two training groups")
    mean = x.mean(axis=0)
    white = whitening(within_covariance(x, groups), shrinkage)
    turn, psi = between_axes((x - mean) @ white, groups)
    kept = psi > 0
    return Plda(mean, white @ turn[:, kept], psi[kept])
