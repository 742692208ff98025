"""What choosing among the trials of a search adds to a score, for the best trial and for the committee of the best.

Where finalists are chosen without labels (`confirmation.selection`), that choice owes nothing to luck with the labels
of the groups it is judged on. What is left is the choice of the winner among the few finalists and the committee, and
only that is corrected; with one finalist there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.evaluation.bootstrap import bbc
from spectrosim_search.evaluation.statistics import jackknife
from spectrosim_search.search.committee import averaged_cells, committee_bias
from spectrosim_search.search.contenders import Contender, Method, pick_winner
from spectrosim_search.search.records import ReplicateRecord
from spectrosim_search.search.workbench import Workbench

__all__ = ["Selection", "choice_optimism", "select"]


@dataclass(frozen=True)
class Selection:
    """The winner and what made it one. metric: the study's, or AUC over all pairs where that one is undefined."""

    metric: str
    winner: Contender
    optimism: float  # of choosing the best trial
    committee_optimism: float  # of choosing the members of the committee; 0 without one
    labels_optimism: float = 0.0  # of the trial that labels would choose, where finalists are chosen without them

    def taken_off(self, contender: Contender) -> float:
        """What choosing it among the trials is known to have added to its score on the searched groups."""
        if not contender.competes:
            return self.labels_optimism
        return _of_kind(contender, self.optimism, self.committee_optimism)


def select(
    workbench: Workbench, contenders: Sequence[Contender], search: Mapping[int, Sequence[ReplicateRecord]]
) -> Selection:
    """Estimate both optimisms on the searched groups and pick the winner.

    `search` maps the number of every COMPLETE trial to its search replicates: what was selected among. Fresh seeds
    have removed the luck of training from the contenders' scores; this tells the luck of the groups that the search
    selected on, which is larger for one trial than for the mean of several, so the winner is picked by corrected
    scores. Raises RunError where no finalist has a complete seed.
    """
    design, seed = workbench.design, workbench.study.seed
    first = pick_winner(contenders, design.folds, _nothing)
    metric = _defined_metric(first.cells(design.folds), design.units, workbench.study.metric)
    if workbench.study.confirmation.selection != "score":
        return _without_labels(workbench, contenders, search, metric, first)
    members = max(len(c.trials) for c in contenders)
    if design.hold_out is not None and members < 2:  # nothing to correct, nothing to weigh against each other
        return Selection(metric, first, 0.0, 0.0)
    single = choice_optimism({str(n): [r.pairs for r in rs] for n, rs in search.items()}, design.units, metric, seed)
    several = committee_bias(search, members, design.units, metric, seed).optimism if members > 1 else 0.0
    # Choosing several owes no more to luck than choosing one; with few groups its bootstrap is the noisier.
    several = min(several, single) if several == several else 0.0
    winner = pick_winner(contenders, design.folds, lambda c: _of_kind(c, single, several))
    return Selection(metric, winner, single, several)


def _without_labels(
    workbench: Workbench,
    contenders: Sequence[Contender],
    search: Mapping[int, Sequence[ReplicateRecord]],
    metric: str,
    winner: Contender,
) -> Selection:
    """Finalists and committee were chosen without labels: the winner among them was not."""
    design, seed = workbench.design, workbench.study.seed
    if design.hold_out is not None:
        return Selection(metric, winner, 0.0, 0.0)
    competing = [c for c in contenders if c.kind == "finalist" and c.competes]
    among = choice_optimism({c.name: averaged_cells(search, c.trials) for c in competing}, design.units, metric, seed)
    every = {str(n): [r.pairs for r in rs] for n, rs in search.items()}
    return Selection(metric, winner, among, among, choice_optimism(every, design.units, metric, seed))


def choice_optimism(methods: Mapping[str, Method], units: NDArray[np.int64], metric: str, seed: int) -> float:
    """What choosing the best of these methods adds to its score; 0 where there is nothing to choose between."""
    given = {name: cells for name, cells in methods.items() if cells}
    if len(given) < 2:
        return 0.0
    found = bbc(given, units, metric, seed=seed).optimism
    return found if found == found else 0.0


def _nothing(contender: Contender) -> float:
    del contender
    return 0.0


def _of_kind(contender: Contender, single: float, committee: float) -> float:
    if contender.kind != "finalist":  # a preset was chosen by nobody
        return 0.0
    return committee if len(contender.trials) > 1 else single


def _defined_metric(cells: Method, units: NDArray[np.int64], metric: str) -> str:
    """Matched-label AUC needs strata with both kinds of pairs; where there are none, AUC over all pairs."""
    if metric != "matched_auc":
        return metric
    value = jackknife(cells, units, metric).value
    return metric if value == value else "auc"
