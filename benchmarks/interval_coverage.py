"""Do the intervals cover, and does the selection correction hit? Simulated similarities with known truth.

Run: ``python -m benchmarks.interval_coverage [--runs 200]``. Prints, per number of groups, the spread of the score over
simulated studies, the mean jackknife standard error, the share of 95 % intervals that hold the truth (one AUC, and the
difference of two methods of equal worth), then the bias of the best of 20 trials before and after correction.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.study import Protocol
from spectrosim_search.evaluation.scores import PairScores
from spectrosim_search.evaluation.statistics import bbc, jackknife, paired_difference
from spectrosim_search.evaluation.verification import auc
from spectrosim_search.protocol.design import Design, make_design
from spectrosim_search.protocol.pairs import PairSet

SIZE, DIMENSIONS, SIGNAL = 3, 8, 0.9
Array = NDArray[np.float64]
Cells = list[tuple[PairScores, PairScores]]


def design_of(groups: int) -> Design:
    names = np.repeat([f"g{i:04d}" for i in range(groups)], SIZE)
    labels = np.repeat(["a", "b"] * (groups // 2), SIZE)
    return make_design(names, labels, np.full(len(names), ""), Protocol(scoring="corrected-cv"))


def latent(design: Design, rng: np.random.Generator, signal: float = SIGNAL) -> Array:
    effects = signal * rng.normal(size=(len(design.codes.group_names), DIMENSIONS))
    out: Array = effects[design.groups] + rng.normal(size=(len(design.groups), DIMENSIONS))
    return out


def scored(design: Design, x: Array, seeds: int) -> Cells:
    z = x / np.linalg.norm(x, axis=1, keepdims=True)

    def part(p: PairSet) -> PairScores:
        similarity = (z[p.left] * z[p.right]).sum(axis=1).astype(np.float32)
        return PairScores(p.left, p.right, p.positive, p.stratum, similarity, float("nan"))

    splits = [design.split(c.fold, c.seed) for c in design.cells(seeds)]
    return [(part(s.halves[0]), part(s.halves[1])) for s in splits]


def population(rng: np.random.Generator, noise: float = 0.0) -> float:
    """AUC over very many groups."""
    design = design_of(1200)
    x = latent(design, rng)
    cells = scored(design, x + noise * rng.normal(size=x.shape), 1)
    return float(np.mean([auc(p.similarity, p.positive) for cell in cells for p in cell]))


def intervals(groups: Sequence[int], seeds: int, runs: int) -> None:
    rng = np.random.default_rng(0)
    truth = population(rng)
    print(f"\nIntervals, AUC {truth:.3f}, groups of {SIZE}, {seeds} seeds, {runs} studies")
    print("groups  metric        sd     se     holds truth   difference: sd     se     holds 0")
    for count in groups:
        design = design_of(count)
        for metric in ("auc", "matched_auc"):
            singles, pairs = [], []
            for _ in range(runs):
                x = latent(design, rng)
                a, b = (scored(design, x + 0.5 * rng.normal(size=x.shape), seeds) for _ in range(2))
                singles.append(jackknife(scored(design, x, seeds), design.units, metric))
                pairs.append(paired_difference(a, b, design.units, metric).estimate)
            sd, sd_pair = (float(np.std([e.value for e in found])) for found in (singles, pairs))
            se, se_pair = (float(np.sqrt(np.mean([e.standard_error**2 for e in found]))) for found in (singles, pairs))
            holds = np.mean([e.low <= truth <= e.high for e in singles])
            holds_pair = np.mean([e.low <= 0 <= e.high for e in pairs])
            print(
                f"{count:6d}  {metric:12s}  {sd:.3f}  {se:.3f}  {holds:11.3f}   "
                f"{sd_pair:14.3f}  {se_pair:.3f}  {holds_pair:8.3f}"
            )


def selection(groups: Sequence[int], seeds: int, runs: int, trials: int = 20) -> None:
    rng = np.random.default_rng(1)
    print(f"\nBest of {trials} trials, {seeds} seeds, {runs} studies: mean score minus true worth of the chosen")
    print("groups  trials        as found   plain BBC   corrected")
    for spread, name in ((0.0, "equal worth"), (1.0, "from .6 to .8")):
        noises = 1.0 + spread * np.linspace(-1.0, 1.0, trials)
        if spread:
            places = np.linspace(noises[0], noises[-1], 5)
            truths = np.interp(noises, places, [population(rng, float(n)) for n in places])
        else:
            truths = np.full(trials, population(rng, 1.0))
        for count in groups:
            design = design_of(count)
            rows = []
            for _ in range(runs):
                x = latent(design, rng)
                noisy = [x + n * rng.normal(size=x.shape) for n in noises]
                methods = {str(i): scored(design, z, seeds) for i, z in enumerate(noisy)}
                found = bbc(methods, design.units, "auc", repeats=200)
                true = truths[int(found.best)]
                rows.append((found.full - true, found.plain - true, found.estimate - true))
            raw, plain, corrected = np.mean(rows, axis=0)
            print(f"{count:6d}  {name:12s}  {raw:+9.3f}   {plain:+9.3f}   {corrected:+9.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    runs = parser.parse_args().runs
    intervals((8, 12, 24), 4, runs)
    selection((12, 24), 2, max(10, runs // 4))


if __name__ == "__main__":
    main()
