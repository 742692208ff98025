"""Bringing new spectra onto the axis a model was trained on, and saying what about them is unlike the training data.

A model knows one axis. Spectra measured over another one are interpolated where they cover the model's range and
refused where they do not: made-up channels would be answered with made-up similarities.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import DataError
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["IntensityRange", "align"]

_SAME_AXIS = 1e-3  # largest shift, in channel widths, at which two axes count as the same
_EDGE = 0.5  # channel widths that may be missing at either end: a channel reaches half a width beyond its centre
_COARSE = 2.0  # model channels per measured channel from which interpolation is called coarse
_SLACK = 2.0  # factor beyond the training range at which an intensity scale is called outside it


@dataclass(frozen=True)
class IntensityRange:
    """What intensities the training spectra had, in the units of their file.

    `level`: mean absolute intensity of a spectrum; `peak`: its largest absolute intensity; `lowest`: the smallest
    intensity of all; `zeros`: the share of channels that are exactly zero. `low` and `high` are over spectra.
    """

    level_low: float
    level_high: float
    peak_low: float
    peak_high: float
    lowest: float
    zeros_low: float
    zeros_high: float

    @classmethod
    def of(cls, intensities: NDArray[np.float32]) -> IntensityRange:
        """Measure spectra ``(N, L)``, N ≥ 1."""
        level, peak, zeros = _measure(intensities)
        return cls(
            level_low=float(level.min()),
            level_high=float(level.max()),
            peak_low=float(peak.min()),
            peak_high=float(peak.max()),
            lowest=float(intensities.min()),
            zeros_low=float(zeros.min()),
            zeros_high=float(zeros.max()),
        )

    def to_dict(self) -> dict[str, float]:
        """Return the JSON form."""
        return asdict(self)

    def warnings(self, intensities: NDArray[np.float32], name: str) -> tuple[str, ...]:
        """Say, with counts, what of spectra ``(N, L)`` lies outside; a factor of two beyond the range is let pass."""
        if not len(intensities):
            return ()
        n = len(intensities)
        level, peak, zeros = _measure(intensities)
        found = []
        for what, values, low, high in (
            ("mean intensity", level, self.level_low, self.level_high),
            ("highest intensity", peak, self.peak_low, self.peak_high),
        ):
            outside = (values < low / _SLACK) | (values > high * _SLACK)
            if outside.any():
                found.append(
                    f"{int(outside.sum())} of {n} spectra of '{name}' have a {what} outside the training data's "
                    f"{low:.3g} to {high:.3g} (theirs: {values[outside].min():.3g} to {values[outside].max():.3g})"
                )
        negative = (intensities < 0).any(axis=1)
        if self.lowest >= 0 and negative.any():
            found.append(
                f"{int(negative.sum())} of {n} spectra of '{name}' are negative somewhere; the training data nowhere"
            )
        empty = zeros > max(2 * self.zeros_high, self.zeros_high + 0.2)
        if empty.any():
            found.append(
                f"{int(empty.sum())} of {n} spectra of '{name}' are zero in up to {100 * zeros.max():.0f} % of the "
                f"channels; training spectra in at most {100 * self.zeros_high:.0f} %"
            )
        return tuple(found)


def _measure(x: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    size = np.abs(x)
    return (
        size.mean(axis=1, dtype=np.float64),
        size.max(axis=1).astype(np.float64),
        (x == 0).mean(axis=1, dtype=np.float64),
    )


def align(
    spectra: SpectraSet, axis: NDArray[np.float64], axis_unit: str
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Return intensities over `axis` ``(L,)`` and what had to be done, in words.

    Linear interpolation; intensities are taken as densities, not as areas of bins. Lists of peaks hold nothing beyond
    their last peak: they are filled up with zeros to both ends. Raises DataError where the units differ or other
    spectra do not reach both ends of `axis` within half a channel.
    """
    if spectra.axis_unit and axis_unit and spectra.axis_unit != axis_unit:
        raise DataError(
            f"the spectra of '{spectra.name}' are over {spectra.axis_unit}, the model was trained over {axis_unit}: "
            "convert the axis first"
        )
    found, values = _filled(spectra, axis) if spectra.peaks else (spectra.axis, spectra.intensities)
    first, last = _widths(axis)
    if _same(found, axis):
        return values, ()
    if not len(found) or found[0] > axis[0] + _EDGE * first or found[-1] < axis[-1] - _EDGE * last:
        reach = f"{found[0]:g} to {found[-1]:g}" if len(found) else "no channel"
        raise DataError(
            f"the spectra of '{spectra.name}' reach over {reach} {spectra.axis_unit}".rstrip()
            + f", the model needs {axis[0]:g} to {axis[-1]:g} {axis_unit}".rstrip()
            + ": measure over that range or train a model on this one"
        )
    inside = (found >= axis[0] - _EDGE * first) & (found <= axis[-1] + _EDGE * last)
    outside = ~inside & values.any(axis=0) if spectra.peaks else ~inside
    beyond = f"{int(outside.sum())} channels of '{spectra.name}' lie outside the training axis and were left out"
    if spectra.peaks and _same(found[inside], axis):
        return np.ascontiguousarray(values[:, inside]), (beyond,) if outside.any() else ()
    out = np.empty((len(spectra), len(axis)), np.float32)
    for row, measured in enumerate(values):
        out[row] = np.interp(axis, found, measured)
    warnings = [
        f"the axis of '{spectra.name}' ({len(found)} channels, {found[0]:g} to {found[-1]:g}) differs from the "
        f"training axis ({len(axis)} channels, {axis[0]:g} to {axis[-1]:g}): {len(spectra)} spectra were interpolated "
        "onto it"
    ]
    if outside.any():
        warnings.append(beyond)
    if int(inside.sum()) * _COARSE <= len(axis):
        warnings.append(
            f"'{spectra.name}' has {int(inside.sum())} channels where the model has {len(axis)}: the coarser axis "
            "hides detail the model was trained on"
        )
    return out, tuple(warnings)


def _same(found: NDArray[np.float64], axis: NDArray[np.float64]) -> bool:
    """Whether two axes count as the same."""
    return found.shape == axis.shape and bool(np.all(np.abs(found - axis) <= _SAME_AXIS * min(_widths(axis))))


def _filled(spectra: SpectraSet, axis: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Peaks at unit m/z with zeros where they have none, down and up to both ends of `axis`: their axis and values."""
    low = int(min(np.floor(axis[0]), spectra.axis[0]))
    high = int(max(np.ceil(axis[-1]), spectra.axis[-1]))
    values = np.zeros((len(spectra), high - low + 1), np.float32)
    values[:, spectra.axis.astype(np.int64) - low] = spectra.intensities
    return np.arange(low, high + 1, dtype=np.float64), values


def _widths(axis: NDArray[np.float64]) -> tuple[float, float]:
    """Channel widths at the two ends of an axis; a single channel has none."""
    if len(axis) < 2:
        return 0.0, 0.0
    return float(axis[1] - axis[0]), float(axis[-1] - axis[-2])
