"""Scores of a stack's replicates after each epoch, and the epochs they choose.

Each half of a replicate's validation groups chooses an epoch for the other half. A half's choice is closed once the
half has not improved for `patience` epochs, also when training goes on for the other half's sake: so a half contributes
nothing to the choice of the epoch it is scored at, not even the length of training.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spectrosim_search.learning.scores import auc, usable_strata
from spectrosim_search.learning.tasks import EvaluationPairs, ReplicateTask

__all__ = ["Choice", "PairTable"]

_DENSE = 2048  # rows up to which all similarities are computed at once
_CHUNK = 1 << 18  # values gathered at a time beyond that
_EQUAL = 1e-12  # scores that differ by less are equal but for rounding


def _padded(arrays: Sequence[NDArray[np.int64]], fill: int) -> Tensor:
    width = max((a.shape[0] for a in arrays), default=0)
    out = np.full((len(arrays), width), fill, dtype=np.int64)
    for row, array in enumerate(arrays):
        out[row, : array.shape[0]] = array
    return torch.from_numpy(out)


class PairTable:
    """Pairs to score, the same number of parts (two halves, or one test) for every replicate of a stack.

    `rows` ``(R, V)`` are the spectra needed, padded by repeating a needed one.
    """

    def __init__(
        self, parts: Sequence[Sequence[EvaluationPairs]], metrics: Sequence[str], device: torch.device
    ) -> None:
        """Prepare for the parts of each replicate; row numbers are the replicate's own."""
        needed = [np.unique(np.concatenate([a for p in own for a in (p.left, p.right)])) for own in parts]
        needed = [n if n.size else np.zeros(1, dtype=np.int64) for n in needed]  # a part without pairs is allowed
        self.counts = [tuple(p.left.shape[0] for p in own) for own in parts]
        self.own = [n.shape[0] for n in needed]
        self.parts = len(parts[0])
        self.rows = _padded(needed, -1)
        self.rows = torch.where(self.rows < 0, self.rows[:, :1], self.rows).to(device)
        flat = [(p, n, m) for own, n, m in zip(parts, needed, metrics) for p in own]
        strata = [usable_strata(p.positive, p.stratum, m) for p, _, m in flat]
        self._strata = 1 + max((int(s.max(initial=-1)) for s in strata), default=-1)
        self._left = self._shaped([np.searchsorted(n, p.left) for p, n, _ in flat], 0, device)
        self._right = self._shaped([np.searchsorted(n, p.right) for p, n, _ in flat], 0, device)
        self._positive = self._shaped([p.positive.astype(np.int64) for p, _, _ in flat], 0, device) == 1
        marked = [np.where(s < 0, self._strata, s) for s in strata]
        self._stratum = self._shaped(marked, self._strata, device)

    def _shaped(self, arrays: Sequence[NDArray[np.int64]], fill: int, device: torch.device) -> Tensor:
        table = _padded(arrays, fill)
        return table.view(len(arrays) // self.parts, self.parts, table.shape[1]).to(device)

    def keep(self, rows: list[int]) -> None:
        """Drop all replicates but `rows`."""
        self.counts, self.own = [self.counts[r] for r in rows], [self.own[r] for r in rows]
        for name in ("rows", "_left", "_right", "_positive", "_stratum"):
            setattr(self, name, getattr(self, name)[rows])

    def similarities(self, z: Tensor, own: bool = False) -> Tensor:
        """Return similarities ``(R, parts, P)`` from what is compared, z ``(R, V, D)``; of no meaning behind a part's
        own pairs.

        own: z are rows of :mod:`spectrosim_search.learning.comparison`; else they are compared by cosine.
        """
        unit = z[..., :-1] if own else torch.nn.functional.normalize(z, dim=-1, eps=1e-8)
        replicates, size = unit.shape[:2]
        left, right = self._left.flatten(1), self._right.flatten(1)
        if size <= _DENSE:
            flat = (unit @ unit.transpose(1, 2)).flatten(1).gather(1, left * size + right)
        else:
            step = max(1, _CHUNK // (replicates * unit.shape[2]))
            index = torch.arange(replicates, device=z.device).unsqueeze(1)
            pieces = [
                (unit[index, left[:, at : at + step]] * unit[index, right[:, at : at + step]]).sum(dim=-1)
                for at in range(0, left.shape[1], step)
            ]
            flat = torch.cat(pieces, dim=1)
        if own:
            flat = flat + z[..., -1].gather(1, left) + z[..., -1].gather(1, right)
        return flat.view(replicates, self.parts, -1)

    def scores(self, similarity: Tensor) -> Tensor:
        """Return the score of each part, float64 ``(R, parts)``; NaN where a part lacks positives or negatives."""
        clean = torch.nan_to_num(similarity, nan=0.0, posinf=0.0, neginf=0.0).flatten(0, 1)
        flat = auc(clean, self._positive.flatten(0, 1), self._stratum.flatten(0, 1), self._strata)
        return flat.view(-1, self.parts)


def _mean(scores: tuple[float, float]) -> float:
    defined = [s for s in scores if not math.isnan(s)]
    return sum(defined) / len(defined) if defined else math.nan


class Choice:
    """Which epoch each half of one replicate has chosen, from that half's scores alone."""

    def __init__(self, task: ReplicateTask) -> None:
        """Start before training."""
        self._patience = task.configuration.training.patience
        self._last = task.configuration.training.checkpoint == "last"
        self._best = [-math.inf, -math.inf]
        self.epochs = [0, 0]
        self.open = [True, True]
        self.curve: list[tuple[float, float]] = []

    def update(self, epoch: int, scores: tuple[float, float]) -> tuple[bool, bool]:
        """Take the scores of the two halves after an epoch; return which of them chose it.

        The first of equal epochs is kept. A half whose score is undefined cannot choose and keeps the latest epoch; so
        do both where the end of the schedule counts.
        """
        self.curve.append(scores)
        chosen = []
        for half, score in enumerate(scores):
            better = self.open[half] and (self._last or math.isnan(score) or score > self._best[half] + _EQUAL)
            if better:
                self.epochs[half] = epoch
                self._best[half] = score if not math.isnan(score) else -math.inf
            elif epoch - self.epochs[half] >= self._patience:
                self.open[half] = False
            chosen.append(bool(better))
        return chosen[0], chosen[1]

    @property
    def latest(self) -> float:
        """Mean of the halves' scores after the last epoch, of those defined; NaN where none is."""
        return _mean(self.curve[-1])

    @property
    def best(self) -> float:
        """Best mean of the halves' scores so far; NaN while undefined."""
        return max((m for m in map(_mean, self.curve) if not math.isnan(m)), default=math.nan)
