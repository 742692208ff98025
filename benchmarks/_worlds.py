"""Simulated worlds with known truth: models that are fixed, groups that are new each time.

A spectrum is a point in 24 dimensions: its group's effect (size `signal` in each dimension) plus noise of size one. A
model is a weighting of the dimensions; its similarity is the cosine of the weighted points. Models that use as many
dimensions of equal signal are of exactly equal worth and differ in the groups they are lucky with.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.study import Protocol
from spectrosim_search.evaluation.scores import PairScores
from spectrosim_search.protocol.design import Design, make_design
from spectrosim_search.protocol.pairs import PairSet

__all__ = ["CASES", "World", "design_of", "trained", "world"]

Array = NDArray[np.float64]
Cells = list[tuple[PairScores, PairScores]]

DIMENSIONS, USED, SIGNAL = 24, 6, 0.8
FRESH = 2001  # groups that the truth is read off
CASES = {
    "none": "no model sees a batch",
    "equal": "all of equal worth, little in common",
    "alike": "all of equal worth, most in common",
    "high": "all of equal worth near .98",
    "one": "one is better",
    "scattered": "worth from near chance to .8",
    "rivals": "two of equal worth, the others worse",
}


@functools.cache
def design_of(groups: int, shape: str) -> Design:
    """Groups of 3 in two labels (`plain`), or `tablets`: groups of 10 in four labels, as many as make three folds of
    one group a label, where labels match only because one group in six holds spectra of a second label."""
    if shape == "tablets":
        names = np.repeat([f"g{i:04d}" for i in range(groups)], 10)
        labels = np.array(["ABCD"[i // 3 % 4] for i in range(groups)])[np.repeat(np.arange(groups), 10)]
        for first in range(0, groups, 12):
            labels[10 * (first + 4) + 8 : 10 * (first + 5)] = "C"
            labels[10 * (first + 5) + 9] = "C"
    else:
        names = np.repeat([f"g{i:04d}" for i in range(groups)], 3)
        labels = np.repeat(["ab"[i % 2] for i in range(groups)], 3)
    return make_design(names, labels, np.full(len(names), ""), Protocol(scoring="corrected-cv"))


@dataclass(frozen=True, eq=False)
class World:
    """signal ``(D,)``; models ``(T, cells, D)`` weights, one for all cells where training changes nothing; worth
    ``(T,)``: each model's mean AUC on 2,001 fresh groups."""

    signal: Array
    models: Array
    worth: Array

    def cells(self, design: Design, seeds: int, rng: np.random.Generator) -> list[Cells]:
        """What each model says of new groups laid out as `design`."""
        effects = self.signal * rng.normal(size=(len(design.codes.group_names), DIMENSIONS))
        x = effects[design.groups] + rng.normal(size=(len(design.groups), DIMENSIONS))
        splits = [design.split(c.fold, c.seed).halves for c in design.cells(seeds)]
        out = []
        for models in self.models:
            z = [_unit(x * model) for model in models]
            out.append([(_scored(a, z[i % len(z)]), _scored(b, z[i % len(z)])) for i, (a, b) in enumerate(splits)])
        return out


def _unit(x: Array) -> Array:
    scaled: Array = x / np.linalg.norm(x, axis=1, keepdims=True)
    return scaled


def _scored(p: PairSet, z: Array) -> PairScores:
    similarity = (z[p.left] * z[p.right]).sum(axis=1).astype(np.float32)
    return PairScores(p.left, p.right, p.positive, p.stratum, similarity, float("nan"))


@functools.cache
def world(case: str, models: int) -> World:
    """The same models for every repetition. Raises KeyError for an unknown case."""
    rng = np.random.default_rng([len(CASES[case]), models])
    size = {"none": 0.0, "high": 2.5}.get(case, SIGNAL)
    signal = np.linspace(0.0, 2.0 * SIGNAL, DIMENSIONS) if case == "scattered" else np.full(DIMENSIONS, size)
    weights = np.zeros((models, DIMENSIONS))
    for number, row in enumerate(weights):
        if case == "alike":
            row[:8] = 1.0
            row[8 + rng.choice(DIMENSIONS - 8, 2, replace=False)] = 0.7
        else:
            used = int(rng.integers(1, USED)) if case == "rivals" and number > 1 else USED
            row[rng.choice(DIMENSIONS - 4, used, replace=False)] = 1.0
    if case == "one":
        weights[0, -4:] = 1.0
    worth = np.array([_worth(signal, row) for row in weights])
    if case in ("none", "equal", "alike", "high"):
        worth[:] = 0.5 if case == "none" else worth.mean()
    if case == "rivals":
        worth[:2] = worth[:2].mean()
    return World(signal, weights[:, None], worth)


@functools.cache
def trained(case: str, models: int, cells: int) -> World:
    """The same, every model trained anew for each of `cells` cells: its weights are multiplied by the exponential of
    Gaussian noise of size .5, once and for all."""
    known = world(case, models)
    noise = np.random.default_rng([len(CASES[case]), models, cells]).normal(size=(models, cells, DIMENSIONS))
    weights = known.models * np.exp(0.5 * noise)
    worth = np.array([np.mean([_worth(known.signal, row) for row in rows]) for rows in weights])
    return World(known.signal, weights, worth)


def _worth(signal: Array, model: Array) -> float:
    rng = np.random.default_rng(7)
    groups = np.repeat(np.arange(FRESH), 3)
    x = (signal * rng.normal(size=(FRESH, DIMENSIONS)))[groups] + rng.normal(size=(len(groups), DIMENSIONS))
    z = _unit(x * model)
    left, right = rng.integers(0, len(groups), (2, 200_000))
    apart = groups[left] != groups[right]
    different = np.sort((z[left[apart]] * z[right[apart]]).sum(axis=1))
    i, j = np.triu_indices(3, 1)
    first = np.arange(0, len(groups), 3)[:, None]
    same = (z[first + i] * z[first + j]).sum(axis=2).ravel()
    return float(np.searchsorted(different, same).mean() / len(different))
