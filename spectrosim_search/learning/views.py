"""From batch positions to views, and which views count as the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType

import torch
from torch import Tensor

from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Configuration
from spectrosim_search.learning.components import settings_of, varying
from spectrosim_search.learning.randomness import RowStream, Stream

__all__ = ["Augmenter", "Relations", "compare"]

_FIRST_USE, _USES_EACH, _KINDS = 192, 8, 8


class Augmenter:
    """The augmentation policy of a stack: the same kinds everywhere, probabilities and strengths per replicate."""

    def __init__(self, configurations: Sequence[Configuration]) -> None:
        """Prepare for one configuration a replicate; kinds apply in the order of their names."""
        policies = [sorted(c.augmentations, key=lambda a: a.type) for c in configurations]
        self._kinds: list[tuple[ModuleType, list[float], list[float]]] = []
        for same in zip(*policies):
            settings = [varying(settings_of("augmentations", a)) for a in same]
            module = registry.load("learning.augmentations", same[0].type)
            self._kinds.append(
                (module, [s["probability"] for s in settings], [s.get("strength", 0.0) for s in settings])
            )
        if len(self._kinds) > _KINDS:
            raise ValueError(f"{len(self._kinds)} augmentations, at most {_KINDS} have randomness of their own")

    def keep(self, rows: list[int]) -> None:
        """Drop all replicates but `rows`."""
        self._kinds = [(m, [p[r] for r in rows], [s[r] for r in rows]) for m, p, s in self._kinds]

    def __call__(self, x: Tensor, stream: Stream) -> Tensor:
        """Return changed spectra x ``(R, M, L)``; each kind changes each row with its replicate's probability."""
        replicates, rows = x.shape[:2]
        for number, (module, probability, strength) in enumerate(self._kinds):
            if not any(probability):
                continue
            random = RowStream(stream, rows, _FIRST_USE + _USES_EACH * number)
            share = x.new_tensor(probability).view(replicates, 1, 1)
            changed = module.apply(x, x.new_tensor(strength).view(replicates, 1, 1), random)
            x = torch.where(random.uniform(1) < share, changed, x)
        return x


class Relations:
    """What is known of any two rows of a stack's data: 1 same, 0 different, -1 unknown."""

    def __init__(self, codes: Tensor, known: Mapping[int, tuple[Tensor, int]], owner: list[int]) -> None:
        """Prepare for group codes ``(N,)`` over all data sets laid behind each other.

        `known` maps a data set's number to its relation ``(n, n)`` and its first row, where one is given; `owner` names
        the data set of each replicate.
        """
        self._codes, self._known, self._owner = codes, known, owner

    def keep(self, rows: list[int]) -> None:
        """Drop all replicates but `rows`."""
        self._owner = [self._owner[r] for r in rows]

    def __call__(self, rows: Tensor) -> Tensor:
        """Return int8 ``(R, B, B)`` for row numbers ``(R, B)``. Rows without a group (code below 0) are unknown."""
        codes = self._codes[rows]
        left, right = codes.unsqueeze(2), codes.unsqueeze(1)
        out = torch.where((left < 0) | (right < 0), -1, (left == right).to(torch.int8))
        for replicate, owner in enumerate(self._owner):
            if owner in self._known:
                matrix, first = self._known[owner]
                own = rows[replicate] - first
                out[replicate] = matrix[own.unsqueeze(1), own.unsqueeze(0)]
        return out


def compare(rows: Tensor, relation: Tensor | None, source: str, group_weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return weights of positives ``(R, M, M)`` and a mask of negatives for the views of a batch.

    rows: ``(R, B)`` spectra; M = B for the source "groups", else 2 B with the second views behind the first. relation:
    ``(R, B, B)``, or None where nothing is known (source "views"). group_weight: ``(R,)``. Copies of one spectrum are
    never negatives, neither are unknown relations; two slots of one spectrum are no positives either. With the source
    "views" only the two views of a slot are positives and all other spectra negatives, whatever their groups.
    """
    other = rows.unsqueeze(2) != rows.unsqueeze(1)
    positive = torch.zeros(other.shape, dtype=group_weight.dtype, device=rows.device)
    if source == "views":
        negative = other if relation is None else other & (relation != -1)
    else:
        assert relation is not None
        positive = torch.where(other & (relation == 1), group_weight.view(-1, 1, 1), positive)
        negative = other & (relation == 0)
    if source == "groups":
        return positive, negative
    positive, negative = positive.repeat(1, 2, 2), negative.repeat(1, 2, 2)
    size = rows.shape[1]
    positive.diagonal(size, 1, 2).fill_(1.0)
    positive.diagonal(-size, 1, 2).fill_(1.0)
    return positive, negative
