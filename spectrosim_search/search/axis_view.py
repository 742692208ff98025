"""Where along the axis the winner looks, and whether that can be believed.

Attributions are of the similarity of same-batch pairs that every shown model called the same, out of fold, at the
*preprocessed* spectra: derivatives and scaling are part of what the model sees. The baseline of a spectrum is one of
another group, of the same label where there is one: what makes the pair more alike than spectra of two batches are.
(The mean spectrum will not do: a linear metric embeds it at the origin, where a cosine has no value.)

Two checks: models that differ in their training seed alone should agree (rank correlation of their mean attributions),
and models whose weights were shuffled should not agree with them (Adebayo et al. 2018).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.evaluation.scores import PairScores
from spectrosim_search.search.records import AxisView
from spectrosim_search.search.shown import ShownModel

__all__ = ["SEEDS", "axis_view"]

SEEDS = 3  # models that are compared with each other
_PAIRS = 32  # pairs that are averaged over; each is read from both sides
_LEAST = 4
_STEPS = 32


def axis_view(models: Sequence[ShownModel]) -> AxisView | None:
    """Mean attributions over the pairs that all models found; None where these are fewer than four."""
    import torch

    from spectrosim_search.learning.attribution import grad_cam, integrated_gradients, shuffled
    from spectrosim_search.learning.network import Network

    chosen = _chosen(models)
    if len(chosen) < _LEAST:
        return None
    left, right, other = np.array(chosen).T
    rows, partners = np.concatenate([left, right]), np.concatenate([right, left])
    baselines = np.concatenate([other, other])
    gradients, random, maps, gaps = [], [], [], []
    for seed, model in enumerate(models):
        x = model.data.spectra
        given = x[rows], x[partners], x[baselines]
        device = torch.device("cpu")
        network = Network(model.configuration, model.parameters, model.data.axis, device)
        attributed, change = integrated_gradients(network, *given, steps=_STEPS)
        gradients.append(attributed.mean(axis=0))
        gaps.append(float(np.abs(attributed.sum(axis=1) - change).mean() / max(float(np.abs(change).mean()), 1e-12)))
        activation = grad_cam(network, given[0], given[1])
        if activation is not None:
            maps.append(activation.mean(axis=0))
        blind = Network(model.configuration, shuffled(model.parameters, seed), model.data.axis, device)
        random.append(integrated_gradients(blind, *given, steps=_STEPS)[0].mean(axis=0))
    first = models[0]
    channels = len(first.data.axis)
    return AxisView(
        axis=first.data.axis.astype(np.float64),
        spectrum=first.data.spectra[first.rows].mean(axis=0).astype(np.float32),
        gradients=np.array(gradients, dtype=np.float32),
        shuffled=np.array(random, dtype=np.float32),
        activations=np.array(maps, dtype=np.float32).reshape(len(maps), channels),
        gap=float(np.mean(gaps)),
        pairs=len(chosen),
    )


def _chosen(models: Sequence[ShownModel]) -> list[tuple[int, int, int]]:
    """(left, right, baseline row) of up to 32 same-batch pairs that every model called the same, spread evenly.

    The baselines are taken in turn from the partners of the left spectrum's different-batch pairs.
    """
    if not models:
        return []
    found = [{pair for p in m.pairs for pair in _called(p)} for m in models]
    common = sorted(set.intersection(*found))
    out: list[tuple[int, int, int]] = []
    for place in np.unique(np.linspace(0, max(len(common) - 1, 0), _PAIRS).astype(int)) if common else ():
        a, b = common[place]
        others = _others(models[0].pairs, a)
        if len(others):
            out.append((a, b, int(others[len(out) % len(others)])))
    return out


def _called(p: PairScores) -> list[tuple[int, int]]:
    kept = p.positive & (p.similarity >= p.threshold)
    return list(zip(p.left[kept].tolist(), p.right[kept].tolist()))


def _others(pairs: Sequence[PairScores], row: int) -> NDArray[np.int64]:
    """Spectra of other groups that `row` was judged against, those of the same label if there are any."""
    rows: list[NDArray[np.int64]] = []
    strata: list[NDArray[np.int64]] = []
    own: set[int] = set()
    for p in pairs:
        mine = (p.left == row) | (p.right == row)
        own |= set(p.stratum[mine & p.positive].tolist())
        kept = mine & ~p.positive
        rows.append(np.where(p.left[kept] == row, p.right[kept], p.left[kept]))
        strata.append(p.stratum[kept])
    every, stratum = np.concatenate(rows), np.concatenate(strata)
    same = np.isin(stratum, list(own))
    return np.unique(every[same] if same.any() else every)
