"""Turning a piece of work of a same-batch study into a training task and its result into a record."""

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

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import RunError
from spectrosim_search.config.fields import content_hash
from spectrosim_search.config.study import Study
from spectrosim_search.evaluation.scores import PairScores
from spectrosim_search.evaluation.verification import choose_threshold, metrics, primary
from spectrosim_search.learning.components import stack_key
from spectrosim_search.learning.tasks import EvaluationPairs, ReplicateResult, ReplicateTask, TrainingData
from spectrosim_search.protocol.cells import CellSplit, HoldOut
from spectrosim_search.protocol.design import make_design
from spectrosim_search.protocol.pairs import PairSet
from spectrosim_search.search.bench import CHANCE, CONFIRMATION_SEED, Bench, whose
from spectrosim_search.search.records import ReplicateRecord
from spectrosim_search.search.work_item import HELD_OUT_PHASES, WorkItem
from spectrosim_search.spectra import preprocessing
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["CHANCE", "CONFIRMATION_SEED", "Workbench"]

CACHE_BYTES = 1 << 29  # preprocessed spectra kept at hand
STACK_BYTES = 1 << 26  # of one fold's spectra, at most, where a core trains folds together


class Workbench(Bench):
    """Design, preprocessed data and scoring of one study.

    `searchable` False lets 4 to 7 groups through, for fixed methods alone. Raises what :func:`make_design` raises, and
    DataError where a transform cannot take the spectra.
    """

    def __init__(self, spectra: SpectraSet, study: Study, *, searchable: bool = True) -> None:
        self.design = make_design(spectra.groups, spectra.labels, spectra.split, study.protocol, searchable=searchable)
        super().__init__(spectra, study, self.design)
        sizes = [len(self.design.split(fold, 0).train) for fold in range(self.design.folds)]
        self._training_size = statistics.median(sizes)  # every fold's clock ticks alike
        self._splits: dict[tuple[int, int], CellSplit] = {}
        self._data: OrderedDict[str, TrainingData] = OrderedDict()
        self._stacks: dict[str, bool] = {}

    def stop_on_test_item(self, configuration: Configuration) -> WorkItem:
        """Training whose epoch is chosen on the held-out pairs that judge it: what the first paper did, and nothing
        else may. Raises RunError under any protocol but `random-pairs`."""
        if self.study.protocol.name != "random-pairs":
            raise RunError(f"an epoch chosen on judged pairs under {self.study.protocol.name} is no score")
        training = replace(configuration.training, checkpoint="best", patience=max(1, configuration.training.epochs))
        return self._item("stop-on-test", replace(configuration, training=training), None, 0, -1, CONFIRMATION_SEED)

    def stacks(self, configuration: Configuration) -> bool:
        """Small networks on small data; see :func:`spectrosim_search.learning.workload.gains_in_stack`."""
        if self.spectra.intensities.nbytes > STACK_BYTES:
            return False
        channels = configuration.preprocessing.channels(len(self.spectra.axis))
        key = stack_key(configuration, channels)
        if key not in self._stacks:
            from spectrosim_search.learning.workload import gains_in_stack

            self._stacks[key] = gains_in_stack(configuration, channels)
        return self._stacks[key]

    # --- tasks -------------------------------------------------------------------------------------------------

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
        rowwise = self.rowwise_spectra(settings)
        state = preprocessing.fit(settings, rowwise[split.train], channels=len(self.spectra.axis))
        return TrainingData(
            spectra=state.finish(rowwise),
            axis=state.axis(self.spectra.axis),
            groups=split.groups,
            relation=split.relation,
        )

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
            **whose(item),
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
