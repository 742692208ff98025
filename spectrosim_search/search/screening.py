"""Screening: cheap trials that vary a few keys alone, then trials that go on from the best of them.

A study whose base costs next to nothing (a whitened encoder that is fitted and not trained takes milliseconds) can
look at many settings of preprocessing first. The search proper starts from the best of these and no longer sees them:
there are many, near each other, and a sampler that learnt from them would go on proposing the like.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from spectrosim_search.config.configuration import Scalar
from spectrosim_search.config.study import Dimension, Study
from spectrosim_search.search.documents.layers import Layers, complete

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

__all__ = ["Screening"]


class Screening:
    """What the slots of a study are asked for: known good trials, screening, going on from the best, the search."""

    def __init__(self, study: Study) -> None:
        """Lay out the slots; see :class:`~spectrosim_search.config.study.Screening`."""
        self._study = study
        self._layers = Layers(base=dict(study.base), vary={d.path: d for d in study.dimensions})
        self._first = len(study.known_good)
        self._last = self._first + study.screening.trials
        self._still = complete(study.dimensions, {}, self._layers)
        self._moving = {d.path for d in study.dimensions if self._varies(d)}

    def _varies(self, dimension: Dimension) -> bool:
        screening = self._study.screening
        return any(screening.means(key, [dimension.path]) for key in screening.vary)

    @property
    def active(self) -> bool:
        """Whether the study screens at all."""
        return self._study.screening.trials > 0

    def fixed(self, slot: int) -> dict[str, Scalar]:
        """What a trial of this slot has in common with all screened ones; empty outside the screening."""
        if not self._first <= slot < self._last:
            return {}
        # what a varied key switches on has no value in the base yet: its own default
        values = {d.path: self._still.get(d.path, self._default(d)) for d in self._study.dimensions}
        return {path: value for path, value in values.items() if path not in self._moving}

    def _default(self, dimension: Dimension) -> Scalar:
        alone = complete([replace(dimension, when=())], {}, self._layers)
        return alone[dimension.path]

    def enqueued(self, slot: int, trials: Iterable[FrozenTrial]) -> dict[str, Scalar] | None:
        """Parameters that a slot is to have, None where the sampler decides; `trials` are all so far."""
        if slot < self._first:
            return dict(self._study.known_good[slot])
        place = slot - self._last
        climb = self._study.climb
        if not self.active or not 0 <= place < len(climb) * self._study.screening.starts:
            return None
        number, way = divmod(place, len(climb))
        starts = self.starts(trials)
        if number >= len(starts):
            return None
        return complete(self._study.dimensions, {**starts[number].params, **dict(climb[way])}, self._layers)

    def searches(self, slot: int) -> bool:
        """Whether the sampler proposes this slot freely and is to learn from what was not screened alone."""
        return self.active and slot >= self._last

    def is_screened(self, trial: FrozenTrial) -> bool:
        """Whether a trial differs from the base in screened keys alone."""
        values: Mapping[str, Scalar] = trial.params
        return self.active and all(
            value == self._still.get(path, value) for path, value in values.items() if path not in self._moving
        )

    def starts(self, trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
        """The best screened trials, of those that differ in numbers alone the best only.

        A trial with more cells comes first, whatever its score: the ladder let it climb.
        """
        ranked = sorted((t for t in trials if self.is_screened(t) and _standing(t)[0]), key=_standing, reverse=True)
        floats = {d.path for d in self._study.dimensions if d.kind == "float"}
        found: dict[tuple[tuple[str, Scalar], ...], FrozenTrial] = {}
        for trial in ranked:
            kind = tuple(sorted((p, v) for p, v in trial.params.items() if p in self._moving and p not in floats))
            found.setdefault(kind, trial)
        return list(found.values())[: self._study.screening.starts]


def _standing(trial: FrozenTrial) -> tuple[int, float, int]:
    """Cells, mean score over them, and the number for a firm order; empty scores count as no cells."""
    if trial.intermediate_values:
        last = max(trial.intermediate_values)
        return (last, trial.intermediate_values[last], -trial.number)
    return (1, trial.values[0], -trial.number) if trial.values else (0, 0.0, -trial.number)
