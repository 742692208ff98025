"""Near-infrared absorbance of products in production batches.

Absorbance is a mixture of ingredients, each a sum of broad overlapping bands::

    spectrum = (1 + multiplicative scatter) · Σ concentration · ingredient + offset + slope + curvature + noise

Classes differ in the mean concentrations of their ingredients. A batch shifts all concentrations (raw materials,
moisture), moves the bands a little (temperature) and has a baseline of its own: spectra of one batch resemble each
other beyond their class. So a classifier judged on other spectra of batches it knows recognises the batch, and looks
better than on new batches. Every part draws from its own random stream.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import ConfigurationError
from spectrosim_search.config.fields import field
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["Settings", "simulate"]

_STREAMS = {name: number for number, name in enumerate(("bands", "classes", "batches", "samples", "scatter", "noise"))}


@dataclass(frozen=True)
class Settings:
    """Parameters of the simulator; spreads are standard deviations."""

    seed: int = field(0, "seed of everything random, the population included", low=0)
    classes: int = field(4, "classes of product; a batch holds one", low=1, high=50)
    batches: int = field(28, "production batches, dealt to the classes in turn", low=1, high=20000)
    batch_size: int = field(6, "spectra of a batch", low=1, high=10000)
    channels: int = field(400, "channels of the wavenumber axis", low=16, high=20000)
    low: float = field(7400.0, "first wavenumber", unit="cm⁻¹", low=100.0, high=20000.0)
    high: float = field(10500.0, "last wavenumber", unit="cm⁻¹", low=100.0, high=20000.0)
    ingredients: int = field(8, "ingredients shared by all classes", low=1, high=100)
    bands: int = field(5, "bands of an ingredient", low=1, high=100)
    band_width: float = field(150.0, "typical standard deviation of a band", unit="cm⁻¹", low=1.0, high=5000.0)
    class_spread: float = field(0.09, "spread of a class's concentrations around one", low=0.0, high=5.0)
    batch_spread: float = field(0.06, "spread of a batch's concentrations around its class", low=0.0, high=5.0)
    sample_spread: float = field(0.02, "spread of a sample's concentrations around its batch", low=0.0, high=5.0)
    shift: float = field(2.0, "spread of a batch's displacement of all bands", unit="cm⁻¹", low=0.0, high=500.0)
    scatter: float = field(0.05, "spread of a sample's multiplicative scatter", low=0.0, high=1.0)
    baseline: float = field(0.05, "spread of a sample's offset, slope and curvature", low=0.0, high=5.0)
    batch_baseline: float = field(0.03, "spread of a batch's offset, slope and curvature", low=0.0, high=5.0)
    noise: float = field(0.001, "noise of a channel", low=0.0, high=1.0)


def simulate(settings: Settings) -> SpectraSet:
    """Simulate one set of spectra: groups are batches, labels classes.

    `truth` (N spectra, C classes, I ingredients; what is not per spectrum has a leading axis of 1): ``concentrations``
    ``(N, I)``, ``class`` ``(N,)`` codes, ``class_means`` ``(1, C, I)``. Raises ConfigurationError for an empty axis.
    """
    s = settings
    if s.low >= s.high:
        raise ConfigurationError([f"simulator 'nir': low {s.low:g} is not below high {s.high:g}"])
    streams = {name: np.random.default_rng([s.seed, 0x417, number]) for name, number in _STREAMS.items()}
    batch = np.repeat(np.arange(s.batches), s.batch_size)
    kind = batch % s.classes
    n = batch.size
    means = 1 + streams["classes"].normal(scale=s.class_spread, size=(s.classes, s.ingredients))
    of_batch = streams["batches"].normal(scale=s.batch_spread, size=(s.batches, s.ingredients))
    displaced = streams["batches"].normal(scale=s.shift, size=s.batches)
    of_sample = streams["samples"].normal(scale=s.sample_spread, size=(n, s.ingredients))
    concentrations = np.maximum(means[kind] + of_batch[batch] + of_sample, 0.0)

    axis = np.linspace(s.low, s.high, s.channels)
    where = streams["bands"].uniform(s.low, s.high, size=(s.ingredients, s.bands))
    width = s.band_width * np.exp(0.4 * streams["bands"].normal(size=(s.ingredients, s.bands)))
    height = streams["bands"].exponential(size=(s.ingredients, s.bands)) / (s.bands * s.ingredients) ** 0.5
    pure = np.empty((s.batches, s.ingredients, s.channels))
    for b in range(s.batches):
        centre = where + displaced[b]
        shape = np.exp(-0.5 * ((axis - centre[..., None]) / width[..., None]) ** 2)
        pure[b] = (height[..., None] * shape).sum(axis=1)
    absorbance = np.einsum("ni,nil->nl", concentrations, pure[batch])

    place = np.linspace(-1, 1, s.channels)
    curves = np.stack([np.ones_like(place), place, place**2 - 1 / 3])
    weight = streams["batches"].normal(scale=s.batch_baseline, size=(s.batches, 3))[batch]
    weight = weight + streams["scatter"].normal(scale=s.baseline, size=(n, 3))
    factor = 1 + streams["scatter"].normal(scale=s.scatter, size=(n, 1))
    measured = factor * absorbance + weight @ curves + streams["noise"].normal(scale=s.noise, size=(n, s.channels))
    return SpectraSet(
        intensities=measured.astype(np.float32),
        axis=axis,
        axis_unit="cm-1",
        sample_ids=_names(batch, s.batch_size, s.batches),
        groups=np.array([f"batch{b + 1:0{len(str(s.batches))}d}" for b in range(s.batches)])[batch],
        labels=np.array([f"type {i + 1}" for i in range(s.classes)])[kind],
        split=np.full(n, "", dtype="<U1"),
        name=f"nir-{s.seed}",
        truth={
            "concentrations": concentrations,
            "class": kind.astype(np.float64),
            "class_means": means[None],
        },
    )


def _names(batch: NDArray[np.int64], size: int, batches: int) -> NDArray[np.str_]:
    width = len(str(batches))
    return np.array([f"batch{b + 1:0{width}d}_{i % size + 1}" for i, b in enumerate(batch)])
