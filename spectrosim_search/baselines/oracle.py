"""The oracle of simulated data: the log likelihood ratio of two fish, all of the population known.

For latent log-profiles u, v of fish of species s (mean μ), with batch covariance B and fish covariance F, both
Gaussian and the batch effects integrated out::

    same batch:       u + v - 2μ ~ N(0, 4B + 2F),  u - v ~ N(0, 2F),  independent
    different batches: u - μ_u ~ N(0, B + F),       v - μ_v ~ N(0, B + F),  independent

similarity = log p(u, v | same) - log p(u, v | different). It is the ceiling of the population (Neyman and Pearson):
no method that sees the measured spectra does better on average, while on a finite set one may by chance. Fish of two
species cannot share a batch; the likelihood of *same* is then the average over the species their batch might be of,
which is far below that of *different* but finite.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines._contract import BaselineInput, BaselineOutput
from spectrosim_search.config.errors import InputError

__all__ = ["TITLE", "fit_score"]

TITLE = "oracle (simulated data only)"

_NEEDED = ("latent", "species", "species_means", "batch_factor", "batch_variance", "fish_factor", "fish_variance")


class _Gaussian:
    """Zero-mean Gaussian through the eigenvectors of its covariance: x @ root has unit covariance."""

    def __init__(self, covariance: NDArray[np.float64]) -> None:
        value, vector = np.linalg.eigh(covariance)
        self.root = vector / np.sqrt(value)
        self.log_norm = -0.5 * float(np.log(2 * np.pi * value).sum())

    def log_density(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        z = x @ self.root
        return np.asarray(self.log_norm - 0.5 * np.einsum("pk,pk->p", z, z))


def fit_score(data: BaselineInput) -> BaselineOutput:
    """Score every pair by its log likelihood ratio. Raises InputError where the spectra are not simulated."""
    truth = data.spectra.truth
    missing = [name for name in _NEEDED if name not in truth]
    if missing:
        raise InputError("the oracle needs simulated spectra: measured ones do not carry the truth; leave it out")
    means, latent = truth["species_means"][0], truth["latent"]
    species = truth["species"].astype(np.int64)
    batch, fish = (
        truth[f"{name}_factor"][0] @ truth[f"{name}_factor"][0].T + np.diag(truth[f"{name}_variance"][0])
        for name in ("batch", "fish")
    )
    k = means.shape[1]
    total, half_sum, half_difference = _Gaussian(batch + fish), _Gaussian(4 * batch + 2 * fish), _Gaussian(2 * fish)
    alone = total.log_density(latent - means[species])

    def same(u: NDArray[np.float64], v: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
        jacobian = k * np.log(2.0)  # of (u, v) → (u + v, u - v)
        return np.asarray(half_sum.log_density(u + v - 2 * mean) + half_difference.log_density(u - v) + jacobian)

    similarities = []
    for pairs in data.pairs:
        ratio = np.empty(len(pairs))
        for start in range(0, len(pairs), 16_384):
            part = slice(start, start + 16_384)
            left, right = pairs.left[part], pairs.right[part]
            u, v = latent[left], latent[right]
            together = same(u, v, means[species[left]])
            crossed = np.flatnonzero(species[left] != species[right])
            if crossed.size:
                options = np.stack([same(u[crossed], v[crossed], mean) for mean in means])
                together[crossed] = np.logaddexp.reduce(options, axis=0) - np.log(len(means))
            ratio[part] = together - alone[left] - alone[right]
        similarities.append(ratio.astype(np.float32))
    return BaselineOutput(tuple(similarities), "latent log-profiles, population known")
