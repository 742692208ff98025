"""Fish in processing batches, measured by rapid evaporative ionisation mass spectrometry (REIMS).

Each fish has a log-profile over peaks that all fish share::

    latent = species mean + batch effect + fish effect,    effects Gaussian, covariance = factor factorᵀ + diagonal

Fish of one batch share the batch effect. The fish effect is strong in a few directions (fat, water, the cut) and the
batch effect weaker in others: comparing spectra as they are sees mostly fish, comparing them after whitening by the
variation inside batches sees batches. The measurement then adds its nuisances: intensity scale, m/z drift, baseline,
shot noise, detector noise.

The default has the shape of the SpectroSim paper's data (72 fish of two species, 24 batches, 2,080 bins from m/z 77.04
to 999.32); how hard it is was measured by ``benchmarks/simulator_difficulty.py``. Every part draws from its own
random stream, so that changing one nuisance leaves the others as they were.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import ConfigurationError
from spectrosim_search.config.fields import field
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["Settings", "simulate"]

_SPECIES = ("hoki", "jack mackerel")
_REACH = 5.0  # peak widths on either side of a peak's centre that are drawn
_STREAMS = {
    "peaks": 0,
    "species": 1,
    "factors": 2,
    "batches": 3,
    "fish": 4,
    "sizes": 5,
    "scale": 6,
    "drift": 7,
    "base": 8,
    "noise": 9,
}


@dataclass(frozen=True)
class Settings:
    """Parameters of the simulator; spreads are standard deviations."""

    seed: int = field(0, "seed of everything random, the population included", low=0)
    batches: int = field(24, "processing batches, dealt to the species in turn", low=1, high=20000)
    batch_size: int = field(3, "fish in a batch", low=1, high=10000)
    batch_size_spread: int = field(0, "batch sizes are uniform within ± this, at least 1", low=0, high=1000)
    species: int = field(2, "species; a batch holds one", low=1, high=50)
    channels: int = field(2080, "bins of the m/z axis", low=16, high=200000)
    mz_low: float = field(77.04, "centre of the first bin", unit="Th", low=1.0, high=1e5)
    mz_high: float = field(999.32, "centre of the last bin", unit="Th", low=1.0, high=1e5)
    peaks: int = field(120, "peaks shared by all fish", low=2, high=20000)
    peak_width: float = field(0.35, "standard deviation of a peak along m/z", unit="Th", low=0.01, high=50.0)
    peak_spread: float = field(1.2, "spread of log peak heights", low=0.0, high=5.0)
    species_spread: float = field(0.3, "spread of species means around the common log-profile", low=0.0, high=5.0)
    batch_rank: int = field(5, "directions of the batch effect", low=0, high=200)
    batch_spread: float = field(0.25, "spread of the batch effect of a peak, along its directions", low=0.0, high=5.0)
    batch_residual: float = field(
        0.02, "spread of the batch effect of a peak, independent of other peaks", low=0.0, high=5.0
    )
    fish_rank: int = field(6, "directions of the fish effect", low=0, high=200)
    fish_spread: float = field(0.4, "spread of the fish effect of a peak, along its directions", low=0.0, high=5.0)
    fish_residual: float = field(
        0.4, "spread of the fish effect of a peak, independent of other peaks", low=0.01, high=5.0
    )
    scale_spread: float = field(0.5, "spread of the logarithm of a spectrum's total intensity", low=0.0, high=5.0)
    drift: float = field(0.05, "spread of a spectrum's shift along m/z", unit="Th", low=0.0, high=10.0)
    baseline: float = field(0.2, "mean share of the baseline in a spectrum's ions", low=0.0, high=0.9)
    baseline_spread: float = field(0.5, "spread of the logarithm of a spectrum's baseline", low=0.0, high=3.0)
    ions: float = field(2e5, "ions counted in a spectrum of mean intensity; 0: no shot noise", low=0.0, high=1e9)
    detector_noise: float = field(2.0, "detector noise of a bin before cutting at zero", unit="ions", low=0.0, high=1e9)


def _covariance_factor(rng: np.random.Generator, peaks: int, rank: int, spread: float) -> NDArray[np.float64]:
    """``(K, rank)`` such that the diagonal of factor factorᵀ is spread² on average."""
    if rank == 0:
        return np.zeros((peaks, 0))
    return rng.normal(scale=spread / np.sqrt(rank), size=(peaks, rank))


def simulate(settings: Settings) -> SpectraSet:
    """Simulate one set of spectra.

    `truth` (N fish, K peaks, S species; what is not per fish has a leading axis of 1): ``latent`` ``(N, K)``
    log-profiles, ``species`` ``(N,)`` codes, ``species_means`` ``(1, S, K)``, ``batch_factor`` and ``fish_factor``
    ``(1, K, rank)``, ``batch_variance`` and ``fish_variance`` ``(1, K)`` diagonals, ``peaks`` ``(1, K)`` in Th.
    Raises ConfigurationError for an empty axis.
    """
    s = settings
    if s.mz_low >= s.mz_high:
        raise ConfigurationError([f"simulator 'reims': mz_low {s.mz_low:g} is not below mz_high {s.mz_high:g}"])
    streams = {name: np.random.default_rng([s.seed, number]) for name, number in _STREAMS.items()}
    low = max(1, s.batch_size - s.batch_size_spread)
    sizes = streams["sizes"].integers(low, s.batch_size + s.batch_size_spread, size=s.batches, endpoint=True)
    batch = np.repeat(np.arange(s.batches), sizes)
    species = batch % s.species
    n, k = batch.size, s.peaks

    margin = 0.02 * (s.mz_high - s.mz_low)
    position = np.sort(streams["peaks"].uniform(s.mz_low + margin, s.mz_high - margin, k))
    common = streams["peaks"].normal(scale=s.peak_spread, size=k)
    means = common + streams["species"].normal(scale=s.species_spread, size=(s.species, k))
    batch_factor = _covariance_factor(streams["factors"], k, s.batch_rank, s.batch_spread)
    fish_factor = _covariance_factor(streams["factors"], k, s.fish_rank, s.fish_spread)
    batch_effect = streams["batches"].normal(size=(s.batches, s.batch_rank)) @ batch_factor.T
    batch_effect += streams["batches"].normal(scale=s.batch_residual, size=(s.batches, k))
    fish_effect = streams["fish"].normal(size=(n, s.fish_rank)) @ fish_factor.T
    fish_effect += streams["fish"].normal(scale=s.fish_residual, size=(n, k))
    latent = means[species] + batch_effect[batch] + fish_effect

    axis = np.linspace(s.mz_low, s.mz_high, s.channels)
    width = len(str(s.batches))
    names = np.array([f"batch{b + 1:0{width}d}" for b in range(s.batches)])
    place = np.arange(n) - np.concatenate([[0], np.cumsum(sizes)])[batch] + 1
    labels = [_SPECIES[i] if i < len(_SPECIES) else f"species {i + 1}" for i in range(s.species)]
    return SpectraSet(
        intensities=_measure(s, latent, position, axis, streams).astype(np.float32),
        axis=axis,
        axis_unit="m/z",
        sample_ids=np.array([f"{names[b]}_fish{p}" for b, p in zip(batch, place, strict=True)]),
        groups=names[batch],
        labels=np.array(labels)[species],
        split=np.full(n, "", dtype="<U1"),
        name=f"reims-{s.seed}",
        truth={
            "latent": latent,
            "species": species.astype(np.float64),
            "species_means": means[None],
            "batch_factor": batch_factor[None],
            "batch_variance": np.full((1, k), s.batch_residual**2),
            "fish_factor": fish_factor[None],
            "fish_variance": np.full((1, k), s.fish_residual**2),
            "peaks": position[None],
        },
    )


def _measure(
    s: Settings,
    latent: NDArray[np.float64],
    position: NDArray[np.float64],
    axis: NDArray[np.float64],
    streams: dict[str, np.random.Generator],
) -> NDArray[np.float64]:
    """From log-profiles ``(N, K)`` to intensities ``(N, L)`` in ions: peak shapes and all nuisances."""
    n = latent.shape[0]
    step = float(axis[1] - axis[0])
    reach = int(np.ceil(_REACH * s.peak_width / step)) + 1
    drift = streams["drift"].normal(scale=s.drift, size=(n, 1))
    total = s.ions or 1e6  # without shot noise only the ratio to the detector's noise matters
    totals: NDArray[np.float64] = total * np.exp(streams["scale"].normal(scale=s.scale_spread, size=n))
    hump = np.exp(-(axis - axis[0]) / (0.3 * (axis[-1] - axis[0])))  # chemical background falls off along m/z
    share: NDArray[np.float64] = s.baseline * np.exp(streams["base"].normal(scale=s.baseline_spread, size=n))
    out = np.empty((n, axis.size))
    for i in range(n):
        centre: NDArray[np.float64] = position + drift[i]
        bins = np.rint((centre - axis[0]) / step).astype(np.int64)[:, None] + np.arange(-reach, reach + 1)
        inside: NDArray[np.bool_] = (bins >= 0) & (bins < axis.size)
        safe = np.clip(bins, 0, axis.size - 1)
        shape = np.exp(-0.5 * ((axis[safe] - centre[:, None]) / s.peak_width) ** 2) * inside
        signal = np.bincount(safe.ravel(), (shape * np.exp(latent[i])[:, None]).ravel(), minlength=axis.size)
        mixed = signal / max(float(signal.sum()), 1e-300) + share[i] * hump / hump.sum()
        expected = totals[i] * mixed / mixed.sum()
        counts = streams["noise"].poisson(expected).astype(np.float64) if s.ions else expected
        out[i] = np.maximum(counts + streams["noise"].normal(scale=s.detector_noise, size=axis.size), 0.0)
    return out
