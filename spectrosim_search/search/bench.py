"""What a study's work looks like to driver, workers and confirmation, whatever its task.

A bench is built from the spectra and the study alone and holds nothing that a run changes, so every worker builds the
same one, on any machine.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Configuration, Preprocessing
from spectrosim_search.config.fields import content_hash
from spectrosim_search.config.study import Study
from spectrosim_search.protocol.cells import Cell
from spectrosim_search.search.records import DatasetRecord, ReplicateRecord
from spectrosim_search.search.work_item import Phase, WorkItem
from spectrosim_search.spectra import preprocessing
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["CHANCE", "CONFIRMATION_SEED", "Bench", "Layout", "whose"]

CONFIRMATION_SEED = 1000  # first seed of the confirmation: never used by a search, which has a hundred at most
ROWWISE_BYTES = 1 << 28  # spectra before what is fitted; the latest are kept whatever their size
CHANCE = {
    "matched_auc": 0.5,
    "auc": 0.5,
    "balanced_accuracy": 0.5,
    "average_precision": 0.02,
    "mcc": 0.0,
    "accuracy": 0.0,
    "macro_f1": 0.0,
}


class Layout(Protocol):
    """What a bench needs of a design."""

    @property
    def folds(self) -> int:
        """Number of folds of the search."""

    def cells(self, seeds: int, first: int = 0) -> tuple[Cell, ...]:
        """Cells in their fixed order."""

    def summary(self) -> dict[str, Any]:
        """The design in numbers and text."""


class Bench:
    """Cells, pieces of work and their identities."""

    def __init__(self, spectra: SpectraSet, study: Study, layout: Layout) -> None:
        self.spectra = spectra
        self.study = study
        self._layout = layout
        self.cells = layout.cells(study.protocol.seeds)  # of a trial that climbs the whole ladder
        asked = {k: v for k, v in study.protocol.question.items() if k != "seeds"}
        question: dict[str, Any] = {"protocol": asked, "metric": study.metric, "seed": study.seed}
        if study.task != "same-batch":  # so that what was trained before there were other tasks keeps its key
            question["task"] = study.task
        self._question = content_hash(question)
        self._rowwise: OrderedDict[Preprocessing, NDArray[np.float32]] = OrderedDict()

    @property
    def folds(self) -> int:
        """Number of folds of the search."""
        return self._layout.folds

    def summary(self) -> dict[str, Any]:
        """The design in numbers and text."""
        return self._layout.summary()

    @property
    def dataset(self) -> DatasetRecord:
        """What is searched on, for the store."""
        s = self.spectra
        return DatasetRecord(
            fingerprint=s.fingerprint,
            name=s.name,
            spectra=len(s),
            channels=len(s.axis),
            groups=len(set(s.groups.tolist()) - {""}),
            labels=len(set(s.labels.tolist()) - {""}),
            axis_unit=s.axis_unit,
            axis_low=float(s.axis[0]),
            axis_high=float(s.axis[-1]),
        )

    # --- work --------------------------------------------------------------------------------------------------

    def stacks(self, configuration: Configuration) -> bool:
        """Whether a worker trains the cells of a seed as one stack, whatever the number of workers: where that is
        faster on one processor core. What a stack is made of then depends on the study alone, and so do its numbers."""
        del configuration
        return False

    def search_item(
        self,
        configuration: Configuration,
        trial_number: int | None,
        cell: int,
        stop_below: NDArray[np.float32] | None = None,
    ) -> WorkItem:
        """One cell of a trial."""
        place = self.cells[cell]
        return self._item("search", configuration, trial_number, cell, place.fold, place.seed, stop_below=stop_below)

    def confirmation_items(
        self, configuration: Configuration, seeds: int, trial_number: int | None = None
    ) -> tuple[WorkItem, ...]:
        """All folds with fresh seeds, in the order in which they should be trained (all folds of a seed first)."""
        return tuple(
            self._item("confirm", configuration, trial_number, c.index, c.fold, c.seed)
            for c in self._layout.cells(seeds, CONFIRMATION_SEED)
        )

    def hold_out_items(
        self, configuration: Configuration, seeds: int, epochs: int, trial_number: int | None = None, fold: int = -1
    ) -> tuple[WorkItem, ...]:
        """Training on all that was searched for `epochs` epochs, scored on what was held out.

        With nested scoring `fold` names the outer fold that is held out.
        """
        return tuple(
            self._item("hold-out", configuration, trial_number, i, fold, CONFIRMATION_SEED + i, epochs=epochs)
            for i in range(seeds)
        )

    def baseline_key(self, name: str, fold: int, seed: int, revision: int = 0) -> str:
        """Identity of a fit of a baseline: name and its revision, data, protocol, fold, seed."""
        asked: list[Any] = [name, self.spectra.fingerprint, self._question, "baseline", fold, seed]
        return content_hash([*asked, revision] if revision else asked, length=24)

    def key(self, phase: Phase, configuration_id: str, fold: int, seed: int, epochs: int | None = None) -> str:
        """Identity of a replicate: configuration, data, protocol, phase, fold, seed."""
        return content_hash(
            [configuration_id, self.spectra.fingerprint, self._question, phase, fold, seed, epochs], length=24
        )

    def _item(
        self,
        phase: Phase,
        configuration: Configuration,
        trial_number: int | None,
        cell: int,
        fold: int,
        seed: int,
        *,
        stop_below: NDArray[np.float32] | None = None,
        epochs: int | None = None,
    ) -> WorkItem:
        identity = configuration.identity
        unit = phase == "confirm" and self.stacks(configuration)  # of a search the driver knows what the ladder grants
        return WorkItem(
            key=self.key(phase, identity, fold, seed, epochs),
            phase=phase,
            configuration=configuration,
            trial_number=trial_number,
            cell=cell,
            fold=fold,
            seed=seed,
            stop_below=stop_below,
            epochs=epochs,
            configuration_id=identity,
            together=f"{phase} {identity} {seed}" if unit else "",
        )

    def random_key(self, fold: int, seed: int) -> int:
        """Keys every random stream of a replicate; the same for every configuration, so that trials share luck."""
        text = f"{self.study.seed}:{fold}:{seed}".encode()
        return int.from_bytes(hashlib.sha256(text).digest()[:8], "little") >> 1

    def rowwise_spectra(self, settings: Preprocessing) -> NDArray[np.float32]:
        """What needs no fitting is the same for every fold, seed and scaling: it is done once."""
        part = preprocessing.rowwise_settings(settings)
        if part not in self._rowwise:
            self._rowwise[part] = preprocessing.rowwise(part, self.spectra.intensities)
        self._rowwise.move_to_end(part)
        while len(self._rowwise) > 1 and sum(x.nbytes for x in self._rowwise.values()) > ROWWISE_BYTES:
            self._rowwise.popitem(last=False)
        return self._rowwise[part]

    # --- records -----------------------------------------------------------------------------------------------

    def failed(
        self, item: WorkItem, reason: str, *, worker: str, started_at: float, seconds: float, environment_id: str
    ) -> ReplicateRecord:
        """A replicate that ran out of memory or time, or whose configuration the data refuse: it scores chance."""
        return ReplicateRecord(
            **whose(item),
            status="failed",
            reason=reason,
            score=CHANCE[self.study.metric],
            metrics={},
            curve=np.zeros((0, 2), dtype=np.float32),
            loss=np.zeros(0, dtype=np.float32),
            chosen_epochs=(0, 0),
            pairs=(),
            worker=worker,
            started_at=started_at,
            train_seconds=0.0,
            total_seconds=seconds,
            environment_id=environment_id,
        )


def whose(item: WorkItem) -> dict[str, Any]:
    """The fields of a record that say which piece of work it is of."""
    names = ("key", "phase", "configuration_id", "trial_number", "cell", "fold", "seed")
    return {name: getattr(item, name) for name in names}
