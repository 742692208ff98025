"""Preprocessing that baselines use: the grid to choose from, the fixed choice, and scoring pairs after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines._contract import BaselineInput
from spectrosim_search.baselines._cosine import pair_cosine, unit_rows
from spectrosim_search.baselines.classifiers._contract import ClassInput
from spectrosim_search.config.configuration import Preprocessing
from spectrosim_search.spectra.preprocessing import State

__all__ = ["bases", "fixed", "score_rows", "with_scale"]

_INTENSITY = ("none", "tic", "sqrt", "log", "snv")


def bases(data: BaselineInput | ClassInput) -> list[Preprocessing]:
    """The part of the grid before scaling: five intensity transforms, and SNV with a first or second derivative.

    Transforms that these spectra cannot take are left out. Whether any intensity is negative is a property of the
    instrument's output, not of a group, so all spectra are asked.
    """
    negative = bool((data.spectra.intensities < 0).any())
    intensities = [i for i in _INTENSITY if not (negative and i in ("sqrt", "log"))]
    grid = [Preprocessing(intensity=cast(Literal["none"], i), scale="none") for i in intensities]
    window = 11
    if data.spectra.axis.size >= window:
        grid += [Preprocessing(intensity="snv", derivative=d, window=window, scale="none") for d in (1, 2)]
    return grid


def with_scale(base: Preprocessing, scale: Literal["none", "standard"]) -> Preprocessing:
    """The same with another scaling of channels."""
    return replace(base, scale=scale)


def fixed(data: BaselineInput) -> Preprocessing:
    """Square root; SNV in its place where intensities can be negative.

    Channels are not scaled: in mass spectra that lifts the noise of thousands of empty channels to the size of peaks.
    """
    negative = bool((data.spectra.intensities < 0).any())
    return Preprocessing(intensity="snv" if negative else "sqrt", scale="none")


def score_rows(
    data: BaselineInput, state: State, embed: Callable[[NDArray[np.float32]], NDArray[np.floating]]
) -> tuple[NDArray[np.float32], ...]:
    """Cosine of all pairs after preprocessing and `embed` ``(N, L) -> (N, D)``; only rows that occur are touched."""
    if not data.pairs:
        return ()
    rows = np.unique(np.concatenate([np.concatenate([p.left, p.right]) for p in data.pairs]))
    unit = unit_rows(embed(state.transform(data.spectra.intensities[rows])))
    return tuple(pair_cosine(unit, np.searchsorted(rows, p.left), np.searchsorted(rows, p.right)) for p in data.pairs)
