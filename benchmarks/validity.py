"""Does the statistics layer keep its promises? Simulated groups with known truth.

``python -m benchmarks.validity statistics --out FILE [--repetitions 2000] [--groups 8 12 24 60]`` appends one JSON line
a repetition to FILE, skips what is there, and prints the summary; stop and start it as you like. Checks:

* ``pair``: two fixed models of equal worth. How often the 95 % intervals of one score and of the difference hold the
  truth, and how often the verdict is *better*.
* ``seeds``: the same with five seeds instead of two, so that groups meet in many halves. In the case *trained* every
  cell has a model of its own, and *better* is a lower bound above the true difference.
* ``search``: the best of 20 trials against the best of 3 baselines, all of equal worth, the winner corrected for its
  selection as a confirmation does it. How often the verdict is *better*.
* ``rivals``: one model that nobody chose against the best of 5 or 48 baselines, one of which is of its worth and the
  others are worse. How often the verdict is *better*, and how often it would be if the best baseline were lowered by
  what BBC-CV says choosing it added to its score.
* ``correction``: the best of 12 trials; estimated and true optimism of its score.
* ``rates``: how often the intervals of an exported model's error rates hold what its threshold does to new groups.

Repetition n of a check is seeded from (check, case, groups, n) alone.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import zlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks._error_rates import rates
from benchmarks._worlds import World, design_of, trained, world
from spectrosim_search.evaluation.scores import Estimate
from spectrosim_search.evaluation.statistics import Difference, bbc, jackknife, paired_difference
from spectrosim_search.evaluation.verdict import decide
from spectrosim_search.protocol.design import Design

__all__ = ["CHECKS", "measure", "summary"]

Row = dict[str, float]
Check = Callable[[str, int, np.random.Generator], Row]
SEEDS, MANY, REPEATS = 2, 5, 200


def _holds(estimate: Estimate, truth: float) -> float:
    return float(estimate.low <= truth <= estimate.high)


def _better(difference: Estimate, groups: int) -> float:
    verdict = decide(difference, best_baseline="b", best_title="B", metric="auc", groups=groups)
    return float(verdict.outcome == "better")


def _pair(known: World, design: Design, seeds: int, rng: np.random.Generator) -> Row:
    """Two models, all pairs and matched ones; nothing of a metric that is undefined."""
    a, b = known.cells(design, seeds, rng)
    lead = float(known.worth[0] - known.worth[1])
    out: Row = {}
    for metric in ("auc", "matched_auc"):
        one = jackknife(a, design.units, metric)
        both = paired_difference(a, b, design.units, metric).estimate
        found = {
            "one": _holds(one, known.worth[0]),
            "difference": _holds(both, lead),
            "better": float(both.low > lead),
            "score": one.value,
            "error": one.standard_error,
            "gap": both.value,
            "gap_error": both.standard_error,
        }
        nothing = math.isnan(one.low) or math.isnan(both.low)
        out |= {f"{metric} {name}": math.nan if nothing else value for name, value in found.items()}
    return out


def pair(case: str, groups: int, rng: np.random.Generator) -> Row:
    """Two models of equal worth."""
    shape, _, case = case.rpartition("-")
    return _pair(world(case, 2), design_of(groups, shape or "plain"), SEEDS, rng)


def many_seeds(case: str, groups: int, rng: np.random.Generator) -> Row:
    """Two models with `MANY` seeds."""
    design = design_of(groups, "plain")
    cells = MANY * design.folds
    return _pair(trained("equal", 2, cells) if case == "trained" else world(case, 2), design, MANY, rng)


def search(case: str, groups: int, rng: np.random.Generator) -> Row:
    """Best of 20 trials against the best of 3 baselines."""
    known, design = world(case, 23), design_of(groups, "plain")
    cells = {str(i): method for i, method in enumerate(known.cells(design, SEEDS, rng))}
    trials = {name: cells[name] for name in list(cells)[:20]}
    baselines = {name: cells[name] for name in list(cells)[20:]}
    winner = bbc(trials, design.units, "auc", repeats=REPEATS)
    rival = max(baselines, key=lambda name: jackknife(baselines[name], design.units, "auc").value)
    raw = paired_difference(cells[winner.best], cells[rival], design.units, "auc")
    corrected: Difference = raw.shifted(-winner.optimism)
    score = jackknife(cells[winner.best], design.units, "auc")
    low, high = score.low - winner.optimism, score.high - winner.optimism
    return {
        "better": _better(corrected.estimate, groups),
        "better uncorrected": _better(raw.estimate, groups),
        "winner": float(low <= known.worth[int(winner.best)] <= high),
    }


def rivals(case: str, groups: int, rng: np.random.Generator) -> Row:
    """A model nobody chose against the best of `case` baselines, of which one is of its worth."""
    known, design = world("rivals", 1 + int(case)), design_of(groups, "plain")
    own, *others = known.cells(design, SEEDS, rng)
    baselines = {str(i): method for i, method in enumerate(others, 1)}
    found = bbc(baselines, design.units, "auc", repeats=REPEATS)
    raw = paired_difference(own, baselines[found.best], design.units, "auc")
    parts = (found.bootstrap, found.linear, found.bound)  # the smallest favours the model least
    lowered = 0.0 if np.isnan(parts).any() else max(0.0, min(parts))
    return {
        "better": _better(raw.estimate, groups),
        "better lowered": _better(raw.shifted(lowered).estimate, groups),
        "gap": raw.estimate.value,
        "gap lowered": raw.estimate.value + lowered,
        "equal chosen": float(found.best == "1"),
    }


def correction(case: str, groups: int, rng: np.random.Generator) -> Row:
    """Best of 12 trials: every ingredient of the correction against what the selection really did.

    The truth is the winner's score above its worth, less the mean of that over all trials: luck that all trials share
    with these groups is no selection.
    """
    shape, _, case = case.rpartition("-")
    known, design = world(case, 12), design_of(groups, shape or "plain")
    metric = "matched_auc" if shape == "tablets" else "auc"
    cells = {str(i): method for i, method in enumerate(known.cells(design, SEEDS, rng))}
    found = bbc(cells, design.units, metric, repeats=REPEATS)
    gaps = np.array([jackknife(m, design.units, metric).value for m in cells.values()]) - known.worth
    if np.isnan(gaps).any():
        return {}
    parts = {"true": float(gaps[int(found.best)] - gaps.mean()), "taken": found.optimism, "bound": found.bound}
    return parts | {"bootstrap": found.bootstrap, "linear": found.linear, "plain": found.full - found.plain}


CHECKS: dict[str, tuple[Check, tuple[str, ...]]] = {
    "pair": (pair, ("none", "equal", "alike", "tablets-equal")),
    "seeds": (many_seeds, ("equal", "trained")),
    "search": (search, ("none", "equal", "alike")),
    "rivals": (rivals, ("5", "48")),
    "correction": (
        correction,
        ("none", "equal", "alike", "one", "scattered", "tablets-high", "tablets-equal", "tablets-scattered"),
    ),
    "rates": (lambda case, groups, rng: rates(groups, rng), ("equal",)),
}


def _key(row: dict[str, float | str]) -> tuple[str, str, int]:
    return str(row["check"]), str(row["case"]), int(row["groups"])


def _read(out: Path) -> list[dict[str, float | str]]:
    lines = out.read_text().splitlines() if out.exists() else []
    return [json.loads(line) for line in lines if line.endswith("}")]  # a cut line was never finished


def repetitions(check: str, case: str, groups: int, first: int, stop: int) -> list[str]:
    """Repetitions `first` to `stop` - 1 as lines of the file."""
    lines = []
    with threadpool_limits(limits=1):  # matrices are tiny: a second thread would only wait
        for n in range(first, stop):
            rng = np.random.default_rng([zlib.crc32(f"{check} {case}".encode()), groups, n])
            row = {"check": check, "case": case, "groups": groups, "n": n}
            lines.append(json.dumps(row | CHECKS[check][0](case, groups, rng)) + "\n")
    return lines


def measure(
    out: Path,
    checks: Iterable[str],
    groups: Sequence[int],
    wanted: int,
    *,
    share: int = 20,
    cases: Collection[str] = (),
    workers: int = 1,
) -> None:
    """Append what is missing of `wanted` repetitions of every check, case and number of groups.

    `share` of each in turn. `cases`: these alone; all where empty. `workers`: processes; the lines are the same, in
    another order.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    done: dict[tuple[str, str, int], set[int]] = defaultdict(set)
    for row in _read(out):
        done[_key(row)].add(int(row["n"]))
    places = [(c, case, g) for c in checks for case in CHECKS[c][1] for g in groups]
    places = [p for p in places if not cases or p[1] in cases]
    places = [p for p in places if not p[1].startswith("tablets") or p[2] % 12 == 0]
    parts = []
    for first in range(0, wanted, share):
        stop = min(first + share, wanted)
        for place in places:
            missing = [n for n in range(first, stop) if n not in done[place]]
            if missing and missing == list(range(missing[0], stop)):
                parts.append((*place, missing[0], stop))
            else:
                parts += [(*place, n, n + 1) for n in missing]
    with out.open("a") as file:
        if out.stat().st_size and not out.read_bytes().endswith(b"\n"):
            file.write("\n")  # the last line was cut
        if workers <= 1:
            for part in parts:
                file.writelines(repetitions(*part))
                file.flush()
            return
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            for future in as_completed([pool.submit(repetitions, *part) for part in parts]):
                file.writelines(future.result())
                file.flush()


def summary(out: Path) -> dict[tuple[str, str, int], dict[str, float]]:
    """Means of every field by (check, case, groups), with `repetitions`, and bias and root-mean-square error of each
    ingredient of the correction."""
    rows = defaultdict(list)
    for row in _read(out):
        rows[_key(row)].append({k: float(v) for k, v in row.items() if k not in ("check", "case", "groups", "n")})
    found = {}
    for key, values in rows.items():
        values = [v for v in values if v]
        if not values:
            continue
        columns = {name: np.array([v[name] for v in values]) for name in values[0]}
        means = {"repetitions": float(len(values))}
        for name, column in columns.items():
            known = column[~np.isnan(column)]
            means[name] = float(known.mean()) if len(known) else float("nan")
            if key[0] in ("pair", "seeds") and name.endswith(("score", "gap")):
                means[f"{name} sd"] = float(known.std()) if len(known) else float("nan")
            if key[0] == "correction" and name != "true" and len(known):
                miss = (column - columns["true"])[~np.isnan(column)]
                means[f"{name} bias"], means[f"{name} rmse"] = float(miss.mean()), float(np.sqrt((miss**2).mean()))
        found[key] = means
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["statistics"])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--repetitions", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--groups", type=int, nargs="+", default=[8, 12, 24, 60])
    parser.add_argument("--checks", nargs="+", choices=list(CHECKS), default=list(CHECKS))
    asked = parser.parse_args()
    measure(asked.out, asked.checks, asked.groups, asked.repetitions, workers=asked.workers)
    for (check, case, groups), means in sorted(summary(asked.out).items()):
        said = "  ".join(f"{name} {value:.3f}" for name, value in means.items() if name != "repetitions")
        print(f"{check} {case} G={groups} n={means['repetitions']:.0f}: {said}")


if __name__ == "__main__":
    main()
