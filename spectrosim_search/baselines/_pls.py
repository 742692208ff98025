"""Partial least squares of one response, and its orthogonal variant.

PLS1 by NIPALS (Wold, Sjöström and Eriksson 2001). OPLS (Trygg and Wold, J. Chemometrics 16, 2002) takes variation
off the spectra that is orthogonal to the response before one predictive component is fitted; with k orthogonal
components its predictions are those of PLS with 1 + k components, only laid out so that the first one can be read
alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Linear", "Opls", "fit_opls", "fit_pls"]

Floats = NDArray[np.float64]
_NOTHING_LEFT = 1e-10  # share of the first weight's or score's length below which the rest is rounding


@dataclass(frozen=True, eq=False)
class Linear:
    """Prediction (x - mean) @ coefficients + intercept; mean and coefficients ``(L,)``."""

    mean: Floats
    coefficients: Floats
    intercept: float
    components: int  # fitted; fewer than asked for where the spectra hold no more

    def predict(self, x: NDArray[np.floating]) -> Floats:
        """``(N, L)`` → ``(N,)``."""
        return np.asarray((np.asarray(x, np.float64) - self.mean) @ self.coefficients + self.intercept)


@dataclass(frozen=True, eq=False)
class Opls:
    """Orthogonal signal correction: weights and loadings ``(L, k)`` of what is taken off, then one component."""

    predictive: Linear  # of corrected, centred spectra
    mean: Floats  # (L,)
    weights: Floats  # (L, k)
    loadings: Floats  # (L, k)

    def correct(self, x: NDArray[np.floating]) -> Floats:
        """Centred spectra ``(N, L)`` without the variation orthogonal to the response."""
        rest = np.asarray(x, np.float64) - self.mean
        for w, p in zip(self.weights.T, self.loadings.T, strict=True):
            rest = rest - np.outer(rest @ w, p)
        return rest

    def predict(self, x: NDArray[np.floating]) -> Floats:
        """``(N, L)`` → ``(N,)``."""
        return self.predictive.predict(self.correct(x))


def _centred(
    x: NDArray[np.floating], y: NDArray[np.floating], weight: Floats | None
) -> tuple[Floats, Floats, Floats, float]:
    """Spectra and response, centred by weighted means and multiplied by the root of the weights; the means."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    share = np.full(len(y), 1 / len(y)) if weight is None else weight / weight.sum()
    mean, level = share @ x, float(share @ y)
    root = np.sqrt(share * len(y))
    return (x - mean) * root[:, None], (y - level) * root, mean, level


def fit_pls(x: NDArray[np.floating], y: NDArray[np.floating], components: int, weight: Floats | None = None) -> Linear:
    """Fit spectra ``(n, L)`` to a response ``(n,)``; `weight` ``(n,)`` weighs the rows, means included."""
    rest, response, mean, level = _centred(x, y, weight)
    ws, ps, qs = [], [], []
    first = 0.0
    for _ in range(components):
        w = rest.T @ response
        length = float(np.linalg.norm(w))
        first = first or length
        if length <= _NOTHING_LEFT * first or length == 0:
            break
        w /= length
        t = rest @ w
        size = float(t @ t)
        p, q = rest.T @ t / size, float(response @ t) / size
        rest = rest - np.outer(t, p)
        response = response - q * t
        ws.append(w)
        ps.append(p)
        qs.append(q)
    if not ws:
        return Linear(mean, np.zeros(len(mean)), level, 0)
    w_all, p_all = np.stack(ws, axis=1), np.stack(ps, axis=1)
    coefficients = w_all @ np.linalg.solve(p_all.T @ w_all, np.array(qs))
    return Linear(mean, coefficients, level, len(ws))


def fit_opls(x: NDArray[np.floating], y: NDArray[np.floating], orthogonal: int, weight: Floats | None = None) -> Opls:
    """Take `orthogonal` components off spectra ``(n, L)``, then fit one predictive component to ``(n,)``."""
    rest, response, mean, level = _centred(x, y, weight)
    w = rest.T @ response
    length = float(np.linalg.norm(w))
    ws: list[Floats] = []
    ps: list[Floats] = []
    for _ in range(orthogonal if length > 0 else 0):
        unit = w / length
        t = rest @ unit
        p = rest.T @ t / float(t @ t)
        off = p - float(unit @ p) * unit
        size = float(np.linalg.norm(off))
        if size <= _NOTHING_LEFT * float(np.linalg.norm(p)):
            break
        off /= size
        score = rest @ off
        loading = rest.T @ score / float(score @ score)
        rest = rest - np.outer(score, loading)
        ws.append(off)
        ps.append(loading)
    none = np.empty((len(mean), 0))
    coefficients = np.zeros(len(mean))
    if length > 0:
        t = rest @ (w / length)
        coefficients = w / length * float(response @ t) / float(t @ t)
    predictive = Linear(np.zeros(len(mean)), coefficients, level, int(length > 0))
    return Opls(predictive, mean, np.stack(ws, axis=1) if ws else none, np.stack(ps, axis=1) if ps else none)
