"""Fitting a study's space to the spectra it is asked of."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, cast

from spectrosim_search.config.configuration import Preprocessing, Scalar
from spectrosim_search.config.study import Dimension, Study
from spectrosim_search.spectra.preprocessing import rowwise
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["fit_space"]

Intensity = Literal["none", "tic", "sqrt", "log", "snv", "msc"]
INTENSITY = "preprocessing.intensity"
BASELINE = "preprocessing.baseline"
NON_NEGATIVE = ("sqrt", "log")  # transforms that cannot take negative intensities
INSTEAD = "snv"


def fit_space(study: Study, spectra: SpectraSet) -> tuple[Study, tuple[str, ...]]:
    """Leave out choices that these spectra cannot take; returns the study and a warning for what was left out.

    Only what varies is changed. A transform that the study fixes stays; DataError where the spectra cannot take it.
    """
    if _removes_baseline(study):  # what lies below a baseline counts as zero: every transform takes it
        return study, ()
    varied = next((d for d in study.dimensions if d.path == INTENSITY), None)
    if varied is None:
        fixed = dict(study.base).get(INTENSITY)
        if fixed is not None:  # raises DataError where these spectra cannot take it
            rowwise(Preprocessing(intensity=cast(Intensity, fixed)), spectra.intensities)
        return study, ()
    if not (spectra.intensities < 0).any():
        return study, ()
    dropped = [c for c in varied.choices if c in NON_NEGATIVE]
    kept = tuple(c for c in varied.choices if c not in NON_NEGATIVE)
    if not dropped or not kept:
        return study, ()
    instead = INSTEAD if INSTEAD in kept else str(kept[0])
    fitted = replace(
        study,
        dimensions=tuple(_narrowed(d, kept) for d in study.dimensions),
        base=_replaced(study.base, instead),
        known_good=tuple(dict.fromkeys(_replaced(entry, instead) for entry in study.known_good)),
        climb=tuple(dict.fromkeys(_replaced(entry, instead) for entry in study.climb)),
    )
    names = " and ".join(str(c) for c in dropped)
    return fitted, (f"some intensities are negative: preprocessing {names} left out of the search",)


def _removes_baseline(study: Study) -> bool:
    """Whether every configuration of the study takes a baseline off."""
    varied = next((d for d in study.dimensions if d.path == BASELINE), None)
    choices = varied.choices if varied is not None else (dict(study.base).get(BASELINE, "none"),)
    return "none" not in choices


def _narrowed(dimension: Dimension, kept: tuple[Scalar, ...]) -> Dimension:
    if dimension.path == INTENSITY:
        return replace(dimension, choices=kept)
    # what varied under a dropped choice alone keeps its condition and never comes up
    return dimension


def _replaced(values: tuple[tuple[str, Scalar], ...], instead: str) -> tuple[tuple[str, Scalar], ...]:
    return tuple((p, instead if p == INTENSITY and v in NON_NEGATIVE else v) for p, v in values)
