"""Turning a piece of work into a training task and its result into a record.

A workbench is built from the spectra and the study alone and holds nothing that a run changes, so every worker builds
the same one, on any machine.
"""

from __future__ import annotations

import hashlib
import math
import statistics
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Configuration, Preprocessing
from spectrosim_search.config.errors import RunError
from spectrosim_search.config.fields import content_hash
from spectrosim_search.config.study import Study
from spectrosim_search.evaluation.scores import PairScores
from spectrosim_search.evaluation.verification import choose_threshold, metrics, primary
from spectrosim_search.learning.tasks import EvaluationPairs, ReplicateResult, ReplicateTask, TrainingData
from spectrosim_search.protocol.cells import CellSplit, HoldOut
from spectrosim_search.protocol.design import make_design
from spectrosim_search.protocol.pairs import PairSet
from spectrosim_search.search.records import DatasetRecord, ReplicateRecord
from spectrosim_search.search.work_item import HELD_OUT_PHASES, Phase, WorkItem
from spectrosim_search.spectra import preprocessing
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["CHANCE", "CONFIRMATION_SEED", "Workbench"]

CONFIRMATION_SEED = 1000  # first seed of the confirmation: never used by a search, which has a hundred at most
CACHE_BYTES = 1 << 29  # preprocessed spectra kept at hand
ROWWISE_BYTES = 1 << 28  # the same before what is fitted; the latest are kept whatever their size
CHANCE = {"matched_auc": 0.5, "auc": 0.5, "balanced_accuracy": 0.5, "average_precision": 0.02, "mcc": 0.0}


class Workbench:
    """Design, preprocessed data and scoring of one study.

    `searchable` False lets 4 to 7 groups through, for fixed methods alone. Raises what :func:`make_design` raises, and
    DataError where a transform cannot take the spectra.
    """

    def __init__(self, spectra: SpectraSet, study: Study, *, searchable: bool = True) -> None:
        self.spectra = spectra
        self.study = study
        self.design = make_design(spectra.groups, spectra.labels, spectra.split, study.protocol, searchable=searchable)
        self.cells = self.design.cells(study.protocol.seeds)
        asked = {k: v for k, v in study.protocol.question.items() if k != "seeds"}
        self._question = content_hash({"protocol": asked, "metric": study.metric, "seed": study.seed})
        sizes = [len(self.design.split(fold, 0).train) for fold in range(self.design.folds)]
        self._training_size = statistics.median(sizes)  # every fold's clock ticks alike
        self._splits: dict[tuple[int, int], CellSplit] = {}
        self._data: OrderedDict[str, TrainingData] = OrderedDict()
        self._rowwise: OrderedDict[Preprocessing, NDArray[np.float32]] = OrderedDict()

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
            for c in self.design.cells(seeds, CONFIRMATION_SEED)
        )

    def hold_out_items(
        self, configuration: Configuration, seeds: int, epochs: int, trial_number: int | None = None, fold: int = -1
    ) -> tuple[WorkItem, ...]:
        """Training on every group of the search for `epochs` epochs, scored on the held-out pairs.

        With nested scoring `fold` names the outer fold whose pairs are held out.
        """
        return tuple(
            self._item("hold-out", configuration, trial_number, i, fold, CONFIRMATION_SEED + i, epochs=epochs)
            for i in range(seeds)
        )

    def stop_on_test_item(self, configuration: Configuration) -> WorkItem:
        """Training whose epoch is chosen on the held-out pairs that judge it: what the first paper did, and nothing
        else may. Raises RunError under any protocol but `random-pairs`."""
        if self.study.protocol.name != "random-pairs":
            raise RunError(f"an epoch chosen on judged pairs under {self.study.protocol.name} is no score")
        training = replace(configuration.training, checkpoint="best", patience=max(1, configuration.training.epochs))
        return self._item("stop-on-test", replace(configuration, training=training), None, 0, -1, CONFIRMATION_SEED)

    def baseline_key(self, name: str, fold: int, seed: int) -> str:
        """Identity of a fit of a baseline: name, data, protocol, fold, seed."""
        return content_hash([name, self.spectra.fingerprint, self._question, "baseline", fold, seed], length=24)

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
        )

    # --- tasks -------------------------------------------------------------------------------------------------

    def random_key(self, fold: int, seed: int) -> int:
        """Keys every random stream of a replicate; the same for every configuration, so that trials share luck."""
        text = f"{self.study.seed}:{fold}:{seed}".encode()
        return int.from_bytes(hashlib.sha256(text).digest()[:8], "little") >> 1

    def task(self, item: WorkItem) -> ReplicateTask:
        """What the engine is given for one item; its data are in :meth:`data`."""
        metric: Literal["matched_auc", "auc"] = "auc" if self.study.metric == "auc" else "matched_auc"
        common: dict[str, Any] = {
            "key": item.key,
            "configuration": item.configuration,
            "seed": self.random_key(item.fold, item.seed),
            "metric": metric,
        }
        if item.phase in HELD_OUT_PHASES:
            held = self._held_out(item)
            judged = _pairs(held.pairs)
            stops = item.phase == "stop-on-test"  # both halves are all of the judged pairs: they choose their own epoch
            return ReplicateTask(
                **common,
                data=self._data_key(item),
                train=held.train,
                halves=(judged, judged) if stops else None,
                test=None if stops else judged,
                epochs=item.epochs,
            )
        split = self.split(item.fold, item.seed)
        return ReplicateTask(
            **common,
            data=self._data_key(item),
            train=split.train,
            halves=(_pairs(split.halves[0]), _pairs(split.halves[1])),
            steps_per_epoch=math.ceil(self._training_size / item.configuration.training.batch_size),
            stop_below=item.stop_below,
        )

    def data(self, items: Sequence[WorkItem]) -> dict[str, TrainingData]:
        """Preprocessed spectra of the items, by the names their tasks use."""
        out: dict[str, TrainingData] = {}
        for item in items:
            name = self._data_key(item)
            if name not in self._data:
                self._data[name] = self._prepare(item)
            self._data.move_to_end(name)
            out[name] = self._data[name]
        while len(self._data) > len(out) and sum(d.spectra.nbytes for d in self._data.values()) > CACHE_BYTES:
            self._data.popitem(last=False)
        return out

    def _data_key(self, item: WorkItem) -> str:
        split: HoldOut | CellSplit
        split = self._held_out(item) if item.phase in HELD_OUT_PHASES else self.split(item.fold, item.seed)
        digest = hashlib.sha256(split.train.tobytes())
        digest.update(split.groups.tobytes())
        if split.relation is not None:
            digest.update(split.relation.tobytes())
        return f"{content_hash(item.configuration.preprocessing)}:{digest.hexdigest()[:16]}"

    def _prepare(self, item: WorkItem) -> TrainingData:
        split: HoldOut | CellSplit
        split = self._held_out(item) if item.phase in HELD_OUT_PHASES else self.split(item.fold, item.seed)
        settings = item.configuration.preprocessing
        rowwise = self._rowwise_spectra(settings)
        state = preprocessing.fit(settings, rowwise[split.train], channels=len(self.spectra.axis))
        return TrainingData(
            spectra=state.finish(rowwise),
            axis=state.axis(self.spectra.axis),
            groups=split.groups,
            relation=split.relation,
        )

    def _rowwise_spectra(self, settings: Preprocessing) -> NDArray[np.float32]:
        """What needs no fitting is the same for every fold, seed and scaling: it is done once."""
        part = preprocessing.rowwise_settings(settings)
        if part not in self._rowwise:
            self._rowwise[part] = preprocessing.rowwise(part, self.spectra.intensities)
        self._rowwise.move_to_end(part)
        while len(self._rowwise) > 1 and sum(x.nbytes for x in self._rowwise.values()) > ROWWISE_BYTES:
            self._rowwise.popitem(last=False)
        return self._rowwise[part]

    def split(self, fold: int, seed: int) -> CellSplit:
        """Parts of one cell; kept, for whatever is scored on the same cell next."""
        place = (fold, seed)
        if place not in self._splits:
            self._splits[place] = self.design.split(*place)
        return self._splits[place]

    def _held_out(self, item: WorkItem) -> HoldOut:
        if item.fold >= 0:
            return self.design.outer[item.fold]
        if self.design.hold_out is None:
            raise RunError("this study holds nothing out: its winner is scored by corrected cross-validation")
        return self.design.hold_out

    # --- records -----------------------------------------------------------------------------------------------

    def record(
        self,
        item: WorkItem,
        result: ReplicateResult,
        *,
        worker: str,
        started_at: float,
        environment_id: str,
        threshold: float = float("nan"),
    ) -> ReplicateRecord:
        """Score a result. Each half's threshold comes from the other half's pairs; `threshold` serves the hold-out."""
        if item.phase in HELD_OUT_PHASES:
            held = self._held_out(item).pairs
            pairs: tuple[PairScores, ...] = (_scored(held, result.similarities[0], threshold),)
        else:
            first, second = self.split(item.fold, item.seed).halves
            pairs = (
                _scored(first, result.similarities[0], choose_threshold(result.choosing[0], second.positive)),
                _scored(second, result.similarities[1], choose_threshold(result.choosing[1], first.positive)),
            )
        values = metrics(pairs)
        diverged = result.status == "diverged"
        score = CHANCE[self.study.metric] if diverged else primary(values, self.study.metric)
        first_epoch, second_epoch = result.chosen_epochs
        return ReplicateRecord(
            key=item.key,
            phase=item.phase,
            configuration_id=item.configuration_id,
            trial_number=item.trial_number,
            cell=item.cell,
            fold=item.fold,
            seed=item.seed,
            status=result.status,
            reason=result.reason,
            score=float(score),
            metrics={
                **values,
                "embedding_rank": float(result.embedding_rank),
                "alignment": float(result.alignment),
                "uniformity": float(result.uniformity),
            },
            curve=result.curve,
            loss=result.loss,
            chosen_epochs=(int(first_epoch), int(second_epoch)),
            pairs=pairs,
            worker=worker,
            started_at=started_at,
            train_seconds=result.train_seconds,
            total_seconds=result.total_seconds,
            environment_id=environment_id,
        )

    def failed(
        self, item: WorkItem, reason: str, *, worker: str, started_at: float, seconds: float, environment_id: str
    ) -> ReplicateRecord:
        """A replicate that ran out of memory or time, or whose configuration the data refuse: it scores chance."""
        return ReplicateRecord(
            key=item.key,
            phase=item.phase,
            configuration_id=item.configuration_id,
            trial_number=item.trial_number,
            cell=item.cell,
            fold=item.fold,
            seed=item.seed,
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


def _pairs(pairs: PairSet) -> EvaluationPairs:
    return EvaluationPairs(pairs.left, pairs.right, pairs.positive, pairs.stratum)


def _scored(pairs: PairSet, similarity: NDArray[np.float32], threshold: float) -> PairScores:
    return PairScores(
        left=pairs.left,
        right=pairs.right,
        positive=pairs.positive,
        stratum=pairs.stratum,
        similarity=similarity,
        threshold=threshold,
    )
