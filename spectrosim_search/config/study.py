"""What a study asks: data, protocol, space, sampler, ladder, budget, confirmation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from spectrosim_search.config.configuration import Scalar
from spectrosim_search.config.fields import content_hash, field, plain

__all__ = [
    "Budget",
    "Confirmation",
    "DataSource",
    "Dimension",
    "Ladder",
    "Objective",
    "Protocol",
    "Sampler",
    "Screening",
    "Study",
    "Task",
]

Metric = Literal["matched_auc", "auc", "balanced_accuracy", "average_precision", "mcc", "accuracy", "macro_f1"]
Task = Literal["same-batch", "identify", "pretrain", "synthesis"]
Objective = Literal["score", "inference_time", "parameters"]


@dataclass(frozen=True)
class DataSource:
    """Where the spectra come from and which columns mean what."""

    path: str = field("", "a file of spectra; empty: the simulator named below")
    simulator: str = field("reims", "embedded simulator, used where no file is given")
    simulator_parameters: tuple[tuple[str, Scalar], ...] = field(
        (), "parameters of the simulator other than its defaults"
    )
    group_column: str = field("", "column that names the group; empty: found by name")
    label_column: str = field("", "column that names the label; empty: found by name, or none")
    id_column: str = field("", "column that names the sample; empty: found by name")
    split_column: str = field("", "column whose members stay on one side of every split; empty: found by name 'split'")
    group_pattern: str = field("", "regular expression on the sample id whose first group names the group")
    vectors: str = field("", "a CSV file of one vector a class, by name or InChIKey (task synthesis)")


@dataclass(frozen=True)
class Protocol:
    """Who may meet whom, and how a search is scored (DESIGN §5)."""

    name: Literal["batch-disjoint", "shared-batch", "random-pairs"] = field(
        "batch-disjoint",
        "batch-disjoint (C3): neither batch of a test pair was seen in training; shared-batch (C2): one spectrum was; "
        "random-pairs (C1): pairs split at random, leaks",
    )
    scoring: Literal["auto", "hold-out", "corrected-cv", "nested"] = field(
        "auto",
        "auto: hold-out from 60 groups on, corrected-cv from 8 on; nested: a search in each outer fold and a last "
        "one on all groups, the score is the procedure's",
    )
    outer_folds: int = field(5, "outer folds, each with a search of its own (nested)", low=2, high=20)
    folds: int = field(0, "grouped folds; 0: 3, or 2 below 12 groups", low=0, high=20)
    seeds: int = field(4, "training seeds of a trial that climbs the whole ladder", low=1, high=100)
    hold_out: float = field(1 / 3, "share of groups held out of the whole search (hold-out)", low=0.1, high=0.5)
    seed: int = field(0, "seed of the splits", low=0)
    train_share: float = field(
        1.0,
        "share of the training spectra of every class that are used, one at least; the judged ones stay (tasks that "
        "name a class)",
        low=0.01,
        high=1.0,
    )

    @property
    def question(self) -> dict[str, Any]:
        """The plain form without what has no say: outer folds belong to nested scoring alone."""
        kept: dict[str, Any] = plain(self)
        if self.scoring != "nested":  # so that studies older than these choices keep their question
            del kept["outer_folds"]
        if self.train_share == 1.0:
            del kept["train_share"]
        return kept


@dataclass(frozen=True)
class Dimension:
    """One thing that may vary. `path` is a dotted place in the configuration, e.g. ``encoder.width``."""

    path: str
    kind: Literal["float", "int", "categorical"]
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    step: float = 0.0  # 0: continuous (float) or 1 (int)
    choices: tuple[Scalar, ...] = ()
    when: tuple[
        tuple[str, tuple[Scalar, ...]], ...
    ] = ()  # all must hold: (path of an earlier dimension, allowed values)
    description: str = ""


@dataclass(frozen=True)
class Sampler:
    """How configurations are proposed."""

    type: Literal["tpe", "random", "qmc", "gp", "cmaes", "nsga2"] = field(
        "tpe", "tpe is multivariate and grouped; nsga2 is made for several objectives and long searches"
    )
    startup: int = field(
        12, "random configurations before the sampler learns; with nsga2 the size of a generation", low=0
    )
    batch: int = field(
        1,
        "trials asked for together, of one architecture, so that a GPU trains them in one stack; 1 on processors",
        low=1,
        high=1024,
    )


@dataclass(frozen=True)
class Ladder:
    """How a trial earns cells (DESIGN §7)."""

    rungs: tuple[int, ...] = field((1, 3, 6), "cells at which a trial is judged; after the last it climbs to all")
    keep: float = field(1 / 3, "share of trials that go on at the rungs judged by rank", low=0.01, high=1.0)
    minimum: int = field(8, "trials at a rung before any is stopped by rank", low=1)
    p_value: float = field(0.1, "one-sided paired test against the incumbent from the last rung on", low=0.0, high=0.5)
    curves: bool = field(True, "stop a replicate whose epoch curve falls below finished curves of the same cell")


@dataclass(frozen=True)
class Screening:
    """Cheap trials before the search: a few keys vary, all else is as in the base; the best of them start it."""

    trials: int = field(0, "trials in which only `vary` varies, after the known good ones; 0: no screening", low=0)
    vary: tuple[str, ...] = field((), "keys, or beginnings of keys (preprocessing), that vary while screening")
    starts: int = field(3, "best screened trials that go on in each way that `climb` names", low=1)

    @staticmethod
    def means(key: str, paths: Iterable[str]) -> bool:
        """Whether a key of `vary` is, or is the beginning of, one of these dotted paths."""
        return any(path == key or path.startswith(key + ".") for path in paths)


@dataclass(frozen=True)
class Budget:
    """When to stop; confirmation is included. Zero means no limit of that kind."""

    trials: int = field(60, "total of finished and pruned trials", low=1)
    minutes: float = field(0.0, "wall time of search and confirmation together", unit="min", low=0.0)
    replicates: int = field(0, "training runs of search and confirmation together", low=0)


@dataclass(frozen=True)
class Confirmation:
    """The end of a study: finalists and presets with fresh seeds, baselines, statistics, verdict."""

    finalists: int = field(3, "best trials trained again", low=1)
    seeds: int = field(30, "fresh seeds of each finalist", low=1)
    preset_seeds: int = field(5, "fresh seeds of each preset", low=1)
    minimum_seeds: int = field(3, "seeds below which a confirmation is not shown", low=1)
    presets: tuple[str, ...] = field(("spectrosim-paper", "spectrosim-chapter"), "presets trained beside the finalists")
    front: int = field(0, "further finalists from the Pareto front, best score first (needs several objectives)", low=0)
    selection: Literal["score", "uniformity", "alignment-uniformity", "effective-rank"] = field(
        "score",
        "what chooses finalists and committee among the finished trials: their search score, or a criterion of their "
        "validation embeddings that sees no group; the trial that labels would choose is then confirmed beside them",
    )
    committee: int = field(
        0,
        "best trials as one more finalist (3 at least): their similarities averaged, or the classes they name put to "
        "the vote; 0: none",
        low=0,
        high=100,
    )
    mixtures: int = field(
        0,
        "mixtures of 2, of 3 and of 4 judged spectra of distinct classes, made in every fold, whose components "
        "finalists and reference rows name (task identify); 0: none",
        low=0,
        high=100000,
    )
    axis_view: bool = field(
        True, "train the winner three times more to show where along the axis it looks, and whether its seeds agree"
    )
    label_fractions: tuple[float, ...] = field(
        (),
        "shares of the labels with which winner, its counterpart without pretraining and baselines are trained again, "
        "for a curve over labels (task pretrain); empty: none",
    )
    share: float = field(0.5, "largest share of the wall time reserved for confirmation", low=0.05, high=0.95)


@dataclass(frozen=True)
class Study:
    """One question put to the data; frozen once composed from YAML and options."""

    name: str
    task: Task = "same-batch"
    description: str = ""
    data: DataSource = DataSource()
    protocol: Protocol = Protocol()
    metric: Metric = "matched_auc"
    objectives: tuple[Objective, ...] = ("score",)  # what is searched for; the score comes first
    base: tuple[tuple[str, Scalar], ...] = ()  # dotted path → value: what all trials share
    dimensions: tuple[Dimension, ...] = ()  # what varies, conditions after what they depend on
    known_good: tuple[tuple[tuple[str, Scalar], ...], ...] = ()  # enqueued first: dotted path → value
    climb: tuple[tuple[tuple[str, Scalar], ...], ...] = ()  # ways on from the best screened trials: path → value
    screening: Screening = Screening()
    sampler: Sampler = Sampler()
    ladder: Ladder = Ladder()
    budget: Budget = Budget()
    confirmation: Confirmation = Confirmation()
    baselines: tuple[str, ...] = (
        "union-find",
        "cosine",
        "cosine-tuned",
        "linear-metric",
        "linear-metric-tuned",
        "plda-tuned",
    )
    seed: int = 0

    def to_dict(self) -> Mapping[str, Any]:
        """Return the plain form (dicts, lists, scalars)."""
        import dataclasses

        return {f.name: plain(getattr(self, f.name)) for f in dataclasses.fields(self)}

    @property
    def question(self) -> str:
        """Hash of what may not change when a study goes on: everything but name, budget, confirmation, baselines."""
        free = ("name", "description", "budget", "confirmation", "baselines")
        kept = {k: v for k, v in self.to_dict().items() if k not in free}
        if kept["objectives"] == ["score"]:  # so that studies older than this choice keep their question
            del kept["objectives"]
        if not self.data.vectors:
            del kept["data"]["vectors"]
        kept["protocol"] = self.protocol.question
        return content_hash(kept)
