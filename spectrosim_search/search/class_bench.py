"""The bench of a study that names a class: each piece of work is one run of the study's program."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines.classifiers import ClassInput
from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import InputError, RunError
from spectrosim_search.config.fields import content_hash
from spectrosim_search.config.registry import load
from spectrosim_search.config.study import Study
from spectrosim_search.evaluation.class_statistics import class_metrics
from spectrosim_search.evaluation.mixtures import mixture_spectra
from spectrosim_search.evaluation.scores import ClassScores, MixtureScores
from spectrosim_search.protocol.batch_disjoint import masked
from spectrosim_search.protocol.classes import ClassSplit, make_class_design
from spectrosim_search.protocol.label_share import labelled_rows
from spectrosim_search.search.bench import CHANCE, Bench, whose
from spectrosim_search.search.class_mixtures import joined_mixtures, mixture_rows
from spectrosim_search.search.programs import ProgramTask
from spectrosim_search.search.records import HELD_OUT_FOLD, ReplicateRecord
from spectrosim_search.search.work_item import WorkItem
from spectrosim_search.spectra import preprocessing
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["ClassBench", "prepared_for", "program_module", "refuse_classes"]

CACHE_BYTES = 1 << 29  # preprocessed spectra kept at hand


def program_module(task: str) -> ModuleType:
    """The program of a task. Raises InputError for an unknown one."""
    return load("search.programs", task)


def prepared_for(task: str, spectra: SpectraSet) -> SpectraSet:
    """The spectra as the program of a task wants them before they are split (a module's ``prepare``, if it has one)."""
    prepare = getattr(program_module(task), "prepare", None)
    found: SpectraSet = spectra if prepare is None else prepare(spectra)
    return found


def refuse_classes(study: Study, command: str) -> None:
    """Raise InputError where a command that compares pairs is given a study that names a class."""
    if study.task != "same-batch":
        raise InputError(
            f"{command} compares methods that tell pairs of spectra; task {study.task} names a class: use run, whose "
            "report has its reference rows"
        )


class ClassBench(Bench):
    """Design, preprocessed data and scoring of a study whose task names a class.

    Raises what :func:`make_class_design` raises, and DataError where a transform cannot take the spectra.
    """

    def __init__(self, spectra: SpectraSet, study: Study, *, searchable: bool = True) -> None:
        self.design = make_class_design(
            spectra.groups, spectra.labels, spectra.split, study.protocol, study.task, searchable=searchable
        )
        super().__init__(spectra, study, self.design)
        self.program = program_module(study.task)
        self._data: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._side: dict[str, NDArray[np.float32]] | None = None

    @property
    def side(self) -> dict[str, NDArray[np.float32]]:
        """What the study gives beside the spectra, as its program reads it (a module's ``side``, if it has one)."""
        if self._side is None:
            read = getattr(self.program, "side", None)
            self._side = {} if read is None else dict(read(self.study, self.spectra, self.design.class_names))
        return self._side

    def split(self, fold: int, seed: int = 0) -> ClassSplit:
        """Parts of one cell; fold HELD_OUT_FOLD is the held-out part."""
        if fold != HELD_OUT_FOLD:
            return self.design.split(fold, seed)
        if self.design.hold_out is None:
            raise RunError("this study holds nothing out: its winner is scored by corrected cross-validation")
        return self.design.hold_out

    # --- training ----------------------------------------------------------------------------------------------

    def task(self, item: WorkItem) -> ProgramTask:
        """What the program is given for one item."""
        split = self.split(item.fold, item.seed)
        spectra, axis, state = self._prepared(item.configuration, split.train)
        raw = {} if item.phase == "search" else self.mixtures(item.fold)
        return ProgramTask(
            key=item.key,
            configuration=item.configuration,
            seed=self.random_key(item.fold, item.seed),
            spectra=spectra,
            axis=axis,
            classes=masked(split.classes, self.labelled(split.train, item.configuration, item.fold, item.seed)),
            class_names=self.design.class_names,
            train=split.train,
            judged=split.judged,
            side=self.side,
            mixtures={order: state.transform(x) for order, x in raw.items()},
            mix=self._mix(state, split.train),
        )

    def mixture_rows(self, fold: int) -> dict[int, NDArray[np.int64]]:
        """Judged spectra that are mixed, rows by number of components: held-out ones, those of a fold without them."""
        if (fold == HELD_OUT_FOLD) != (self.design.hold_out is not None):
            return {}
        count, judged = self.study.confirmation.mixtures, self.split(fold).judged
        return mixture_rows(self.design.classes, judged, count, self.random_key(fold, 0))

    def mixtures(self, fold: int) -> dict[int, NDArray[np.float32]]:
        """The mixtures of :meth:`mixture_rows`, as if measured: number of components → ``(M, L)``."""
        rows = self.mixture_rows(fold)
        return {order: mixture_spectra(self.spectra.intensities, own) for order, own in rows.items()}

    def label_share(self, configuration: Configuration) -> float:
        """Share of the training spectra whose class is known (a module's ``label_share``, if it has one)."""
        asked = getattr(self.program, "label_share", None)
        return 1.0 if asked is None else float(asked(configuration))

    def labelled(
        self, train: NDArray[np.int64], configuration: Configuration, fold: int, seed: int
    ) -> NDArray[np.int64]:
        """Training rows whose class is known: the same for every configuration and reference row of one share."""
        share = self.label_share(configuration)
        return labelled_rows(self.design.classes, train, share, study_seed=self.study.seed, fold=fold, seed=seed)

    def baseline_key(self, name: str, fold: int, seed: int, revision: int = 0) -> str:
        """Identity of a fit of a reference row, the share of the labels it has included."""
        key, share = super().baseline_key(name, fold, seed, revision), self.label_share(self.base_configuration())
        return key if share == 1 else content_hash([key, "labels", share], length=24)

    def run(
        self,
        item: WorkItem,
        *,
        worker: str,
        device: str,
        environment_id: str,
        on_epoch: Callable[[int, float], bool] | None = None,
    ) -> ReplicateRecord:
        """Train and judge one item."""
        started, begun = time.time(), time.perf_counter()
        task = self.task(item)
        result = self.program.run(task, device=device, on_epoch=on_epoch)
        finished = result.status == "finished"
        scores = self.scores(task.judged, result.predicted, result.confidence) if finished else None
        values = class_metrics([scores]) if scores is not None else {}
        return ReplicateRecord(
            **whose(item),
            status=result.status,
            reason=result.reason,
            score=values[self.study.metric] if values else CHANCE[self.study.metric],
            metrics={**values, **result.metrics},
            curve=np.zeros((0, 2), dtype=np.float32),
            loss=result.loss,
            chosen_epochs=(len(result.loss), len(result.loss)),
            pairs=(),
            worker=worker,
            started_at=started,
            train_seconds=result.train_seconds,
            total_seconds=time.perf_counter() - begun,
            environment_id=environment_id,
            classes=() if scores is None else (scores,),
            mixtures=self.mixture_scores(item.fold, result.components) if finished else (),
        )

    def scores(
        self, judged: NDArray[np.int64], predicted: NDArray[np.int64], confidence: NDArray[np.float32]
    ) -> ClassScores:
        """Join predictions of judged rows with the truth, which no program was given."""
        return ClassScores(judged, self.design.classes[judged], predicted.astype(np.int64), confidence)

    def mixture_scores(self, fold: int, components: Mapping[int, NDArray[np.int64]]) -> tuple[MixtureScores, ...]:
        """Join named components of the fold's mixtures with the truth."""
        if not components:
            return ()
        return joined_mixtures(self.design.classes, self.mixture_rows(fold), components)

    def class_input(self, fold: int, seed: int) -> ClassInput:
        """What a fit of a baseline is given: of spectra that do not train it sees the intensities alone.

        It trains on the spectra whose class is known: as many as the study's base says.
        """
        split = self.split(fold)
        train = self.labelled(split.train, self.base_configuration(), fold, seed)
        hidden = np.ones(len(self.spectra), dtype=np.bool_)
        hidden[train] = False
        spectra = replace(
            self.spectra,
            groups=np.where(hidden, "", self.spectra.groups),
            labels=np.where(hidden, "", self.spectra.labels),
            split=np.where(hidden, "", self.spectra.split),
            extra={},
            truth={},
        )
        return ClassInput(
            spectra=spectra,
            train=train,
            judged=split.judged,
            classes=masked(split.classes, train),
            blocks=masked(split.blocks, train),
            class_names=self.design.class_names,
            seed=self.study.protocol.seed,
            training_seed=self.random_key(fold, seed) % (1 << 31),
            side=self.side,
            mixtures=self.mixtures(fold),
        )

    def base_configuration(self) -> Configuration:
        """What all trials share, the program included: baselines read what concerns them (which classifier, …)."""
        from spectrosim_search.search.space import build_configuration

        return build_configuration(self.study, {})

    def everything(self, configuration: Configuration, seed: int) -> ProgramTask:
        """All usable spectra as training rows, none judged: what an exported configuration is trained on."""
        rows = np.flatnonzero(self.design.classes >= 0).astype(np.int64)
        spectra, axis, state = self._prepared(configuration, rows)
        return ProgramTask(
            key=content_hash([configuration.identity, self.spectra.fingerprint, "everything", seed]),
            configuration=configuration,
            seed=self.random_key(-1, seed),
            spectra=spectra,
            axis=axis,
            classes=masked(self.design.classes, self.labelled(rows, configuration, -2, seed)),
            class_names=self.design.class_names,
            train=rows,
            judged=rows[:0],
            side=self.side,
            mix=self._mix(state, rows),
        )

    def _mix(
        self, state: preprocessing.State, train: NDArray[np.int64]
    ) -> Callable[[NDArray[np.int64]], NDArray[np.float32]]:
        """From rows ``(M, k)`` of training spectra to their preprocessed mixtures ``(M, L)``; of others RunError."""

        def mix(rows: NDArray[np.int64]) -> NDArray[np.float32]:
            if not np.isin(rows, train).all():
                raise RunError("a program mixed spectra that do not train it")
            return state.transform(mixture_spectra(self.spectra.intensities, rows))

        return mix

    def _prepared(
        self, configuration: Configuration, train: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64], preprocessing.State]:
        settings = configuration.preprocessing
        rowwise = self.rowwise_spectra(settings)
        state = preprocessing.fit(settings, rowwise[train], channels=len(self.spectra.axis))
        name = f"{content_hash(settings)}:{hashlib.sha256(train.tobytes()).hexdigest()[:16]}"
        if name not in self._data:
            self._data[name] = state.finish(rowwise)
        self._data.move_to_end(name)
        while len(self._data) > 1 and sum(x.nbytes for x in self._data.values()) > CACHE_BYTES:
            self._data.popitem(last=False)
        return self._data[name], state.axis(self.spectra.axis), state
