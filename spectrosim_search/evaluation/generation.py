"""How good synthetic spectra are: alike to held-out spectra of their class, and no copies of training spectra.

Similarity alone proves nothing: copies of training spectra without 15 % of their peaks are very similar to held-out
spectra too. So novelty (distance to the nearest training spectrum) and the share of distinct spectra stand beside it.

Shapes: s synthetic, h held-out, n training spectra, L channels. Intensities are at least 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "distinct",
    "generation_metrics",
    "library_match",
    "novelty",
    "similarity_ratio",
    "weighted_cosines",
    "within_similarity",
]

FloatArray = NDArray[np.floating]
IntArray = NDArray[np.int64]
_DISTINCT = 0.999  # weighted cosine from which two spectra count as the same


def _unit(x: FloatArray, axis: NDArray[np.float64]) -> NDArray[np.float64]:
    weighed = np.asarray(x, np.float64) * np.sqrt(axis)
    size = np.linalg.norm(weighed, axis=1, keepdims=True)
    return np.asarray(weighed / np.where(size > 0, size, 1.0), np.float64)


def weighted_cosines(a: FloatArray, b: FloatArray, axis: NDArray[np.float64]) -> NDArray[np.float64]:
    """Σ m·x·y / (√Σ m·x² · √Σ m·y²) of all pairs of rows, ``(a, L)`` and ``(b, L)`` → ``(a, b)``; m: axis ``(L,)``.

    Synthesis paper, eq. 1. A spectrum of zeros has a cosine of 0 with everything.
    """
    return np.asarray(_unit(a, axis) @ _unit(b, axis).T)


def similarity_ratio(
    synthetic: FloatArray,
    classes: IntArray,
    held_out: FloatArray,
    truth: IntArray,
    axis: NDArray[np.float64],
    within: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Mean weighted cosine of each synthetic spectrum with the held-out spectra of its class, over `within` of it.

    within ``(C,)``: mean pairwise weighted cosine of a class's real spectra, NaN below two. ``(s,)``, NaN where the
    class has no held-out spectrum or no pair.
    """
    usual = np.where(within > 0, within, np.nan)[classes]  # a class whose spectra share no peak has no ratio
    return _mean_to_class(synthetic, classes, held_out, truth, axis) / usual


def _mean_to_class(
    synthetic: FloatArray, classes: IntArray, held_out: FloatArray, truth: IntArray, axis: NDArray[np.float64]
) -> NDArray[np.float64]:
    same = classes[:, None] == truth[None]
    count = same.sum(axis=1)
    total = np.where(same, weighted_cosines(synthetic, held_out, axis), 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def within_similarity(
    spectra: FloatArray, classes: IntArray, count: int, axis: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean pairwise weighted cosine of the spectra of each of `count` classes ``(C,)``; NaN below two spectra."""
    out = np.full(count, np.nan)
    for code in np.unique(classes):
        rows = np.flatnonzero(classes == code)
        if rows.size > 1:
            cosine = weighted_cosines(spectra[rows], spectra[rows], axis)
            out[code] = cosine[~np.eye(rows.size, dtype=np.bool_)].mean()
    return out


def novelty(synthetic: FloatArray, training: FloatArray, axis: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 - weighted cosine with the nearest training spectrum ``(s,)``: 0 for a copy."""
    return np.asarray(1.0 - weighted_cosines(synthetic, training, axis).max(axis=1))


def distinct(synthetic: FloatArray, classes: IntArray, axis: NDArray[np.float64]) -> float:
    """Share of synthetic spectra that are like no earlier one of their class (weighted cosine below .999)."""
    fresh = 0
    for code in np.unique(classes):
        rows = np.flatnonzero(classes == code)
        again = np.tril(weighted_cosines(synthetic[rows], synthetic[rows], axis) >= _DISTINCT, -1).any(axis=1)
        fresh += int((~again).sum())
    return fresh / max(1, classes.size)


def library_match(
    synthetic: FloatArray, classes: IntArray, library: FloatArray, truth: IntArray, axis: NDArray[np.float64]
) -> float:
    """Share of synthetic spectra whose nearest library spectrum (weighted cosine) is of their class."""
    nearest = weighted_cosines(synthetic, library, axis).argmax(axis=1)
    return float((truth[nearest] == classes).mean())


def generation_metrics(
    synthetic: FloatArray,
    classes: IntArray,
    training: FloatArray,
    training_classes: IntArray,
    axis: NDArray[np.float64],
    held_out: FloatArray | None = None,
    truth: IntArray | None = None,
) -> dict[str, float]:
    """Everything above by name; what needs held-out spectra of known class only where they are given.

    ``weighted_cosine``, ``mse`` (base peak 100), ``similarity_ratio``, ``similarity_ratio_above_.9`` and
    ``library_match`` are against held-out spectra, means over synthetic spectra whose class has any; ``novelty``
    (against training spectra) and ``distinct`` are of all synthetic spectra. Empty where nothing was made.
    """
    if classes.size == 0:
        return {}
    out = {
        "novelty": float(novelty(synthetic, training, axis).mean()),
        "distinct": distinct(synthetic, classes, axis),
    }
    if held_out is None or truth is None or truth.size == 0:
        return out
    cosine = _mean_to_class(synthetic, classes, held_out, truth, axis)
    judged = ~np.isnan(cosine)
    if not judged.any():
        return out
    everything, codes = np.concatenate([training, held_out]), np.concatenate([training_classes, truth])
    within = within_similarity(everything, codes, int(max(codes.max(), classes.max())) + 1, axis)
    ratio = similarity_ratio(synthetic, classes, held_out, truth, axis, within)
    out["weighted_cosine"] = float(cosine[judged].mean())
    out["mse"] = float(_squares(synthetic[judged], classes[judged], held_out, truth))
    defined = ratio[~np.isnan(ratio)]
    if defined.size:
        out["similarity_ratio"] = float(defined.mean())
        out["similarity_ratio_above_.9"] = float((defined > 0.9).mean())
    out["library_match"] = library_match(synthetic[judged], classes[judged], held_out, truth, axis)
    return out


def _squares(synthetic: FloatArray, classes: IntArray, held_out: FloatArray, truth: IntArray) -> float:
    """Mean squared difference a channel to held-out spectra of the class, every base peak at 100."""
    a = 100.0 * synthetic / np.maximum(synthetic.max(axis=1, keepdims=True), 1e-12)
    b = 100.0 * held_out / np.maximum(held_out.max(axis=1, keepdims=True), 1e-12)
    means = [((a[i] - b[truth == code]) ** 2).mean() for i, code in enumerate(classes)]
    return float(np.mean(means))
