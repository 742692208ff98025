"""Electron-ionisation mass spectra of compounds, recorded on several instruments.

A compound is a molecular ion and fragments at nominal masses, some of them shared with other compounds of its family
(as silylated or hydrocarbon fragments are). An acquisition multiplies the peaks by a tilt along m/z, raises them to a
power, disturbs each of them, and records what lies above the instrument's lowest m/z and detection limit. Instruments
have limits, tilt and power of their own, and measure compounds of all families: how records of one compound differ can
be learnt on another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectrosim_search.config.errors import ConfigurationError
from spectrosim_search.config.fields import field
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["Settings", "simulate"]

_STREAMS = {"compounds": 0, "instruments": 1, "acquisitions": 2, "noise": 3}


@dataclass(frozen=True)
class Settings:
    """Parameters of the simulator; spreads are standard deviations."""

    seed: int = field(0, "seed of everything random, the compounds included", low=0)
    compounds: int = field(24, "compounds", low=2, high=20000)
    families: int = field(4, "families of compounds that share fragments", low=1, high=1000)
    spectra: int = field(6, "spectra of a compound, each of an instrument drawn anew", low=1, high=1000)
    instruments: int = field(5, "instruments", low=1, high=1000)
    mz_high: int = field(200, "highest nominal m/z; the axis starts at 15", unit="Th", low=40, high=5000)
    peaks: int = field(25, "fragments of a compound", low=3, high=1000)
    shared: float = field(0.7, "share of the fragments that the family has in common", low=0.0, high=1.0)
    peak_spread: float = field(1.5, "spread of log fragment intensities", low=0.0, high=5.0)
    compound_spread: float = field(0.6, "spread of log intensities of shared fragments in a family", low=0.0, high=5.0)
    tilt: float = field(1.0, "spread of the instruments' tilt along log m/z", low=0.0, high=10.0)
    power: float = field(0.2, "spread of the instruments' log power of intensity", low=0.0, high=2.0)
    noise: float = field(0.4, "spread of log intensity of a peak between acquisitions", low=0.0, high=5.0)
    limit: float = field(0.03, "largest detection limit of an instrument over the base peak", low=0.0, high=0.5)
    cut: int = field(60, "highest of the instruments' lowest m/z", unit="Th", low=15, high=1000)


def simulate(settings: Settings) -> SpectraSet:
    """Simulate one set of spectra; groups are compounds, labels families, base peaks 1000.

    `truth`: ``profiles`` ``(1, compounds, L)``, the compounds' spectra before acquisition. Raises ConfigurationError
    for more fragments than masses.
    """
    s = settings
    axis = np.arange(15, s.mz_high + 1, dtype=np.float64)
    if s.peaks > axis.size // 2:
        raise ConfigurationError([f"simulator 'ei': {s.peaks} peaks need an m/z range of {2 * s.peaks} at least"])
    if s.cut > s.mz_high // 2:
        raise ConfigurationError([f"simulator 'ei': cut {s.cut} is above half of mz_high {s.mz_high}"])
    draw = {name: np.random.default_rng([s.seed, number]) for name, number in _STREAMS.items()}
    random = draw["compounds"]
    common = round(s.shared * s.peaks)
    family = np.arange(s.compounds) % s.families
    places = [random.choice(axis.size, common, replace=False) for _ in range(s.families)]
    heights = random.normal(scale=s.peak_spread, size=(s.families, common))
    profiles = np.zeros((s.compounds, axis.size))
    for c, f in enumerate(family):
        own = random.choice(axis.size, s.peaks - common, replace=False)
        profiles[c, own] = np.exp(random.normal(scale=s.peak_spread, size=own.size))
        profiles[c, places[f]] += np.exp(heights[f] + random.normal(scale=s.compound_spread, size=common))
    profiles /= profiles.max(axis=1, keepdims=True)

    random = draw["instruments"]
    tilt = random.normal(scale=s.tilt, size=s.instruments)
    power = np.exp(random.normal(scale=s.power, size=s.instruments))
    limit = s.limit * random.random(s.instruments)
    cut = 15 + (max(s.cut, 15) - 15) * random.random(s.instruments)

    compound = np.repeat(np.arange(s.compounds), s.spectra)
    instrument = draw["acquisitions"].integers(s.instruments, size=compound.size)
    deviation = draw["noise"].normal(scale=s.noise, size=(compound.size, axis.size))
    x = profiles[compound] ** power[instrument][:, None]
    x *= np.exp(tilt[instrument][:, None] * np.log(axis / axis[-1]) + deviation)
    x /= x.max(axis=1, keepdims=True)
    recorded = np.where(axis[None] >= cut[instrument][:, None], x, 0.0)
    heard = recorded.max(axis=1) > 0  # a compound whose every fragment lies below the cut is recorded whole
    x = np.where(heard[:, None], recorded, x)
    x = np.where(x >= limit[instrument][:, None] * x.max(axis=1, keepdims=True), x, 0.0)
    x *= 1000.0 / x.max(axis=1, keepdims=True)
    width = len(str(s.compounds))
    names = np.array([f"compound{c + 1:0{width}d}" for c in range(s.compounds)])
    place = np.tile(np.arange(s.spectra), s.compounds) + 1
    return SpectraSet(
        intensities=x.astype(np.float32),
        axis=axis,
        axis_unit="m/z",
        sample_ids=np.array([f"{names[c]}_record{p}" for c, p in zip(compound, place, strict=True)]),
        groups=names[compound],
        labels=np.array([f"family{f + 1}" for f in family])[compound],
        split=np.full(compound.size, "", dtype="<U1"),
        name=f"ei-{s.seed}",
        extra={"instrument": np.array([f"instrument{i + 1}" for i in instrument])},
        truth={"profiles": profiles[None]},
    )
