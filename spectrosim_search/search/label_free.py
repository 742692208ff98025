"""Criteria that see no group: what they are, and the order in which they, or the labels, put the trials of a search.

Effective rank of validation embeddings (RankMe, Garrido et al. 2023; highest), uniformity, and alignment + uniformity
(Wang and Isola 2020; lowest), each the mean over a trial's cells.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping

from spectrosim_search.config.errors import RunError
from spectrosim_search.search.records import StudyRecord

__all__ = ["CRITERIA", "criterion", "ranking"]

CRITERIA: Mapping[str, tuple[str, Callable[[Mapping[str, float]], float]]] = {  # name → title, higher is better
    "effective-rank": ("effective rank", lambda m: m.get("embedding_rank", math.nan)),
    "uniformity": ("uniformity", lambda m: -m.get("uniformity", math.nan)),
    "alignment-uniformity": (
        "alignment + uniformity",
        lambda m: -(m.get("alignment", math.nan) + m.get("uniformity", math.nan)),
    ),
}


def criterion(record: StudyRecord, name: str) -> dict[int, float]:
    """Trial number → mean of a criterion of :data:`CRITERIA` over its search replicates, the higher the better.

    Trials without a finite value are left out.
    """
    read = CRITERIA[name][1]
    found: dict[int, list[float]] = defaultdict(list)
    for replicate in record.replicates:
        value = read(replicate.metrics)
        if replicate.phase == "search" and replicate.trial_number is not None and math.isfinite(value):
            found[replicate.trial_number].append(value)
    return {number: math.fsum(values) / len(values) for number, values in found.items()}


def ranking(record: StudyRecord) -> Mapping[int, float] | None:
    """What `confirmation.selection` ranks trials by, the higher the better; None: their search scores.

    Raises RunError where trials have finished and none of them holds the criterion that is asked for.
    """
    name = record.study.confirmation.selection
    if name == "score":
        return None
    by = criterion(record, name)
    finished = [t.number for t in record.trials if t.state == "COMPLETE"]
    if finished and not any(number in by for number in finished):
        raise RunError(
            f"no finished trial of study '{record.study.name}' stored its {CRITERIA[name][0]}: choose by score "
            "(--set confirmation.selection=score)"
        )
    return by
