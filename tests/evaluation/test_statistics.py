"""Jackknife, paired differences, Holm and the corrected score, against naive twins and simulated truth."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import pytest

from spectrosim_search.config.study import Protocol
from spectrosim_search.evaluation import verification as v
from spectrosim_search.evaluation.blocks import MAX_BLOCKS, Blocks
from spectrosim_search.evaluation.frames import Frame
from spectrosim_search.evaluation.methods import mean_defined, values_under
from spectrosim_search.evaluation.resampling import part_values
from spectrosim_search.evaluation.scores import PairScores
from spectrosim_search.evaluation.statistics import bbc, holm, jackknife, paired_difference
from spectrosim_search.protocol.design import make_design

from .simulated import design_of, latent, method


def naive_score(part, weights, metric):
    s, y, t = part.similarity, part.positive, part.threshold
    return {
        "auc": lambda: v.auc(s, y, weights),
        "matched_auc": lambda: v.matched_auc(s, y, part.stratum, weights).value,
        "balanced_accuracy": lambda: v.balanced_accuracy(s, y, t, weights),
        "mcc": lambda: v.mcc(s, y, t, weights),
        "eer": lambda: v.equal_error_rate(s, y, weights),
        "average_precision": lambda: v.average_precision(s, y, weights),
    }[metric]()


@pytest.mark.parametrize("metric", v.METRICS)
@pytest.mark.parametrize("name", ["batch-disjoint", "shared-batch", "random-pairs"])
def test_every_weighting_equals_the_weighted_score(metric, name):
    rng = np.random.default_rng(0)
    design = design_of(12, name=name)
    part = method(design, latent(design, rng), seeds=1)[0][0]
    part = replace(part, similarity=part.similarity.round(1))  # ties
    units, both = np.unique(design.units[np.concatenate([part.left, part.right])], return_inverse=True)
    left, right = both[: len(part.left)], both[len(part.left) :]
    weights = rng.integers(0, 3, size=(25, len(units))).astype(float)
    weights[0] = 1
    weights[1] = 0
    found = part_values([part], Frame.of(part, np.arange(len(units)), left, right), weights, metric)[0]
    for row, w in zip(found, weights):
        pair = np.where(left == right, w[left], w[left] * w[right])
        expected = naive_score(part, pair, metric)
        assert (math.isnan(row) and math.isnan(expected)) or row == pytest.approx(expected, abs=1e-12)
    assert np.isnan(found[1])


def test_drawing_a_group_twice_is_copying_it_without_pairing_the_copies():
    """The weights equal an explicit bootstrap sample in which copies of one group never meet."""
    rng = np.random.default_rng(1)
    design = design_of(8, size=2)
    x = latent(design, rng)
    z = x / np.linalg.norm(x, axis=1, keepdims=True)
    drawn = np.array([2, 0, 1, 3, 0, 1, 1, 0])
    copies = [(g, c) for g in range(8) for c in range(drawn[g])]
    rows = [(i, g, c) for g, c in copies for i in np.flatnonzero(design.groups == g)]
    s, y = [], []
    for a in range(len(rows)):
        for b in range(a + 1, len(rows)):
            (i, g, c), (j, h, d) = rows[a], rows[b]
            if g == h and c != d:
                continue
            s.append(z[i] @ z[j])
            y.append(g == h)
    i, j = np.triu_indices(16, 1)
    part = PairScores(i, j, design.groups[i] == design.groups[j], np.zeros(120, int), (z[i] * z[j]).sum(1), 0.0)
    frame = Frame.of(part, np.arange(8), design.groups[i], design.groups[j])
    found = part_values([part], frame, drawn[None].astype(float), "auc")[0]
    assert found[0] == pytest.approx(v.auc(s, y), abs=1e-12)


@pytest.mark.parametrize("metric", ["auc", "mcc"])
def test_the_interval_is_student_t_around_the_value(metric):
    """12 groups in two labels: six halves of two groups that never change partners are six observations."""
    design = design_of(12)
    cells = method(design, latent(design, np.random.default_rng(2)), seeds=2)
    found = jackknife(cells, design.units, metric)
    halves = np.array([[naive_score(p, np.ones(len(p.left)), metric) for p in cell] for cell in cells])
    assert found.value == pytest.approx(halves.mean())
    by_group = {tuple(np.unique(design.groups[p.left])): [] for cell in cells for p in cell}
    for cell, row in zip(cells, halves):
        for p, value in zip(cell, row):
            by_group[tuple(np.unique(design.groups[p.left]))].append(value)
    means = np.array([np.mean(values) for values in by_group.values()])
    assert len(means) == 6
    error = means.std(ddof=1) / math.sqrt(6)
    assert found.standard_error == pytest.approx(error)
    t = 2.5705818366147395  # Student's t, 5 degrees of freedom
    if metric == "mcc":
        assert found.high - found.value == pytest.approx(t * error)
    else:
        logit = math.log(found.value / (1 - found.value))
        expected = logit + t * error / (found.value * (1 - found.value))
        assert math.log(found.high / (1 - found.high)) == pytest.approx(expected)


def test_seeds_are_averaged_first():
    """Repeating the same cells changes nothing: seeds are no replicates."""
    rng = np.random.default_rng(3)
    design = design_of(12)
    cells = method(design, latent(design, rng), seeds=1)
    once, often = jackknife(cells, design.units, "auc"), jackknife(cells * 30, design.units, "auc")
    assert often.value == pytest.approx(once.value) and often.standard_error == pytest.approx(once.standard_error)


def test_undefined_scores_say_why():
    design = design_of(12)
    x = latent(design, np.random.default_rng(4))
    cells = method(design, x, seeds=1)
    unlabelled = [tuple(replace(p, stratum=np.full(len(p.left), -1)) for p in cell) for cell in cells]
    found = jackknife(unlabelled, design.units, "matched_auc")
    assert math.isnan(found.value) and found.note.startswith("no label pair")
    broken = [tuple(replace(p, similarity=p.similarity * np.nan) for p in cell) for cell in cells]
    assert jackknife(broken, design.units, "auc").note == "a similarity is not a number"
    lost = [tuple(replace(p, threshold=float("nan")) for p in cell) for cell in cells]
    assert jackknife(lost, design.units, "balanced_accuracy").note.startswith("no threshold")
    difference = paired_difference(cells, broken, design.units, "auc")
    assert math.isnan(difference.p) and difference.estimate.note == "a similarity is not a number"
    with pytest.raises(ValueError, match="unknown metric 'accuracy'"):
        jackknife(cells, design.units, "accuracy")
    with pytest.raises(ValueError, match="without a group"):
        jackknife(cells, np.full(36, -1), "auc")


def test_a_faultless_method_gets_an_honest_bound():
    design = design_of(12)
    cells = [
        tuple(replace(p, similarity=p.positive.astype(np.float32)) for p in cell)
        for cell in method(design, latent(design, np.random.default_rng(5)), seeds=1)
    ]
    found = jackknife(cells, design.units, "auc")
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.025 ** (1 / 12))


def test_paired_difference_is_sharper_than_two_intervals():
    rng = np.random.default_rng(6)
    design = design_of(24)
    x = latent(design, rng, signal=1.0)
    better, worse = method(design, x, 2), method(design, x + 3.0 * rng.normal(size=x.shape), 2)
    found = paired_difference(better, worse, design.units, "auc")
    a, b = (jackknife(m, design.units, "auc") for m in (better, worse))
    assert found.estimate.value == pytest.approx(a.value - b.value)
    assert found.estimate.standard_error < math.hypot(a.standard_error, b.standard_error)
    assert found.estimate.low > 0 and found.p < 0.025 and found.groups == 24
    back = paired_difference(worse, better, design.units, "auc")
    assert back.estimate.value == pytest.approx(-found.estimate.value)
    assert back.p == pytest.approx(1 - found.p)
    assert (found.p < 0.025) == (found.estimate.low > 0)
    moved = found.shifted(-found.estimate.value)
    assert moved.p == pytest.approx(0.5) and moved.estimate.high == pytest.approx(-moved.estimate.low)
    same = paired_difference(better, better, design.units, "auc")
    assert (same.estimate.value, same.estimate.low, same.p) == (0.0, 0.0, 1.0)


def test_only_groups_that_can_be_matched_are_counted():
    """Two of the four halves of three folds hold two groups of one label; the rest says nothing of matched pairs."""
    design, trials = few_pairs(np.random.default_rng(18), trials=2, noise=1.0, strength=1.0)
    cells = list(trials.values())
    every = paired_difference(*cells, design.units, "auc")
    matched = paired_difference(*cells, design.units, "matched_auc")
    able = set()
    for part in (p for cell in cells[0] for p in cell):
        for row in np.flatnonzero(part.positive):
            if (part.stratum[~part.positive] == part.stratum[row]).any():
                able.add(design.units[part.left[row]])
    assert every.groups == 12 and matched.groups == len(able) < 12
    assert 1 < every.degrees < 11
    # Both groups that can be matched stand in one half: without either of them nothing is left.
    assert len(able) == 2 and math.isnan(matched.p) and "nothing is left" in matched.estimate.note


def test_a_lead_without_spread_is_not_certain():
    """Both groups are needed for a pair: nothing is learnt from leaving one out."""
    groups = np.repeat([0, 1, 2], 3)
    left, right = np.triu_indices(9, 1)
    same = groups[left] == groups[right]
    flat = same.astype(np.float32)
    method_a = [(PairScores(left, right, same, np.zeros(36, int), flat, 0.5),)]
    method_b = [(PairScores(left, right, same, np.zeros(36, int), -flat, 0.5),)]
    found = paired_difference(method_a, method_b, groups, "auc")
    assert found.estimate.value == 1.0 and math.isnan(found.estimate.low) and math.isnan(found.p)
    assert found.estimate.note == "no spread over groups: no interval"


def test_holm_steps_down():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    adjusted = holm([0.02, float("nan"), 0.02])
    assert adjusted[0] == adjusted[2] == 0.04 and math.isnan(adjusted[1])
    assert holm([]) == []


def test_many_groups_are_deleted_in_blocks():
    rng = np.random.default_rng(7)
    design = design_of(400, size=2, scoring="corrected-cv")
    cells = method(design, latent(design, rng), seeds=1)
    blocks = Blocks.of([cells], design.units)
    assert blocks.count == MAX_BLOCKS and blocks.scored == MAX_BLOCKS
    for unit in range(0, 400, 7):
        assert len(np.unique(blocks.of_row[design.units == unit])) == 1
    found = jackknife(cells, design.units, "auc")
    assert 0.004 < found.standard_error < 0.03


def coverage(groups, runs, signal=0.9, seeds=2):
    """Share of runs whose 95 % interval holds the population's AUC, their mean width, and the root of the mean squared
    standard error over the spread of the scores."""
    rng = np.random.default_rng(8)
    design = design_of(groups)
    big = design_of(700, size=3, scoring="corrected-cv")
    pairs = method(big, latent(big, rng, signal), seeds=1)
    truth = float(np.mean([v.auc(p.similarity, p.positive) for cell in pairs for p in cell]))
    found = [jackknife(method(design, latent(design, rng, signal), seeds), design.units, "auc") for _ in range(runs)]
    hits = [e.low <= truth <= e.high for e in found]
    ratio = np.sqrt(np.mean([e.standard_error**2 for e in found])) / np.std([e.value for e in found])
    return np.mean(hits), np.mean([e.high - e.low for e in found]), ratio


@pytest.mark.parametrize("groups", [12, 24])
def test_interval_covers_the_truth_and_is_no_wider_than_need_be(groups):
    share, width, ratio = coverage(groups, 150)
    assert share >= 0.91  # .95 less two binomial errors of 150
    assert 0.8 < ratio < 1.25  # the plain jackknife's is 1.8 and 1.35
    assert width < (0.45 if groups == 12 else 0.22)


def null_study(rng, trials=20, groups=16, seeds=1):
    """Trials of equal worth: each sees the same signal through noise of its own."""
    design = design_of(groups)
    x = latent(design, rng, signal=0.6)
    return design, {f"t{i}": method(design, x + rng.normal(size=x.shape), seeds) for i in range(trials)}


def test_the_best_of_equal_trials_is_brought_back_to_its_worth():
    rng = np.random.default_rng(9)
    errors_raw, errors_corrected = [], []
    for _ in range(12):
        design, trials = null_study(rng)
        found = bbc(trials, design.units, "auc", repeats=200)
        worth = np.mean([jackknife(m, design.units, "auc").value for m in trials.values()])
        assert found.full >= found.estimate and found.optimism == pytest.approx(found.full - found.estimate)
        assert sum(found.selected.values()) == pytest.approx(1)
        errors_raw.append(found.full - worth)
        errors_corrected.append(found.estimate - worth)
    assert np.mean(errors_raw) > 0.04  # the maximum flatters
    assert abs(np.mean(errors_corrected)) < 0.4 * np.mean(errors_raw)


def test_a_single_trial_and_a_clear_winner_lose_nothing():
    rng = np.random.default_rng(10)
    design = design_of(16)
    x = latent(design, rng, signal=2.0)
    good = method(design, x, 1)
    alone = bbc({"only": good}, design.units, "auc", repeats=100)
    assert alone.optimism == pytest.approx(0.0, abs=1e-12) and alone.best == "only"
    poor = {f"p{i}": method(design, rng.normal(size=x.shape), 1) for i in range(5)}
    found = bbc({"good": good, **poor}, design.units, "auc", repeats=200)
    assert found.best == "good" and found.selected == {"good": 1.0}
    assert found.repeats > 150  # the others leave no pair of undrawn groups in any half
    assert found.optimism < 0.01


def naive_linear(trials, design, drawn, full, score):
    """The same resamples over Tukey's pseudo-values, one group at a time."""
    pseudo = {}
    for n, cells in trials.items():
        without = np.array([score(cells, np.arange(12) != g) for g in range(12)])
        values = 12 * full[n] - 11 * without
        pseudo[n] = values - values.mean() + full[n]
    rows = []
    for w in drawn:
        inside = {n: np.repeat(values, w).mean() for n, values in pseudo.items()}
        chosen = max(inside, key=lambda n: inside[n])
        rows.append((chosen, {n: values[w == 0].mean() for n, values in pseudo.items()}))
    usual = {n: np.mean([outside[n] for _, outside in rows]) for n in trials}
    return np.mean([full[chosen] + outside[chosen] - usual[chosen] for chosen, outside in rows])


def test_bbc_equals_a_naive_bootstrap():
    rng = np.random.default_rng(11)
    design, trials = null_study(rng, trials=4, groups=12)
    repeats = 40
    found = bbc(trials, design.units, "auc", repeats=repeats, seed=3)
    drawn = np.random.default_rng([3, 601]).multinomial(12, np.full(12, 1 / 12), size=repeats)

    def score(cells, w):
        table = []
        for cell in cells:
            row = []
            for p in cell:
                a, b = w[design.groups[p.left]], w[design.groups[p.right]]
                row.append(v.auc(p.similarity, p.positive, np.where(p.positive, a, a * b)))
            table.append(row)
        return float(mean_defined(mean_defined(np.array(table), axis=1)))

    names = list(trials)
    chosen, outside = [], {n: [] for n in names}
    for w in drawn:
        inside = [score(trials[n], w) for n in names]
        chosen.append(names[int(np.nanargmax(inside))])
        for n in names:
            outside[n].append(score(trials[n], (w == 0).astype(int)))
    full = {n: score(trials[n], np.ones(12)) for n in names}
    usable = [r for r in range(repeats) if not math.isnan(outside[chosen[r]][r])]
    usual = {n: np.nanmean([outside[n][r] for r in usable]) for n in names}
    estimate = np.mean([full[chosen[r]] + outside[chosen[r]][r] - usual[chosen[r]] for r in usable])
    assert found.repeats == len(usable)
    top = max(full.values())
    assert found.bootstrap == pytest.approx(top - estimate)
    assert found.linear == pytest.approx(top - naive_linear(trials, design, drawn, full, score))
    assert found.bound == pytest.approx(top - np.mean(list(full.values())))
    assert found.optimism == pytest.approx(max(0.0, min(0.5 * (found.bootstrap + found.linear), found.bound)))
    assert found.plain == pytest.approx(np.mean([outside[chosen[r]][r] for r in usable]))


def test_bbc_leaves_undefined_trials_out():
    rng = np.random.default_rng(12)
    design, trials = null_study(rng, trials=2)
    broken = [tuple(replace(p, similarity=p.similarity * np.nan) for p in cell) for cell in trials["t0"]]
    found = bbc({"broken": broken, "t1": trials["t1"]}, design.units, "auc", repeats=50)
    assert set(found.selected) == {"t1"} and found.best == "t1"
    nothing = bbc({"broken": broken}, design.units, "auc", repeats=50)
    assert math.isnan(nothing.estimate) and nothing.selected == {}
    with pytest.raises(ValueError, match="no trials"):
        bbc({}, design.units, "auc")


def few_pairs(rng, trials, noise, strength):
    """12 groups of 10 in four labels; as two groups hold spectra of two labels, labels match in a few halves only."""
    groups = np.repeat([f"{label}{i}" for label in "ABCD" for i in range(3)], 10)
    labels = np.array([g[0] for g in groups])
    labels[[48, 49, 59]] = "C"
    design = make_design(groups, labels, np.full(120, ""), Protocol())
    x = latent(design, rng, signal=strength)
    return design, {f"t{i}": method(design, x + noise * rng.normal(size=x.shape), 2) for i in range(trials)}


def test_trials_that_hardly_differ_lose_no_more_than_their_lead():
    rng = np.random.default_rng(15)
    taken, lead = [], []
    for _ in range(5):
        design, trials = few_pairs(rng, trials=8, noise=0.3, strength=2.5)
        found = bbc(trials, design.units, "matched_auc", repeats=200)
        scores = [jackknife(m, design.units, "matched_auc").value for m in trials.values()]
        taken.append(found.optimism)
        lead.append(max(scores) - np.mean(scores))
        assert 0 <= found.optimism <= lead[-1] + 1e-12
    # All are of equal worth, so that the lead is luck: most of it has to go.
    assert np.mean(taken) > 0.7 * np.mean(lead)


def test_without_a_pair_on_both_sides_the_winner_is_one_of_its_kind():
    """Two groups, one half: a resample that leaves a group out has no negative pair."""
    groups = np.repeat([0, 1], 3)
    left, right = np.triu_indices(6, 1)
    same = groups[left] == groups[right]
    rng = np.random.default_rng(16)
    trials = {
        f"t{i}": [(PairScores(left, right, same, np.zeros(15, int), same + rng.normal(size=15), 0.0),)]
        for i in range(6)
    }
    found = bbc(trials, groups, "auc", repeats=50)
    assert found.repeats == 0 and math.isnan(found.bootstrap)
    assert found.optimism == pytest.approx(found.bound) and found.bound > 0


def test_tied_trials_share_a_resample():
    """The order of trials must not matter where several place every in-bag pair rightly."""
    rng = np.random.default_rng(17)
    design = design_of(12)
    x = latent(design, rng, signal=4.0)
    trials = {f"t{i}": method(design, x + 0.3 * rng.normal(size=x.shape), 1) for i in range(6)}
    there = bbc(trials, design.units, "auc", repeats=100)
    back = bbc(dict(reversed(trials.items())), design.units, "auc", repeats=100)
    assert there.optimism == pytest.approx(back.optimism) and there.plain == pytest.approx(back.plain)
    assert there.selected == pytest.approx(back.selected) and len(there.selected) > 1


def test_values_under_unit_weights_are_the_replicates_mean():
    design = design_of(12)
    cells = method(design, latent(design, np.random.default_rng(13)), seeds=2)
    blocks = Blocks.of([cells], design.units)
    for metric in v.METRICS:
        by_replicate = [v.metrics(cell)[metric] for cell in cells]
        found = values_under([cells], blocks, np.ones((1, blocks.count)), metric)[0, 0]
        assert found == pytest.approx(np.nanmean(by_replicate))


def test_a_whole_confirmation_takes_seconds():
    """30 seeds × 3 folds × 2 halves over 60 groups of 8: 5,700 pairs a half."""
    rng = np.random.default_rng(14)
    design = design_of(60, size=8, scoring="corrected-cv")
    cells = method(design, latent(design, rng), seeds=1)
    start = time.perf_counter()
    jackknife(cells * 30, design.units, "matched_auc")
    assert time.perf_counter() - start < 15.0


def test_equal_values_without_each_matched_group_are_no_certainty() -> None:
    """Two halves, each with one group that can be matched: leaving either out leaves the other's equal value."""

    def half(first: int, similarity: list[float]) -> PairScores:
        left, right = np.array([first, first, first + 1]), np.array([first + 1, first + 2, first + 2])
        values = np.array(similarity, dtype=np.float32)
        return PairScores(left, right, np.array([True, False, False]), np.zeros(3, np.int64), values, float("nan"))

    units = np.array([0, 0, 1, 2, 2, 3])
    good = [(half(0, [0.5, 0.3, 0.5]), half(3, [0.5, 0.5, 0.3]))]
    flat = [(half(0, [0.5, 0.5, 0.5]), half(3, [0.5, 0.5, 0.5]))]
    found = jackknife(good, units, "matched_auc")
    assert found.value == 0.75 and np.isnan(found.low) and "groups that can be matched" in found.note
    difference = paired_difference(good, flat, units, "matched_auc")
    assert difference.estimate.value == 0.25 and np.isnan(difference.estimate.low) and np.isnan(difference.p)
