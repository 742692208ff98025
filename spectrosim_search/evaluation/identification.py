"""Whose spectrum is this: a gallery of known spectra, read by the nearest class centre or the nearest spectra.

Shapes: n gallery spectra, q queries, C classes, D features of an embedding. Similarity is the cosine, so all rows are
brought to unit length here. Classes are added to a gallery without training anything (the triplet-spectra paper's "new
classes"); what belongs to none of them is rejected below a threshold that held-out spectra of known classes set.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectrosim_search.config.errors import InputError
from spectrosim_search.evaluation.verification import auc

__all__ = ["Gallery", "OpenSet", "Readout", "open_set", "rejection_threshold", "unit_rows"]

Floats = NDArray[np.float32]
Readout = Literal["centroid", "nearest"]
_CELLS_AT_ONCE = 8_000_000


def unit_rows(z: NDArray[np.floating]) -> Floats:
    """Rows ``(N, D)`` of unit length, float32; a row of zeros stays zero."""
    z = np.asarray(z, dtype=np.float32)
    norm = np.linalg.norm(z, axis=1, keepdims=True)
    return np.asarray(z / np.where(norm > 0, norm, 1.0), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Gallery:
    """Known spectra as embeddings ``(n, D)`` of any length, with their classes ``(n,)``, 0 to C - 1, all of them used.

    Raises InputError where shapes disagree or a class has no spectrum.
    """

    embeddings: Floats
    classes: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.embeddings.ndim != 2 or self.classes.shape != (self.embeddings.shape[0],) or not self.classes.size:
            raise InputError(f"gallery: embeddings {self.embeddings.shape} and classes {self.classes.shape} disagree")
        if self.classes.min() < 0 or (np.bincount(self.classes) == 0).any():
            raise InputError("gallery: every class from 0 to the last needs a spectrum")

    @property
    def count(self) -> int:
        """Number of classes C."""
        return int(self.classes.max()) + 1

    @cached_property
    def unit(self) -> Floats:
        """The embeddings at unit length ``(n, D)``."""
        return unit_rows(self.embeddings)

    @cached_property
    def centroids(self) -> Floats:
        """Mean of each class's unit embeddings, at unit length: ``(C, D)``."""
        order = np.argsort(self.classes, kind="stable")
        starts = np.searchsorted(self.classes[order], np.arange(self.count))
        return unit_rows(np.add.reduceat(self.unit[order].astype(np.float64), starts, axis=0))

    def scores(self, queries: NDArray[np.floating], readout: Readout = "centroid", neighbours: int = 1) -> Floats:
        """Similarity of each query ``(q, D)`` to each class ``(q, C)``; the largest is the answer.

        centroid: cosine to the class's centre; nearest: mean cosine to the class's `neighbours` most similar spectra
        (of all of them where it has fewer).
        """
        queries = unit_rows(queries)
        if readout == "centroid":
            return np.asarray(queries @ self.centroids.T)
        order = np.argsort(self.classes, kind="stable")
        bounds = np.searchsorted(self.classes[order], np.arange(self.count + 1))
        known = self.unit[order]
        out = np.empty((queries.shape[0], self.count), dtype=np.float32)
        step = max(1, _CELLS_AT_ONCE // known.shape[0])
        for at in range(0, queries.shape[0], step):
            similar = queries[at : at + step] @ known.T
            if neighbours == 1:
                out[at : at + step] = np.maximum.reduceat(similar, bounds[:-1], axis=1)
                continue
            for c, (start, end) in enumerate(pairwise(bounds)):
                own = similar[:, start:end]
                k = min(neighbours, own.shape[1])
                out[at : at + step, c] = np.partition(own, own.shape[1] - k, axis=1)[:, -k:].mean(axis=1)
        return out

    def extended(self, embeddings: Floats, classes: NDArray[np.int64]) -> Gallery:
        """This gallery with further spectra ``(m, D)`` of known classes or of new ones (from `count` on)."""
        return Gallery(np.concatenate([self.embeddings, embeddings]), np.concatenate([self.classes, classes]))


@dataclass(frozen=True)
class OpenSet:
    """How well a confidence tells known classes from unknown ones, and what a threshold does to either."""

    auroc: float  # chance that a known spectrum is surer than an unknown one; NaN where either kind is missing
    kept: float  # share of known spectra at or above the threshold
    rejected: float  # share of unknown spectra below it


def rejection_threshold(confidence: ArrayLike, keep: float = 0.95) -> float:
    """Return the confidence that a new spectrum of a known class reaches with probability `keep` or more.

    `confidence`: of calibration spectra of known classes that nothing was trained on. The ⌊(1 - keep)(n + 1)⌋-th
    smallest of n, which holds for exchangeable spectra whatever their distribution (split conformal prediction,
    Papadopoulos et al. 2002); minus infinity where n is too small for that. Raises InputError for a `keep` outside 0
    to 1.
    """
    if not 0 < keep < 1:
        raise InputError(f"share of known spectra to keep is {keep:g}, expected above 0 and below 1")
    ordered = np.sort(np.asarray(confidence, dtype=np.float64))
    place = int(np.floor((1 - keep) * (ordered.size + 1) + 1e-9))
    return float(ordered[place - 1]) if place >= 1 else float("-inf")


def open_set(known: ArrayLike, unknown: ArrayLike, threshold: float) -> OpenSet:
    """Judge a threshold on confidences of judged spectra of known ``(a,)`` and unknown classes ``(b,)``."""
    a, b = np.asarray(known, dtype=np.float64), np.asarray(unknown, dtype=np.float64)
    return OpenSet(
        auroc=auc(np.concatenate([a, b]), np.concatenate([np.ones(a.size, np.bool_), np.zeros(b.size, np.bool_)])),
        kept=float((a >= threshold).mean()) if a.size else float("nan"),
        rejected=float((b < threshold).mean()) if b.size else float("nan"),
    )
