"""Does the verdict keep its word? Whole studies on spectra of which no two are of one batch.

Run: ``python -m benchmarks.validity_pipeline [--scorings …] [--repetitions 300] [--workers 2] [--out FILE.jsonl]``.
Simulated REIMS spectra with a batch effect of zero hold nothing to find: every model and every baseline is worth a
matched-label AUC of .5, and their difference is 0. Each repetition simulates a new set, searches it, confirms and
judges, all by the same functions as ``run``, and notes the verdict. A rule that keeps its word calls a winner *better*
in 2.5 % of them at most (the lower bound of a 95 % interval above 0). Repetitions are lines of the file: what stands
there is not run again.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from spectrosim_search.config.study import Budget, Confirmation, Dimension, Ladder, Protocol, Sampler, Study
from spectrosim_search.search.run import prepare_study, run_study
from spectrosim_search.spectra.simulators import simulate

Scoring = Literal["hold-out", "corrected-cv", "nested"]
SCORINGS: tuple[Scoring, ...] = get_args(Scoring)
GROUPS: dict[Scoring, int] = {"hold-out": 60, "corrected-cv": 24, "nested": 24}
METRIC = "matched_auc"
ALLOWED = 0.05  # share of studies of nothing that may be called better


@dataclass(frozen=True)
class Repetition:
    """What one study of nothing said. `winner`: its score; `difference` with its interval as the verdict has it."""

    scoring: Scoring
    repetition: int
    outcome: str
    winner: float
    difference: float
    low: float
    high: float
    standard_error: float
    seconds: float


def study_of(scoring: Scoring, seed: int) -> Study:
    """Eight trials of the whitened encoder without training: a linear metric with its knobs open."""
    nested = {"outer_folds": 3} if scoring == "nested" else {}
    return Study(
        name="nothing",
        metric=METRIC,
        protocol=Protocol(scoring=scoring, seeds=1, seed=seed, **nested),
        base=(
            ("encoder.type", "whitened"),
            ("head.type", "linear"),
            ("training.similarity", "encoder"),
            ("training.epochs", 0),
        ),
        dimensions=(
            Dimension("encoder.components", "int", 2, 20),
            Dimension("encoder.shrinkage", "float", 0.001, 1.0, log=True),
            Dimension("preprocessing.intensity", "categorical", choices=("none", "tic", "sqrt", "log")),
        ),
        sampler=Sampler("random"),
        ladder=Ladder(rungs=(1,), minimum=100),
        budget=Budget(trials=8),
        confirmation=Confirmation(finalists=2, seeds=2, minimum_seeds=1, presets=()),
        baselines=("cosine", "linear-metric", "linear-metric-tuned"),
        seed=seed,
    )


def repeat(scoring: Scoring, repetition: int) -> Repetition:
    """One study of nothing, from new spectra to its verdict; the same repetition gives the same numbers."""
    import torch

    torch.set_num_threads(1)
    started = time.perf_counter()
    spectra = simulate(
        "reims",
        seed=repetition,
        batches=GROUPS[scoring],
        channels=200,
        peaks=40,
        peak_width=3.0,
        batch_spread=0.0,
        batch_residual=0.0,
    )
    prepared = prepare_study(study_of(scoring, repetition), spectra=replace(spectra, truth={}))
    with tempfile.TemporaryDirectory() as folder:
        record = run_study(prepared, storage=f"sqlite:///{folder}/nothing.db", workers=0)
    confirmation = record.confirmation
    assert confirmation is not None and confirmation.scoring == scoring
    winner = next(row for row in confirmation.rows if row.kind == "winner")
    found = confirmation.verdict.difference
    return Repetition(
        scoring=scoring,
        repetition=repetition,
        outcome=confirmation.verdict.outcome,
        winner=winner.metrics[METRIC].value,
        difference=found.value,
        low=found.low,
        high=found.high,
        standard_error=found.standard_error,
        seconds=time.perf_counter() - started,
    )


def read(out: Path) -> list[Repetition]:
    """The repetitions that stand in a file."""
    lines = out.read_text(encoding="utf-8").splitlines() if out.is_file() else []
    return [Repetition(**json.loads(line)) for line in lines if line.endswith("}")]  # a cut line was never finished


def run(scorings: Sequence[Scoring], repetitions: int, out: Path, workers: int) -> list[Repetition]:
    """Run what does not stand in the file yet; return repetitions 0 to `repetitions` - 1 of each way to score."""
    out.parent.mkdir(parents=True, exist_ok=True)
    done = {(r.scoring, r.repetition) for r in read(out)}
    wanted = [(s, i) for i in range(repetitions) for s in scorings]
    missing = [task for task in wanted if task not in done]
    with out.open("a", encoding="utf-8") as lines:
        if out.stat().st_size and not out.read_bytes().endswith(b"\n"):
            lines.write("\n")

        def note(found: Repetition) -> None:
            lines.write(json.dumps(asdict(found)) + "\n")
            lines.flush()

        if workers <= 1:
            for task in missing:
                note(repeat(*task))
        elif missing:
            with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
                for future in as_completed([pool.submit(repeat, *task) for task in missing]):
                    note(future.result())
    return [r for r in read(out) if (r.scoring, r.repetition) in set(wanted)]


def better(found: Sequence[Repetition]) -> tuple[float, float]:
    """Share of verdicts *better* and the most that chance explains where the true share is 5 %: two standard errors."""
    share = float(np.mean([r.outcome == "better" for r in found]))
    return share, ALLOWED + 2 * math.sqrt(ALLOWED * (1 - ALLOWED) / len(found))


def table(found: Sequence[Repetition]) -> str:
    """One line a way to score."""
    lines = ["| scoring | groups | studies | better | interval holds 0 | winner (sd) | difference (sd) | mean se |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for scoring in SCORINGS:
        own = [r for r in found if r.scoring == scoring]
        if not own:
            continue
        holds = np.mean([not r.low > 0.0 and not r.high < 0.0 for r in own])  # no interval excludes nothing
        winner, difference = (np.array([getattr(r, name) for r in own]) for name in ("winner", "difference"))
        lines.append(
            f"| `{scoring}` | {GROUPS[scoring]} | {len(own)} | {better(own)[0]:.1%} | {holds:.3f} | "
            f"{np.nanmean(winner):.3f} ({np.nanstd(winner):.3f}) | "
            f"{np.nanmean(difference):+.3f} ({np.nanstd(difference):.3f}) | "
            f"{np.nanmean([r.standard_error for r in own]):.3f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scorings", nargs="+", choices=SCORINGS, default=list(SCORINGS))
    parser.add_argument("--repetitions", type=int, default=300)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/validity_pipeline.jsonl"))
    given = parser.parse_args()
    print(table(run(given.scorings, given.repetitions, given.out, given.workers)))


if __name__ == "__main__":
    main()
