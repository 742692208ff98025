"""How spectra of one compound differ between acquisitions, and changing a spectrum that way.

Two records of one compound differ by what lies below the instrument's lowest m/z and detection limit (not recorded),
by a tilt along m/z and a power of all intensities (transmission, temperature, electron energy, detector), and by
independent deviations of single peaks. Tilt, power and deviations are measured on pairs of training spectra of one
class and carried over to other classes; limits are those of a training spectrum drawn as donor.

It serves the generator of :mod:`spectrosim_search.learning.synthesis_drawing` and the augmentation ``acquisition``
alike. Shapes: R replicates, M rows, n training spectra, L channels. A peak is a channel above 0: what is not (centred
channels below their mean, say) stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spectrosim_search.learning.randomness import RowStream

__all__ = ["Variation", "learn", "limits", "vary"]

_FEWEST = 6  # shared peaks from which a pair of spectra tells a tilt and a power
_NORMAL = 1.4826  # standard deviation over median absolute deviation, for normal deviates
_NEAREST = 1e-3  # m/z over the highest, below which the tilt does not fall further: an axis may start at 0
_RANGE = (-20.0, 60.0)  # logarithms of the largest factor of a spectrum as they are computed with: no overflow
_KEPT = 0.3  # share of a spectrum's sum that a donor's limits must leave, else they are not applied


@dataclass(frozen=True)
class Variation:
    """Standard deviations of log intensities between two spectra of one class."""

    tilt: float  # of the coefficient of log m/z
    power: float  # of the coefficient of log intensity
    noise: float  # of single peaks

    @property
    def spreads(self) -> tuple[float, float, float]:
        """Tilt, power and noise."""
        return self.tilt, self.power, self.noise


def _pair(first: NDArray[np.float64], second: NDArray[np.float64], log_mz: NDArray[np.float64]) -> Variation | None:
    shared = (first > 0) & (second > 0)
    if shared.sum() < _FEWEST:
        return None
    a, b = np.log(first[shared]), np.log(second[shared])
    # against the mean of both: regressed on one of them, its own errors would look like a power below one
    design = np.stack([np.ones(a.size), log_mz[shared] - log_mz[shared].mean(), (a + b) / 2], axis=1)
    found, *_ = np.linalg.lstsq(design, b - a, rcond=None)
    rest = b - a - design @ found
    return Variation(float(found[1]), float(found[2]), float(np.median(np.abs(rest))))


def learn(
    spectra: NDArray[np.float32],
    classes: NDArray[np.int64],
    axis: NDArray[np.float64],
    prior: Variation,
    weight: float,
) -> Variation:
    """Return the variation within classes, spectra ``(n, L)`` and classes ``(n,)``, shrunk towards `prior`.

    Each class that has two spectra with six shared peaks counts once, the prior `weight` times; variances are averaged
    (robust: from medians over classes). Without such a class it is the prior.
    """
    log_mz = np.log(np.maximum(axis / axis[-1], _NEAREST))
    found: list[Variation] = []
    for code in np.unique(classes):
        rows = np.flatnonzero(classes == code)
        for i, j in pairwise(rows):
            pair = _pair(spectra[i].astype(np.float64), spectra[j].astype(np.float64), log_mz)
            if pair is not None:
                found.append(pair)
                break
    if not found:
        return prior

    def joined(name: str) -> float:
        # a difference of two spectra has twice the variance of one
        spread = _NORMAL * float(np.median([abs(getattr(v, name)) for v in found])) / 2**0.5
        return float(((weight * getattr(prior, name) ** 2 + len(found) * spread**2) / (weight + len(found))) ** 0.5)

    return Variation(joined("tilt"), joined("power"), joined("noise"))


def limits(spectra: Tensor, axis: Tensor) -> Tensor:
    """Return lowest m/z and smallest over largest intensity ``(n, 2)`` of spectra ``(n, L)`` with axis ``(L,)``.

    A spectrum without any peak has the limits of an instrument that records everything.
    """
    seen = spectra > 0
    inf = torch.full((), float("inf"), dtype=spectra.dtype, device=spectra.device)
    low = torch.where(seen, axis, inf).amin(dim=1)
    smallest = torch.where(seen, spectra, inf).amin(dim=1) / spectra.amax(dim=1)
    some = seen.any(dim=1)
    return torch.stack([torch.where(some, low, axis[0]), torch.where(some, smallest, 0.0)], dim=1)


def vary(x: Tensor, axis: Tensor, spread: Tensor, donors: Tensor, transfer: Tensor, random: RowStream) -> Tensor:
    """Return spectra x ``(R, M, L)`` as other acquisitions might have recorded them; peaks vanish and never appear.

    axis ``(R, L)``; spread: standard deviations of tilt, power and noise ``(R, 1, 3)``; donors: :func:`limits` of
    training spectra ``(R, n, 2)``, of which each spectrum gets one with probability `transfer` ``(R, 1, 1)``. The
    lowest m/z is left alone where it would take more than 70 % of a spectrum's sum. The base peak keeps its height
    unless that cut takes it.
    """
    seen = x > 0
    tiny = 1e-12
    top = x.amax(dim=-1, keepdim=True).clamp(min=tiny)
    log_mz = torch.log((axis / axis[:, -1:]).clamp(min=_NEAREST)).unsqueeze(1)
    drawn = random.normal(2).to(x.dtype)
    tilt, power = drawn[..., :1] * spread[..., :1], torch.exp((drawn[..., 1:] * spread[..., 1:2]).clamp(max=_RANGE[1]))
    noise = random.normal(x.shape[-1]).to(x.dtype) * spread[..., 2:]
    change = (power - 1) * torch.log((x / top).clamp(min=tiny)) + tilt * log_mz + noise
    most = change.masked_fill(~seen, -torch.inf).amax(dim=-1, keepdim=True)
    factor = torch.exp(change - (most - most.clamp(*_RANGE)))  # but for what the base peak's height gives back
    out = torch.where(seen, x * factor, 0.0)
    height = out.amax(dim=-1, keepdim=True).clamp(min=torch.finfo(x.dtype).tiny)
    chosen = random.uniform(2)
    place = (chosen[..., :1] * donors.shape[1]).long().clamp(max=donors.shape[1] - 1)
    donor = donors.gather(1, place.expand(-1, -1, 2))
    taken = chosen[..., 1:] < transfer
    out = torch.where(taken & (out < donor[..., 1:] * height), 0.0, out)
    cut = torch.where(axis.unsqueeze(1) < donor[..., :1], 0.0, out)
    enough = cut.sum(dim=-1, keepdim=True) > _KEPT * out.sum(dim=-1, keepdim=True)
    return torch.where(seen, torch.where(taken & enough, cut, out) * (top / height), x)
