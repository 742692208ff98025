"""Fits of baselines as pieces of work: which there are, and doing one of them on any worker.

A method that draws nothing is fitted once a fold and scores every pair of all seeds' halves once; one that draws
(`SEEDED`) is fitted for each fold and seed and scores that seed's halves. With a hold-out each is fitted once more on
all searched groups and scores the held-out pairs. A fit depends on its item alone, not on the worker or on what ran
before it; what methods of a family share on one input saves time only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines import BaselineInput, BaselineOutput, family, revision, seeded
from spectrosim_search.baselines import run as run_baseline
from spectrosim_search.config.errors import InputError, RunError
from spectrosim_search.config.study import Study
from spectrosim_search.evaluation.scores import PairScores
from spectrosim_search.protocol.cells import CellSplit, HoldOut
from spectrosim_search.protocol.pairs import PairSet
from spectrosim_search.search.records import EVERY_SEED, HELD_OUT_FOLD, BaselineFit
from spectrosim_search.search.workbench import Workbench

__all__ = ["BaselineItem", "baseline_items", "fit_baseline", "judged_pairs", "locate_pairs", "recorded", "run_part"]

Status = Literal["finished", "unsuitable", "failed"]


@dataclass(frozen=True)
class BaselineItem:
    """One fit. `fold` may be HELD_OUT_FOLD, `seed` EVERY_SEED; `seeds` are those whose halves are scored.

    study: whose cell it is; workers may have been started for another study on the same spectra. `family`: methods
    that share work on one input, empty for one that shares none.
    """

    key: str
    baseline: str
    fold: int
    seed: int
    seeds: tuple[int, ...]
    study: Study
    family: str = ""

    def shares(self, other: BaselineItem) -> bool:
        """Whether both share work, so that one worker had better do them together."""
        mine, theirs = ((i.family, i.fold, i.seed, i.seeds) for i in (self, other))
        return bool(self.family) and mine == theirs


def baseline_items(
    bench: Workbench, names: Sequence[str], seeds: Sequence[int], drawn: Sequence[int], *, hold_out: bool
) -> list[BaselineItem]:
    """All fits of some baselines: first those that draw nothing, scored on the halves of `seeds`, then the others for
    the seeds `drawn`, seed by seed, so that a limit of time cuts off whole seeds of every method.

    Raises InputError for an unknown name.
    """
    folds = [*range(bench.design.folds), *([HELD_OUT_FOLD] if hold_out and bench.design.hold_out is not None else [])]
    drawing = {name: seeded(name) for name in names}
    places = [(name, fold, EVERY_SEED) for name in names if not drawing[name] for fold in folds]
    places += [(name, fold, seed) for seed in drawn for name in names if drawing[name] for fold in folds]
    return [
        BaselineItem(
            key=bench.baseline_key(name, fold, seed, revision(name)),
            baseline=name,
            fold=fold,
            seed=seed,
            seeds=tuple(seeds) if seed == EVERY_SEED else (seed,),
            study=bench.study,
            family=family(name),
        )
        for name, fold, seed in places
    ]


def judged_pairs(bench: Workbench, item: BaselineItem) -> tuple[PairSet, ...]:
    """What a fit scores: the held-out pairs, the halves of its seed, or every pair of any seed's halves once."""
    if item.fold == HELD_OUT_FOLD:
        return (_held_out(bench).pairs,)
    halves = [half for seed in item.seeds for half in bench.split(item.fold, seed).halves]
    if item.seed != EVERY_SEED:
        return tuple(halves)
    left, right, positive, stratum = (
        np.concatenate([getattr(half, name) for half in halves]) for name in ("left", "right", "positive", "stratum")
    )
    first = np.unique(_codes(left, right), return_index=True)[1]
    return (PairSet(left[first], right[first], positive[first], stratum[first]),)


def locate_pairs(pairs: Sequence[PairScores], wanted: PairSet) -> NDArray[np.float32] | None:
    """Similarities ``(P,)`` of the wanted pairs, found among those scored; None where one of them was not scored."""
    codes = np.concatenate([_codes(p.left, p.right) for p in pairs]) if pairs else np.empty(0, dtype=np.int64)
    known = np.concatenate([p.similarity for p in pairs]) if pairs else np.empty(0, dtype=np.float32)
    asked = _codes(wanted.left, wanted.right)
    if not len(asked):
        return np.empty(0, dtype=np.float32)
    if not len(codes):
        return None
    order = np.argsort(codes, kind="stable")
    place = np.minimum(np.searchsorted(codes, asked, sorter=order), len(codes) - 1)
    found = order[place]
    return known[found].astype(np.float32) if bool((codes[found] == asked).all()) else None


def fit_baseline(
    bench: Workbench, item: BaselineItem, *, worker: str, environment_id: str, shared: dict[str, Any] | None = None
) -> BaselineFit:
    """Fit on the fold's training spectra and score, on one thread; `shared`: of fits done one after the other."""

    def fitted() -> dict[str, Any]:
        judged = judged_pairs(bench, item)
        output = _run(bench, item, judged, shared)
        pairs = tuple(
            PairScores(p.left, p.right, p.positive, p.stratum, s.astype(np.float32), float("nan"))
            for p, s in zip(judged, output.similarities, strict=True)
        )
        return {"settings": output.settings, "pairs": pairs}

    return recorded(item, fitted, worker=worker, environment_id=environment_id)


def recorded(
    item: BaselineItem, fit: Callable[[], Mapping[str, Any]], *, worker: str, environment_id: str
) -> BaselineFit:
    """Do a fit that gives the fields of its record which are its own.

    What goes wrong is recorded with its reason and ends nothing: another method may well run.
    """
    started, begun = time.time(), time.perf_counter()
    status: Status = "finished"
    reason = ""
    own: Mapping[str, Any] = {}
    try:
        own = fit()
    except (InputError, RunError, ArithmeticError, np.linalg.LinAlgError) as error:
        status, reason = "unsuitable", _first_line(error)
    except MemoryError:
        status, reason = "failed", "out of memory"
    except Exception as error:  # noqa: BLE001  one method among many, over libraries that raise what they like
        status, reason = "failed", f"{type(error).__name__}: {_first_line(error)}"
    return BaselineFit(
        key=item.key,
        baseline=item.baseline,
        fold=item.fold,
        seed=item.seed,
        status=status,
        reason=reason,
        worker=worker,
        started_at=started,
        seconds=time.perf_counter() - begun,
        environment_id=environment_id,
        **{"settings": "", "pairs": (), **own},
    )


def run_part(
    bench: Workbench,
    name: str,
    part: CellSplit | HoldOut,
    pairs: tuple[PairSet, ...],
    *,
    seed: int = 0,
    training_seed: int = 0,
    shared: dict[str, Any] | None = None,
) -> BaselineOutput:
    """Fit a baseline on the training rows of a split, on one thread, and score pairs; `seed` draws its inner folds.

    Raises what :func:`spectrosim_search.baselines.run` raises.
    """
    from threadpoolctl import threadpool_limits

    labels = np.unique(bench.spectra.labels, return_inverse=True)[1]
    given = BaselineInput(
        spectra=bench.spectra,
        train=part.train,
        groups=part.groups,
        labels=np.where(bench.spectra.labels == "", -1, labels).astype(np.int64),
        relation=part.relation,
        pairs=pairs,
        metric=bench.study.metric,
        seed=seed,
        training_seed=training_seed,
        shared=shared,
    )
    with threadpool_limits(limits=1):  # the same sums on every machine of a cluster, and in this process
        return run_baseline(name, given)


def _run(
    bench: Workbench, item: BaselineItem, judged: tuple[PairSet, ...], shared: dict[str, Any] | None
) -> BaselineOutput:
    part: CellSplit | HoldOut
    part = _held_out(bench) if item.fold == HELD_OUT_FOLD else bench.split(item.fold, item.seeds[0])
    drawn = 0 if item.seed == EVERY_SEED else item.seed
    return run_part(bench, item.baseline, part, judged, seed=bench.study.seed, training_seed=drawn, shared=shared)


def _held_out(bench: Workbench) -> HoldOut:
    if bench.design.hold_out is None:
        raise RunError("this study holds nothing out: its baselines are scored out of fold")
    return bench.design.hold_out


def _codes(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    """One number for each ordered pair of rows; a spectra set has fewer than 2³¹."""
    return (left.astype(np.int64) << 31) | right.astype(np.int64)


def _first_line(error: BaseException) -> str:
    """The first line of an error's text, or its kind where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
