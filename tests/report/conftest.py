"""Study records made of numbers with known structure: rich, unconfirmed, empty, hostile."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from spectrosim_search.config.configuration import (
    Component,
    Configuration,
    Optimiser,
    Positives,
    Preprocessing,
    Scalar,
    Training,
)
from spectrosim_search.config.study import Budget, DataSource, Dimension, Protocol, Study, Task
from spectrosim_search.evaluation.mixture_statistics import mixture_estimates
from spectrosim_search.evaluation.posterior import Posterior
from spectrosim_search.evaluation.scores import ClassScores, Estimate, MixtureScores, PairScores
from spectrosim_search.search.records import (
    AxisView,
    BaselineRecord,
    ConfirmationRecord,
    DatasetRecord,
    EnvironmentRecord,
    MethodRow,
    ReplicateRecord,
    StudyRecord,
    TrialRecord,
    VerdictRecord,
)

GROUPS, SIZE, FOLDS, SEEDS = 24, 3, 3, 4
START = 1_790_000_000.0

DIMENSIONS = (
    Dimension("objective.temperature", "float", 0.02, 1.0, log=True),
    Dimension("training.batch_size", "categorical", choices=(8, 16, 32, 64)),
    Dimension("encoder.patch", "categorical", choices=(16, 32, 64)),
    Dimension("encoder.width", "int", 32, 128, step=16),
    Dimension("encoder.depth", "int", 1, 4),
    Dimension("head.type", "categorical", choices=("linear", "mlp", "spectral")),
    Dimension("head.width", "int", 16, 128, when=(("head.type", ("mlp", "spectral")),)),
    Dimension("optimiser.learning_rate", "float", 1e-5, 1e-2, log=True),
    Dimension("augmentations.jitter.strength", "float", 0.0, 0.5),
    Dimension("preprocessing.intensity", "categorical", choices=("tic", "sqrt", "log", "snv")),
)


def make_pairs(rng: np.random.Generator, shift: float, rows: np.ndarray | None = None) -> PairScores:
    """All pairs of some spectra; same-group pairs are more similar by `shift`."""
    rows = np.arange(GROUPS * SIZE) if rows is None else rows
    i, j = np.triu_indices(len(rows), 1)
    left, right = rows[i], rows[j]
    positive = left // SIZE == right // SIZE
    species = (np.arange(GROUPS * SIZE) // SIZE) % 2
    stratum = (species[left] + species[right]).astype(np.int64)
    similarity = np.tanh(rng.normal(0.05, 0.3, len(left)) + shift * positive).astype(np.float32)
    return PairScores(
        left.astype(np.int64), right.astype(np.int64), positive, stratum, similarity, float(np.tanh(shift / 2))
    )


def make_configuration(parameters: dict[str, Scalar]) -> Configuration:
    return Configuration(
        preprocessing=Preprocessing(intensity=parameters["preprocessing.intensity"]),
        encoder=Component.of(
            "transformer",
            patch=parameters["encoder.patch"],
            width=parameters["encoder.width"],
            depth=parameters["encoder.depth"],
        ),
        head=Component.of(str(parameters["head.type"])),
        objective=Component.of("nt-xent", temperature=parameters["objective.temperature"]),
        augmentations=(Component.of("jitter", strength=parameters["augmentations.jitter.strength"]),),
        positives=Positives(),
        optimiser=Optimiser(learning_rate=float(parameters["optimiser.learning_rate"])),
        training=Training(batch_size=int(parameters["training.batch_size"])),
    )


def draw(rng: np.random.Generator) -> dict[str, Scalar]:
    out: dict[str, Scalar] = {}
    for d in DIMENSIONS:
        if d.path == "head.width" and out["head.type"] == "linear":
            continue
        if d.kind == "categorical":
            out[d.path] = d.choices[int(rng.integers(len(d.choices)))]
        elif d.kind == "int":
            out[d.path] = int(rng.integers(d.low, d.high + 1))
        else:
            out[d.path] = float(
                10 ** rng.uniform(np.log10(d.low), np.log10(d.high)) if d.log else rng.uniform(d.low, d.high)
            )
    return out


def quality(parameters: dict[str, Scalar]) -> float:
    t = np.log10(float(parameters["objective.temperature"]) / 0.1)
    r = np.log10(float(parameters["optimiser.learning_rate"]) / 1e-3)
    return float(0.88 - 0.05 * t**2 - 0.02 * r**2 - 0.02 * (parameters["head.type"] == "linear"))


def costs_of(parameters: dict[str, Scalar]) -> dict[str, float]:
    width, depth = int(parameters["encoder.width"]), int(parameters["encoder.depth"])
    return {
        "inference_time": round(0.002 * width * depth * 64 / int(parameters["encoder.patch"]), 6),
        "parameters": float(12 * width**2 * depth),
    }


def make_search(trials: int, seed: int = 0) -> tuple[tuple[TrialRecord, ...], tuple[ReplicateRecord, ...]]:
    rng = np.random.default_rng(seed)
    free = [START, START]
    records, replicates = [], []
    for number in range(trials):
        parameters = draw(rng)
        configuration = make_configuration(parameters)
        true, cost = (
            quality(parameters),
            0.4 + 0.02 * int(parameters["encoder.width"]) * int(parameters["encoder.depth"]),
        )
        cells = FOLDS * SEEDS if true > 0.86 or number < 6 else int(rng.choice([1, 3, 6]))
        failed = number % 23 == 17
        cells = 0 if failed else cells
        scores: list[float] = []
        intermediate: dict[int, float] = {}
        begin = min(free)
        for cell in range(cells):
            worker = int(np.argmin(free))
            if number == trials // 2 and cell == 0:
                free = [max(free) + 3600.0] * 2  # the study was interrupted for an hour
            value = float(true + rng.normal(0, 0.02))
            epochs = int(rng.integers(15, 40))
            rise = 1 - np.exp(-np.arange(epochs + 1) / 6)
            curve = (0.55 + (value - 0.55) * rise[:, None] + rng.normal(0, 0.008, (epochs + 1, 2))).astype(np.float32)
            replicates.append(
                ReplicateRecord(
                    key=f"{number}-{cell}",
                    phase="search",
                    configuration_id=configuration.identity,
                    trial_number=number,
                    cell=cell,
                    fold=cell % FOLDS,
                    seed=cell // FOLDS,
                    status="finished",
                    reason="",
                    score=value,
                    metrics={
                        "matched_auc": value,
                        "auc": value + 0.03,
                        "embedding_rank": 1.2 if value < 0.7 else 9.0 * value,
                        "alignment": 0.1 + 0.01 * (number % 7),
                        "uniformity": -1.0 - 0.02 * (number % 11),
                    },
                    curve=curve,
                    loss=np.linspace(3, 1, epochs, dtype=np.float32),
                    chosen_epochs=(epochs - 3, epochs - 1),
                    pairs=(),
                    worker=f"worker-{worker}",
                    started_at=free[worker],
                    train_seconds=cost,
                    total_seconds=cost + 0.1,
                    environment_id="env-1",
                )
            )
            free[worker] += cost + 0.2
            scores.append(value)
            intermediate[cell + 1] = float(np.mean(scores))
        state = "FAIL" if failed else "COMPLETE" if cells == FOLDS * SEEDS else "PRUNED"
        reason = {"FAIL": "out of memory on two workers", "PRUNED": f"rank at rung {cells}", "COMPLETE": ""}[state]
        records.append(
            TrialRecord(
                number=number,
                state=state,
                value=float(np.mean(scores)) if scores else None,
                parameters=parameters,
                configuration=configuration,
                configuration_id=configuration.identity,
                intermediate=intermediate,
                reason=reason,
                started_at=begin,
                ended_at=max(free),
                objectives=({"score": float(np.mean(scores))} if scores else {}) | costs_of(parameters),
            )
        )
    return tuple(records), tuple(replicates)


def estimate(value: float, half: float = 0.045) -> Estimate:
    return Estimate(value, value - half, min(1.0, value + half), half / 2.07)


def make_row(
    name: str, title: str, kind: str, value: float, difference: float | None, seeds: int, identity: str = "",
    **more: object,
) -> MethodRow:  # fmt: skip
    metrics = {
        "matched_auc": estimate(value), "auc": estimate(min(0.995, value + 0.03), 0.03),
        "balanced_accuracy": estimate(value - 0.07, 0.06), "eer": estimate(1.07 - value, 0.05),
        "average_precision": estimate(value - 0.4, 0.1), "mcc": estimate(value - 0.5, 0.1),
    }  # fmt: skip
    return MethodRow(
        name=name, title=title, kind=kind, configuration_id=identity, seeds=seeds, metrics=metrics,
        seed_sd=0.011 if seeds > 1 else float("nan"),
        difference=None if difference is None else estimate(difference, 0.03),
        p_adjusted=float("nan") if difference is None else 0.0213, **{"settings": "", **more},
    )  # fmt: skip


def make_confirmation(trials: tuple[TrialRecord, ...]) -> ConfirmationRecord:
    rng = np.random.default_rng(5)
    complete = sorted((t for t in trials if t.state == "COMPLETE"), key=lambda t: -(t.value or 0))
    first, second, third = complete[:3]
    rows = (
        make_row("winner", f"winner (trial {first.number})", "winner", 0.874, None, 30, first.configuration_id),
        make_row("second", f"trial {second.number}", "finalist", 0.869, 0.005, 30, second.configuration_id),
        make_row("third", f"trial {third.number}", "finalist", 0.861, 0.013, 30, third.configuration_id),
        make_row("spectrosim-paper", "preset spectrosim-paper", "preset", 0.742, 0.132, 30, settings=""),
        make_row("spectrosim-chapter", "preset spectrosim-chapter", "preset", 0.701, 0.173, 30, settings=""),
        make_row("cosine", "cosine, fixed", "baseline", 0.604, 0.270, 1, settings="tic"),
        make_row("cosine-tuned", "cosine, tuned", "baseline", 0.655, 0.219, 1, settings="chosen: snv"),
        make_row("linear-metric", "linear metric, fixed", "baseline", 0.812, 0.062, 1, settings="k 20, shrinkage .1"),
        make_row(
            "linear-metric-tuned", "linear metric, tuned", "baseline", 0.843, 0.031, 1,
            settings="log, first derivative, k 60, shrinkage .01; chosen in 3 inner folds of the training groups",
        ),
        make_row("oracle", "oracle", "oracle", 0.958, -0.084, 1, settings="latent log-profiles, closed form"),
        dataclasses.replace(
            make_row("union-find", "union-find", "audit", 0.5, 0.374, 1, settings="blind to intensities"),
            metrics={
                "matched_auc": Estimate(0.5), "auc": Estimate(0.5), "balanced_accuracy": Estimate(0.5),
                "mcc": Estimate(float("nan"), note="one class predicted"),
            },
        ),
    )  # fmt: skip
    order = rng.permutation(GROUPS)
    folds = [
        np.concatenate([np.arange(g * SIZE, g * SIZE + SIZE) for g in sorted(part)])
        for part in np.array_split(order, 6)
    ]
    pairs = tuple(make_pairs(rng, 0.55 + rng.normal(0, 0.03), rows) for _ in range(10) for rows in folds)
    angle = rng.uniform(0, 2 * np.pi, GROUPS)
    centre = np.stack([np.cos(angle), np.sin(angle)], 1) * rng.uniform(1, 4, (GROUPS, 1))
    embedding = (np.repeat(centre, SIZE, 0) + rng.normal(0, 0.2, (GROUPS * SIZE, 2))).astype(np.float32)
    return ConfirmationRecord(
        created_at=START + 6000, scoring="corrected-cv", metric="matched_auc", rows=rows,
        verdict=VerdictRecord(
            "better",
            "The searched model is better than the best baseline (linear metric, tuned) by .031 "
            "[.001, .061]; on new batches it tells same from different in about 87 of 100 comparisons.",
            estimate(0.031, 0.03), "linear-metric-tuned", 0.012,
            Posterior(0.01, 0.918, 0.077, 0.005), Estimate(0.42, 0.01, 0.83),
        ),
        winner_trial=first.number, winner_configuration_id=first.configuration_id, export_kind="model",
        leakage={"auc": 0.5, "balanced_accuracy": 0.5, "expected": 0.5}, threshold=0.268, epochs=31, pairs=pairs,
        embedding=embedding, warnings=("2 groups of one spectrum train but give no positives",),
        group_names=tuple(f"batch {g + 1}" for g in range(GROUPS)), group_codes=np.arange(GROUPS * SIZE) // SIZE,
        axis_view=make_view(),
    )  # fmt: skip


def make_view() -> AxisView:
    """Three seeds that agree on two peaks, and shuffled weights that agree with nobody."""
    rng = np.random.default_rng(8)
    axis = np.linspace(77, 999, 260)
    peaks = np.exp(-(((axis - 280) / 20) ** 2)) + 0.6 * np.exp(-(((axis - 760) / 30) ** 2))
    return AxisView(
        axis=axis, spectrum=(peaks + 0.3 * np.sin(axis / 40)).astype(np.float32),
        gradients=(0.01 * peaks + rng.normal(0, 0.0003, (3, 260))).astype(np.float32),
        shuffled=rng.normal(0, 0.004, (3, 260)).astype(np.float32),
        activations=np.repeat(rng.random((3, 26)), 10, axis=1).astype(np.float32), gap=0.013, pairs=32,
    )  # fmt: skip


def make_record(trials: int = 60, *, confirmed: bool = True, protocol: str = "batch-disjoint") -> StudyRecord:
    records, replicates = make_search(trials)
    rng = np.random.default_rng(9)
    study = Study(
        name="transformer", description="Patch Transformer on the embedded REIMS simulation",
        data=DataSource(), protocol=Protocol(name=protocol), dimensions=DIMENSIONS, budget=Budget(trials=trials or 60),
        objectives=("score", "inference_time", "parameters"),
    )  # fmt: skip
    confirmation = make_confirmation(records) if confirmed else None
    if confirmation is not None:
        begin = START + 5400
        first = next(r for r in replicates if r.trial_number == confirmation.winner_trial)
        finalists = [r for r in confirmation.rows if r.kind in ("winner", "finalist")]
        replicates += tuple(
            dataclasses.replace(
                first,
                key=f"c{i}",
                phase="confirm",
                trial_number=None,
                configuration_id=finalists[i // 30].configuration_id,
                score=finalists[i // 30].metrics["matched_auc"].value + 0.012 + float(rng.normal(0, 0.01)),
                cell=i % 30,
                fold=i % FOLDS,
                seed=1000 + i % 30 // FOLDS,
                started_at=begin + 3.0 * (i // 2),
                total_seconds=2.8,
                worker=f"worker-{i % 2}",
                status="diverged" if i == 40 else "finished",
            )
            for i in range(90)
        )
    baselines = tuple(
        BaselineRecord(name, title, tuple(make_pairs(rng, shift) for _ in range(3)), "", 0.8)
        for name, title, shift in (
            ("linear-metric-tuned", "linear metric, tuned", 0.45), ("cosine", "cosine, fixed", 0.12),
        )
    )  # fmt: skip
    return StudyRecord(
        study=study,
        dataset=DatasetRecord("3f9ad1c2b4e5f607", "reims (simulated)", 72, 2080, 24, 2, "Th", 77.04, 999.32),
        created_at=START, trials=records, replicates=replicates, baselines=baselines, confirmation=confirmation,
        environments=(
            EnvironmentRecord(
                "env-1",
                {"torch": "2.13.0", "numpy": "2.4.1", "optuna": "5.0.0", "spectrosim-search": "0.1.0"},
                {"processor": "x86_64, AVX-512", "cores": "2", "memory": "8 GB", "gpu": "none"},
            ),
        ),
        design={
            "spectra": 72, "groups": 24, "detectable_difference": 0.12,
            "parts": [
                {"name": f"fold {f}", "train_groups": 16, "positive": 24, "negative": 252} for f in (1, 2, 3)
            ],

            "importance": {d.path: 0.5 / (i + 1) ** 1.3 for i, d in enumerate(DIMENSIONS)},
        },
        search_seconds=237.0, confirmation_seconds=241.0,
    )  # fmt: skip


@pytest.fixture(scope="session")
def rich() -> StudyRecord:
    """A confirmed study of 60 trials on simulated data."""
    return make_record()


@pytest.fixture(scope="session")
def unconfirmed() -> StudyRecord:
    """The same study before its confirmation."""
    return make_record(confirmed=False)


@pytest.fixture(scope="session")
def empty() -> StudyRecord:
    """A study that has not started."""
    record = make_record(0, confirmed=False)
    return dataclasses.replace(record, environments=(), baselines=(), design={})


@pytest.fixture(scope="session")
def build() -> Callable[..., StudyRecord]:
    """Make records to order."""
    return make_record


def make_named_record(task: Task = "pretrain") -> StudyRecord:
    """The rich record as if its study had named classes: rows by accuracy, named classes instead of pairs."""
    record = make_record()
    assert record.confirmation is not None
    rng = np.random.default_rng(5)
    names = tuple(f"class {i}" for i in range(36))
    truth = np.repeat(np.arange(36), 4)
    parts = []
    for _ in range(3):
        predicted = np.where(rng.random(144) < 0.3, rng.integers(-1, 36, 144), truth)
        parts.append(ClassScores(np.arange(144), truth, predicted, rng.random(144).astype(np.float32)))
    rows = tuple(
        dataclasses.replace(r, metrics={"accuracy": r.metrics["matched_auc"], "macro_f1": r.metrics["auc"]})
        for r in record.confirmation.rows
        if r.kind in ("winner", "finalist", "baseline")
    )
    details = {rows[0].name: {"novelty": 0.4, "mixtures_of_2": 0.9}, rows[1].name: {"novelty": 0.2}}
    truth_of_four = np.argsort(rng.random((200, 36)), axis=1)[:, :4]
    found_of_four = np.where(rng.random((200, 4)) < 0.9, truth_of_four, -1)
    named = [MixtureScores(truth_of_four[:, :k], found_of_four[:, :k]) for k in (2, 3, 4)]
    confirmation = dataclasses.replace(
        record.confirmation,
        metric="accuracy",
        rows=rows,
        pairs=(),
        classes=tuple(parts),
        class_names=names,
        details=details,
        mixtures={row.name: mixture_estimates(named) for row in (rows[0], rows[-1])},
        leakage={},
        axis_view=None,
        embedding=np.zeros((0, 2), dtype=np.float32),
    )
    study = dataclasses.replace(record.study, task=task, metric="accuracy")
    design = {**record.design, "unit": "groups", "leaks": False}
    return dataclasses.replace(record, study=study, confirmation=confirmation, design=design)


@pytest.fixture(scope="session")
def named() -> StudyRecord:
    """A confirmed study that names classes."""
    return make_named_record()
