"""What evaluation passes around: scored pairs, named classes and estimates with intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["ClassScores", "Estimate", "MixtureScores", "PairScores"]

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class PairScores:
    """Similarities of one set of pairs that a model scored without having chosen anything on them.

    All arrays have shape ``(P,)``. `left` and `right` are rows of the spectra set.
    """

    left: IntArray
    right: IntArray
    positive: NDArray[np.bool_]
    stratum: IntArray  # unordered label pair; -1 where a label is missing
    similarity: FloatArray
    threshold: float  # chosen on other pairs; NaN where none could be


@dataclass(frozen=True)
class ClassScores:
    """Classes that a model named for spectra it had not seen.

    All arrays have shape ``(M,)``. `rows` point into the spectra set; `truth` and `predicted` are class codes.
    """

    rows: IntArray
    truth: IntArray
    predicted: IntArray
    confidence: FloatArray  # higher = surer


@dataclass(frozen=True)
class MixtureScores:
    """Components that a model named for mixtures of spectra it had not seen, their number told; ``(M, k)`` class codes.

    The k classes of a mixture are distinct, in `truth` and in `found`; their order in a row says nothing.
    """

    truth: IntArray
    found: IntArray


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval over groups and its standard error; NaN where undefined, `note` says why."""

    value: float
    low: float = float("nan")
    high: float = float("nan")
    standard_error: float = float("nan")
    note: str = ""
