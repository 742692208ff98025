"""From batch positions to views, and which views count as the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Configuration
from spectrosim_search.learning.components import settings_of, varying
from spectrosim_search.learning.fitting import Fitter
from spectrosim_search.learning.randomness import RowStream, Stream

__all__ = ["Augmenter", "Relations", "Scene", "compare", "relate"]

_USES_EACH, _KINDS, _POLICY_USE = 8, 30, 248  # of the 256 uses of a stream of their own


@dataclass(frozen=True, eq=False)
class Scene:
    """What an augmentation may look at beside the spectra it changes.

    axis: ``(R, L)`` in the data's unit. fitted: what the kind's own ``fit`` gave, ``(R, …)`` by name.
    """

    axis: Tensor
    fitted: Mapping[str, Tensor]
    _partners: Callable[[Tensor], Tensor]

    def partners(self, random: RowStream) -> Tensor:
        """Return for every row another training spectrum of its group ``(R, M, L)``, its own where there is none."""
        return self._partners(random.uniform(1).squeeze(-1))


@dataclass
class _Kind:
    module: ModuleType
    settings: Any
    strength: Tensor  # (R, 1, 1)
    fitted: dict[str, Tensor]


class Augmenter:
    """The augmentation policy of a stack: the same kinds everywhere; probabilities, strengths and how many at once per
    replicate."""

    def __init__(
        self, configurations: Sequence[Configuration], fitter: Fitter, dtype: torch.dtype, device: torch.device
    ) -> None:
        """Prepare for one configuration a replicate; kinds apply in the order of their names."""
        policies = [sorted(c.augmentations, key=lambda a: a.type) for c in configurations]
        self._kinds: list[_Kind] = []
        shares = []
        for same in zip(*policies):
            settings = [settings_of("augmentations", a) for a in same]
            changing = [varying(s) for s in settings]
            module = registry.load("learning.augmentations", same[0].type)
            fitted = fitter(module.fit, settings, dtype) if hasattr(module, "fit") else {}
            strength = torch.tensor([s.get("strength", 0.0) for s in changing], dtype=dtype, device=device)
            self._kinds.append(
                _Kind(module, settings[0], strength.view(-1, 1, 1), {n: v.to(device) for n, v in fitted.items()})
            )
            shares.append([s["probability"] for s in changing])
        if len(self._kinds) > _KINDS:
            raise ValueError(f"{len(self._kinds)} augmentations, at most {_KINDS} have randomness of their own")
        # kept on the host too: what is asked of them there must not wait for a GPU
        self._share = torch.tensor(shares).view(len(shares), len(configurations))
        self._at_once = [c.training.augmentations_at_once for c in configurations]
        self._device = device
        self._place()

    def _place(self) -> None:
        """Bring probabilities ``(R, 1, kinds)`` and limits ``(R, 1, 1)`` to the device."""
        self._probability = self._share.T.unsqueeze(1).to(self._device)
        most = [limit or len(self._kinds) for limit in self._at_once]
        self._most = torch.tensor(most, device=self._device).view(-1, 1, 1)

    def __bool__(self) -> bool:
        return bool((self._share > 0).any())

    @property
    def wants_partners(self) -> bool:
        """Whether any kind looks at other spectra of the group."""
        return any(getattr(kind.module, "PARTNERS", False) for kind in self._kinds)

    def keep(self, rows: list[int]) -> None:
        """Drop all replicates but `rows`."""
        self._share, self._at_once = self._share[:, rows], [self._at_once[r] for r in rows]
        self._place()
        for kind in self._kinds:
            kind.strength = kind.strength[rows]
            kind.fitted = {n: v[rows] for n, v in kind.fitted.items()}

    def __call__(self, x: Tensor, stream: Stream, axis: Tensor, partners: Callable[[Tensor], Tensor]) -> Tensor:
        """Return changed spectra x ``(R, M, L)``; each kind changes each row with its replicate's probability.

        Where a replicate limits the kinds at once, a row that more of them would change is changed by so many of them,
        drawn anew for every row, each as likely as the others. partners: from numbers in [0, 1) ``(R, M)`` to other
        spectra of the same groups ``(R, M, L)``. On a processor a single replicate computes a kind for the rows that it
        changes alone; randomness belongs to the row, so the result is the same but for rounding.
        """
        if not self:
            return x
        chosen = self._chosen(RowStream(stream, x.shape[1], _POLICY_USE))
        alone = x.shape[0] == 1 and x.device.type == "cpu"
        for number, kind in enumerate(self._kinds):
            if not bool((self._share[number] > 0).any()):
                continue
            own = chosen[..., number]
            # a stack's replicates choose other rows each, and how many they are would have to wait for a GPU
            picked = own[0].nonzero().squeeze(1) if alone and not getattr(kind.module, "WHOLE", False) else None
            random = RowStream(stream, x.shape[1], _USES_EACH * number)
            if picked is None or picked.numel() == x.shape[1]:
                scene = Scene(axis, kind.fitted, partners)
                x = torch.where(own.unsqueeze(-1), kind.module.apply(kind.settings, x, kind.strength, random, scene), x)
            elif picked.numel():
                random.picked = picked
                scene = Scene(axis, kind.fitted, _of_picked(partners, picked, x.shape[1]))
                changed = kind.module.apply(kind.settings, x[:, picked], kind.strength, random, scene)
                x = x.index_copy(1, picked, changed)
        return x

    def _chosen(self, random: RowStream) -> Tensor:
        """Return which kinds change which rows, ``(R, M, kinds)``."""
        count = len(self._kinds)
        chosen = random.uniform(count) < self._probability
        if any(self._at_once):
            # in a random order of the kinds that would change a row, all others behind them, the first ones do
            order = torch.where(chosen, random.uniform(count), 1.0).argsort(dim=-1, stable=True)
            chosen &= order.argsort(dim=-1) < self._most
        return chosen


def _of_picked(partners: Callable[[Tensor], Tensor], picked: Tensor, rows: int) -> Callable[[Tensor], Tensor]:
    """Partners of some of the rows, from their own numbers ``(1, m)``."""

    def chosen(uniform: Tensor) -> Tensor:
        return partners(uniform.new_zeros(1, rows).index_copy(1, picked, uniform))[:, picked]

    return chosen


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

    def __call__(self, rows: Tensor, others: Tensor | None = None) -> Tensor:
        """Return int8 ``(R, B, C)`` for row numbers ``(R, B)`` and ``(R, C)``, without others ``(R, B, B)``.

        Rows without a group (code below 0) are unknown.
        """
        others = rows if others is None else others
        left, right = self._codes[rows].unsqueeze(2), self._codes[others].unsqueeze(1)
        out = torch.where((left < 0) | (right < 0), -1, (left == right).to(torch.int8))
        for replicate, owner in enumerate(self._owner):
            if owner in self._known:
                matrix, first = self._known[owner]
                # places of a queue that are not filled yet point before the data set; they are masked later
                own, their = rows[replicate] - first, (others[replicate] - first).clamp(min=0)
                out[replicate] = matrix[own.unsqueeze(1), their.unsqueeze(0)]
        return out


def relate(
    rows: Tensor, others: Tensor, relation: Tensor | None, source: str, group_weight: Tensor
) -> tuple[Tensor, Tensor]:
    """Return weights of positives and a mask of negatives ``(R, B, C)`` between rows ``(R, B)`` and ``(R, C)``.

    relation: ``(R, B, C)``, or None where nothing is known (source "views"). group_weight: ``(R,)``. Copies of one
    spectrum are neither, and so are unknown relations. With the source "views" all other spectra are negatives,
    whatever their groups.
    """
    other = rows.unsqueeze(2) != others.unsqueeze(1)
    positive = torch.zeros(other.shape, dtype=group_weight.dtype, device=rows.device)
    if source == "views":
        return positive, other if relation is None else other & (relation != -1)
    assert relation is not None
    return torch.where(other & (relation == 1), group_weight.view(-1, 1, 1), positive), other & (relation == 0)


def compare(rows: Tensor, relation: Tensor | None, source: str, group_weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return weights of positives ``(R, M, M)`` and a mask of negatives for the views of a batch.

    rows: ``(R, B)`` spectra; M = B for the source "groups", else 2 B with the second views behind the first. relation
    ``(R, B, B)`` and group_weight as in :func:`relate`. The two views of a slot are positives of weight 1; two slots of
    one spectrum are neither positives nor negatives.
    """
    positive, negative = relate(rows, rows, relation, source, group_weight)
    if source == "groups":
        return positive, negative
    positive, negative = positive.repeat(1, 2, 2), negative.repeat(1, 2, 2)
    size = rows.shape[1]
    positive.diagonal(size, 1, 2).fill_(1.0)
    positive.diagonal(-size, 1, 2).fill_(1.0)
    return positive, negative
