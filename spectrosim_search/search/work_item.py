"""One replicate to train, as the driver hands it to workers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.study import Study

__all__ = ["HELD_OUT_PHASES", "Phase", "WorkItem"]

Phase = Literal["search", "confirm", "hold-out", "stop-on-test"]
HELD_OUT_PHASES: tuple[Phase, ...] = ("hold-out", "stop-on-test")  # trained on all searched groups


@dataclass(frozen=True, eq=False)
class WorkItem:
    """One replicate to train. `seed` is the seed's number, not the random key.

    fold: of the search's folds; of a hold-out the outer fold with nested scoring, else -1. The phase stop-on-test is
    the hold-out as the first paper did it, its epoch chosen on the held-out pairs: under `random-pairs` alone.

    stop_below: ``(E,)``, see :class:`ReplicateTask`. epochs: fixed length of training (hold-out), else None. study:
    whose cell it is, where that is not the study of the workers it is given to. together: of a confirmation, names the
    unit that a worker trains as one stack; empty where it stands alone.
    """

    key: str
    phase: Phase
    configuration: Configuration
    trial_number: int | None
    cell: int
    fold: int
    seed: int
    stop_below: NDArray[np.float32] | None = None
    epochs: int | None = None
    configuration_id: str = field(default="")
    study: Study | None = None
    together: str = ""
