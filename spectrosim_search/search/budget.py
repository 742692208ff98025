"""When a search must stop: trials are counted by slots; here are wall time and replicates.

Both include the confirmation, so the search ends while enough is left for it. How much that is, is estimated from the
replicates trained so far by whoever runs the confirmation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from spectrosim_search.config.study import Budget, Confirmation, Study

__all__ = ["Allowance", "Usage", "committee_seeds", "confirmation_replicates", "label_replicates", "reserve_for"]


@dataclass(frozen=True)
class Usage:
    """What a study has used so far, earlier sessions included."""

    seconds: float  # wall time of search and confirmation
    replicates: int  # stored in any phase
    complete: int
    pruned: int
    mean_replicate_seconds: float  # NaN before the first
    workers: int


Reserve = Callable[[Usage], float]


def _nothing(usage: Usage) -> float:
    del usage
    return 0.0


@dataclass(frozen=True)
class Allowance:
    """A budget with what is set aside for the confirmation (seconds, and replicates)."""

    budget: Budget
    reserve_seconds: Reserve = _nothing
    reserve_replicates: Callable[[Usage], int] = lambda usage: 0

    def used_up(self, usage: Usage) -> str:
        """Why no further replicate may start, or an empty text."""
        if self.budget.minutes > 0:
            left = self.budget.minutes * 60 - usage.seconds - self.reserve_seconds(usage)
            if left <= 0:
                return f"the {self.budget.minutes:g} minutes are used up but for what the confirmation needs"
        if self.budget.replicates > 0:
            kept = self.reserve_replicates(usage)
            if usage.replicates >= self.budget.replicates - kept:
                return f"{usage.replicates} replicates are trained, {kept} are kept for the confirmation"
        return ""

    def replicates_left(self, usage: Usage) -> int | None:
        """Replicates that may still start; None: any number."""
        if self.budget.replicates <= 0:
            return None
        return max(0, self.budget.replicates - self.reserve_replicates(usage) - usage.replicates)

    def only_time(self, usage: Usage) -> bool:
        """Whether nothing but the clock stands in the way."""
        return not replace(self, budget=replace(self.budget, minutes=0.0)).used_up(usage)

    def remaining_seconds(self, usage: Usage) -> float:
        """Seconds the search has left by the clock; infinity without a limit."""
        if self.budget.minutes <= 0:
            return float("inf")
        return max(0.0, self.budget.minutes * 60 - usage.seconds - self.reserve_seconds(usage))


def confirmation_replicates(study: Study, folds: int) -> int:
    """Replicates a confirmation of `folds` folds trains with all the seeds the study asks for."""
    asked = study.confirmation
    presets = len(asked.presets) * min(asked.preset_seeds, asked.seeds)
    members = max(0, asked.committee - asked.finalists) * committee_seeds(asked, asked.committee)
    singles = asked.finalists + asked.front + (asked.selection != "score")  # and what labels would choose
    return (singles * asked.seeds + presets + members) * folds + label_replicates(asked, folds)


def label_replicates(asked: Confirmation, folds: int) -> int:
    """Replicates of a curve over labels that are trained in any case: one seed of the winner and its counterpart.

    The winner's with all labels is trained already.
    """
    return (2 * len({*asked.label_fractions, 1.0}) - 1) * folds if asked.label_fractions else 0


def committee_seeds(asked: Confirmation, members: int) -> int:
    """Fresh seeds of each member of a committee: averaging over members removes training noise as seeds do."""
    return min(asked.seeds, max(asked.minimum_seeds, math.ceil(asked.seeds / max(1, members))))


def reserve_for(study: Study, folds: int) -> Reserve:
    """Seconds to set aside: what the confirmation needs at the pace so far, never more than its share of the whole."""
    total = study.budget.minutes * 60
    count = confirmation_replicates(study, folds)

    def reserve(usage: Usage) -> float:
        cap = study.confirmation.share * total
        if not usage.mean_replicate_seconds > 0:
            return cap
        return min(cap, count * usage.mean_replicate_seconds / max(1, usage.workers))

    return reserve
