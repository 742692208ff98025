"""Simulated methods: latent spectra whose cosine is the similarity."""

from __future__ import annotations

import numpy as np

from spectrosim_search.config.study import Protocol
from spectrosim_search.evaluation.scores import PairScores
from spectrosim_search.evaluation.verification import choose_threshold
from spectrosim_search.protocol.design import make_design


def design_of(groups, size=3, **protocol):
    names = np.repeat([f"g{i:03d}" for i in range(groups)], size)
    labels = np.repeat(["a", "b"] * (groups // 2) + ["a"] * (groups % 2), size)
    return make_design(names, labels, np.full(len(names), ""), Protocol(**protocol))


def latent(design, rng, signal=1.0, dimensions=8):
    """Group effect of size `signal` plus noise of size one, `(N, dimensions)`."""
    effects = signal * rng.normal(size=(int(design.groups.max()) + 1, dimensions))
    return effects[design.groups] + rng.normal(size=(len(design.groups), dimensions))


def scored(pairs, x, noise=0.0, rng=None, choosing=None):
    """PairScores of cosine similarity; threshold from other pairs."""
    z = x / np.linalg.norm(x, axis=1, keepdims=True)

    def similarity(p):
        s = (z[p.left] * z[p.right]).sum(axis=1)
        return s + noise * rng.normal(size=len(s)) if noise else s

    threshold = float("nan") if choosing is None else choose_threshold(similarity(choosing), choosing.positive)
    s = similarity(pairs).astype(np.float32)
    return PairScores(pairs.left, pairs.right, pairs.positive, pairs.stratum, s, threshold)


def method(design, x, seeds=2, noise=0.0, rng=None):
    cells = []
    for cell in design.cells(seeds):
        a, b = design.split(cell.fold, cell.seed).halves
        cells.append((scored(a, x, noise, rng, b), scored(b, x, noise, rng, a)))
    return cells
