"""Designs: disjoint parts, halving, scoring by number of groups, wrong input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import special, stats

from spectrosim_search.config.errors import DataError, InputError, RunError
from spectrosim_search.config.study import Protocol
from spectrosim_search.protocol.cells import check_disjoint
from spectrosim_search.protocol.design import make_design
from spectrosim_search.protocol.detectable import (
    auc_standard_deviation,
    detectable_difference,
    interval_half_width,
)
from spectrosim_search.protocol.forming import pairs_between, pairs_inside

DATA = Path(__file__).parents[2].parent / "shared" / "data"


def table(sizes, labels=None, split=None):
    labels = labels or ["x"] * len(sizes)
    groups = np.repeat([f"g{i:03d}" for i in range(len(sizes))], sizes)
    units = np.repeat(split if split is not None else [""] * len(sizes), sizes)
    return groups, np.repeat(labels, sizes), units


def design_of(sizes, labels=None, split=None, searchable=True, **protocol):
    return make_design(*table(sizes, labels, split), Protocol(**protocol), searchable=searchable)


def groups_of(design, pairs):
    return set(design.groups[np.concatenate([pairs.left, pairs.right])].tolist())


@pytest.mark.parametrize("sizes", [[3] * 24, [2, 5, 3, 1] * 8, [3] * 8])
def test_batch_disjoint_parts_share_no_group(sizes):
    design = design_of(sizes, ["a", "b"] * (len(sizes) // 2))
    assert design.scoring == "corrected-cv" and design.hold_out is None
    judged = set()
    for cell in design.cells(3):
        split = design.split(cell.fold, cell.seed)
        train = set(design.groups[split.train].tolist())
        first, second = (groups_of(design, h) for h in split.halves)
        assert not (train & first or train & second or first & second)
        assert (split.groups[split.train] == design.groups[split.train]).all()
        outside = np.setdiff1d(np.arange(len(design.groups)), split.train)
        assert (split.groups[outside] == -1).all()  # nothing to read about judged spectra
        for half in split.halves:
            assert half.positive.any() and not half.positive.all()
            assert (half.positive == (design.groups[half.left] == design.groups[half.right])).all()
            rows = np.unique(np.concatenate([half.left, half.right]))
            assert len(half) == len(rows) * (len(rows) - 1) // 2  # every pair inside the half
        judged |= first | second
    assert judged == set(range(len(sizes)))


def test_cells_have_the_fixed_order():
    design = design_of([3] * 24)
    assert [(c.index, c.fold, c.seed) for c in design.cells(2)] == [
        (0, 0, 0),
        (1, 1, 0),
        (2, 2, 0),
        (3, 0, 1),
        (4, 1, 1),
        (5, 2, 1),
    ]
    assert [c.seed for c in design.cells(1, first=100)] == [100] * 3
    with pytest.raises(ValueError, match="fold 3 of 3"):
        design.split(3, 0)


def test_halving_is_drawn_anew_for_every_seed_and_repeats():
    design = design_of([3] * 24, ["a", "b"] * 12)
    seen = {tuple(sorted(groups_of(design, design.split(0, s).halves[0]))) for s in range(12)}
    assert len(seen) > 6
    again = design_of([3] * 24, ["a", "b"] * 12)
    for s in range(3):
        for a, b in zip(design.split(1, s).halves, again.split(1, s).halves):
            assert (a.left == b.left).all() and (a.right == b.right).all()
    other = design_of([3] * 24, ["a", "b"] * 12, seed=1)
    assert sorted(other.split(0, 0).train.tolist()) != sorted(design.split(0, 0).train.tolist())


@pytest.mark.parametrize(
    ("counts", "expected"),
    [((4, 4), [(2, 2), (2, 2)]), ((2, 2), [(0, 2), (0, 2)]), ((3, 3), [(1, 2), (1, 2)]), ((5, 2), [(2, 3), (0, 2)])],
)
def test_halves_keep_groups_of_a_label_together_as_designed(counts, expected):
    labels = ["a"] * (2 * counts[0]) + ["b"] * (2 * counts[1])
    design = design_of([3] * len(labels), labels, folds=2)
    for seed in range(10):
        halves = [groups_of(design, h) for h in design.split(0, seed).halves]
        n_a = 2 * counts[0]
        shares = [sorted(sum(1 for g in h if (g < n_a) == first) for h in halves) for first in (True, False)]
        assert [tuple(s) for s in shares] == expected
        assert abs(len(halves[0]) - len(halves[1])) <= 1


def test_labels_with_one_group_in_a_fold_are_halved_evenly():
    design = design_of([3] * 8, [f"l{i}" for i in range(8)])
    for seed in range(5):
        assert [len(groups_of(design, h)) for h in design.split(0, seed).halves] == [2, 2]
    assert any("8 of 8 labels have a single group in some part" in w for w in design.warnings)


def test_number_of_folds_and_scoring_follow_the_groups():
    assert design_of([3] * 11).folds == 2
    assert design_of([3] * 12).folds == 3
    assert design_of([3] * 59).scoring == "corrected-cv"
    design = design_of([2] * 60, ["a", "b", "c"] * 20)
    assert design.scoring == "hold-out" and design.folds == 3
    held = groups_of(design, design.hold_out.pairs)
    assert len(held) == 21  # a third of each label, rounded
    assert not held & set(design.groups[design.hold_out.train].tolist())
    for cell in design.cells(1):
        split = design.split(cell.fold, cell.seed)
        seen = set(design.groups[split.train].tolist()) | groups_of(design, split.halves[0])
        assert not seen & held
    assert (design.hold_out.groups[design.hold_out.pairs.left] == -1).all()
    assert design_of([3] * 24, scoring="hold-out").hold_out is not None


def test_split_units_stay_on_one_side():
    units = [f"patient{i // 3}" for i in range(36)]
    design = design_of([2] * 36, ["a", "b", "c"] * 12, units)
    assert design.independent == 12
    for cell in design.cells(2):
        split = design.split(cell.fold, cell.seed)
        sides = [split.train] + [np.concatenate([h.left, h.right]) for h in split.halves]
        owners = [set(design.units[rows].tolist()) for rows in sides]
        assert not (owners[0] & owners[1] or owners[0] & owners[2] or owners[1] & owners[2])
    with pytest.raises(InputError, match="6 independent units of the split column"):
        design_of([2] * 18, None, [f"p{i // 3}" for i in range(18)])


def test_broken_split_raises():
    units = np.array([0, 0, 1])
    check_disjoint(units, train=np.array([0, 1]), test=np.array([2]))
    with pytest.raises(RunError, match="'train' and 'test' share unit 0"):
        check_disjoint(units, train=np.array([0]), test=np.array([1, 2]))


def test_spectra_without_group_and_singletons_are_counted():
    groups, labels, split = table([3] * 10 + [1] * 4)
    groups[[0, 1, 2]] = ""
    design = make_design(groups, labels, split, Protocol())
    assert "3 spectra without a group left out" in design.warnings
    assert any(w.startswith("4 groups of one spectrum") for w in design.warnings)
    assert design.independent == 9
    assert (design.groups[:3] == -1).all()
    for cell in design.cells(2):
        split_ = design.split(cell.fold, cell.seed)
        assert split_.train.min() > 2
        assert all(h.left.min() > 2 for h in split_.halves)


def test_few_groups_serve_fixed_methods_only():
    with pytest.raises(InputError, match="a search needs 8"):
        design_of([3] * 6)
    design = design_of([3] * 6, searchable=False)
    assert not design.searchable and design.folds == 2
    assert design_of([3] * 6, searchable=False, scoring="hold-out").hold_out is None
    first, second = design.split(0, 0).halves
    assert len(second) == 0 and first.positive.any() and not first.positive.all()
    with pytest.raises(InputError, match="at least 4"):
        design_of([3] * 3, searchable=False)


def test_wrong_input_is_one_clear_line():
    with pytest.raises(DataError, match="no spectrum has a group"):
        make_design(np.array(["", ""]), np.array(["a", "a"]), np.array(["", ""]), Protocol())
    with pytest.raises(DataError, match="all spectra are of one group"):
        design_of([5])
    with pytest.raises(DataError, match="none of the 9 groups has two spectra"):
        design_of([1] * 9)
    with pytest.raises(InputError, match=r"too few groups for the folds: fold . of 5 has 2 independent groups"):
        design_of([3] * 10, folds=5)
    with pytest.raises(InputError, match=r"folds is 1"):
        design_of([3] * 10, folds=1)


def test_shared_batch_pairs_held_out_with_training_spectra():
    design = design_of([3, 2, 4, 1] * 6, ["a", "b"] * 12, name="shared-batch")
    for cell in design.cells(3):
        split = design.split(cell.fold, cell.seed)
        train = set(split.train.tolist())
        for half in split.halves:
            assert not set(half.left.tolist()) & train
            assert set(half.right.tolist()) == train
            assert set(design.groups[half.left]) <= set(design.groups[split.train])
            assert half.positive.any()
        a, b = (set(design.groups[h.left].tolist()) for h in split.halves)
        assert not a & b
    sizes = np.bincount(design.groups)
    single = np.flatnonzero(sizes[design.groups] == 1)
    for fold in range(design.folds):
        assert set(single) <= set(design.split(fold, 0).train.tolist())
    held = design_of([3, 2, 4, 1] * 6, name="shared-batch", scoring="hold-out")
    assert not set(held.hold_out.pairs.left) & set(held.hold_out.train)
    assert set(held.groups[held.hold_out.pairs.left]) <= set(held.groups[held.hold_out.train])
    assert not set(np.unique(held.hold_out.pairs.left)) & set(held.split(0, 0).train)


def test_random_pairs_hide_the_judged_relations():
    design = design_of([3] * 8, name="random-pairs", scoring="hold-out", hold_out=0.4)
    n = len(design.groups)
    total = n * (n - 1) // 2
    held = design.hold_out.pairs
    assert len(held) == round(0.4 * 24) + round(0.4 * (total - 24))
    tested = np.zeros((n, n), dtype=int)
    for fold in range(3):
        split = design.split(fold, 0)
        assert (np.diag(split.relation) == -1).all() and (split.relation == split.relation.T).all()
        for pairs in (*split.halves, held):
            assert (split.relation[pairs.left, pairs.right] == -1).all()
        for half in split.halves:
            tested[half.left, half.right] += 1
            assert half.positive.any() and not half.positive.all()
        known = split.relation >= 0
        truth = design.groups[:, None] == design.groups[None, :]
        assert (split.relation[known] == truth[known]).all()
        assert known.sum() // 2 + sum(len(h) for h in split.halves) + len(held) == total
        assert len(split.train) == n
    assert tested.sum() == total - len(held) and tested.max() == 1
    with pytest.raises(InputError, match="at most 2,000 spectra"):
        design_of([3] * 700, name="random-pairs")


def test_strata_number_unordered_label_pairs():
    groups = np.array(["p", "p", "q", "q"] * 4)
    groups = np.array([f"{g}{i // 4}" for i, g in enumerate(groups)])
    labels = np.array(["a", "b", "b", "a"] * 4)  # crossed: labels differ inside a group
    labels[0] = ""
    design = make_design(groups, labels, np.full(16, ""), Protocol())
    for half in design.split(0, 0).halves:
        for left, right, stratum in zip(half.left, half.right, half.stratum):
            pair = tuple(sorted((labels[left], labels[right])))
            assert stratum == (-1 if "" in pair else {("a", "a"): 0, ("a", "b"): 1, ("b", "b"): 3}[pair])


def test_large_sets_keep_a_bounded_sample_of_their_pairs():
    design = design_of([3] * 400, ["a", "b"] * 200, scoring="corrected-cv")
    rows = design.codes.usable()
    everything = pairs_inside(design.codes, rows, np.random.default_rng(0))
    assert 499_000 < len(everything) <= 500_000 and everything.positive.sum() == 1200
    for limit in (5_000, 1_000):
        sample = pairs_inside(design.codes, rows, np.random.default_rng(0), limit)
        assert len(sample) <= limit and len(sample) > 0.99 * limit
        assert sample.positive.sum() == min(1200, limit // 2)
        assert (sample.left != sample.right).all()
        keys = np.minimum(sample.left, sample.right) * 1200 + np.maximum(sample.left, sample.right)
        assert len(np.unique(keys)) == len(keys)
        within = (sample.stratum != 1)[~sample.positive].mean()
        assert within == pytest.approx(0.5, abs=0.06)  # negatives are drawn evenly over label pairs
        negatives = np.concatenate([sample.left[~sample.positive], sample.right[~sample.positive]])
        assert negatives.mean() == pytest.approx(599.5, abs=25)
    left, right = rows[::3], np.setdiff1d(rows, rows[::3])
    sample = pairs_between(design.codes, left, right, np.random.default_rng(0), 5_000)
    assert set(sample.left) <= set(left) and set(sample.right) <= set(right)
    assert sample.positive.sum() == 800 and len(sample) == 5_000


def test_fifty_thousand_spectra_stay_small():
    design = design_of([5] * 10_000, ["a", "b"] * 5_000)
    assert 499_000 < len(design.hold_out.pairs) <= 500_000
    assert design.hold_out.pairs.positive.sum() == 10 * len(groups_of(design, design.hold_out.pairs))
    assert any("random sample" in w for w in design.warnings)


def test_summary_is_plain_and_states_what_can_be_detected():
    design = design_of([3] * 24, ["a", "b"] * 12)
    summary = json.loads(json.dumps(design.summary(), allow_nan=False))
    assert summary["spectra"] == 72 and summary["groups"] == 24 and summary["judged_groups"] == 24
    assert [p["positive"] for p in summary["parts"]] == [24, 24, 24]
    assert summary["parts"][0]["negative"] == 2 * (66 - 12)
    assert summary["detectable_difference"] == pytest.approx(0.12, abs=0.01)


def test_half_width_is_that_of_the_interval_on_the_logit_scale():
    error = auc_standard_deviation([3] * 6, 135)
    reach = stats.t.ppf(0.975, 5) * error / (0.75 * 0.25)
    low, high = special.expit(special.logit(0.75) + np.array([-reach, reach]))
    assert interval_half_width([3] * 6, 135) == pytest.approx((high - low) / 2)
    assert interval_half_width([3] * 24, 2484) < 0.5 * interval_half_width([3] * 6, 135)
    assert interval_half_width([3] * 4 + [1] * 9, 500) > interval_half_width([3] * 5, 90)  # singletons judge nothing
    assert np.isnan(interval_half_width([3, 1], 3)) and np.isnan(interval_half_width([3, 3], 0))


def test_detectable_difference_meets_the_stated_figures():
    assert auc_standard_deviation([3] * 6, 135) == pytest.approx(0.07, abs=0.005)
    assert detectable_difference([3] * 6, 135) == pytest.approx(0.25, abs=0.005)
    assert detectable_difference([3] * 24, 2484) == pytest.approx(0.12, abs=0.005)
    assert detectable_difference([50] * 6, 10_000) > 0.2  # more spectra do not replace more groups
    assert np.isnan(detectable_difference([1, 1], 5))


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared real spectra are not there")
@pytest.mark.parametrize("name", ["maldi-species", "nir-tablets", "desi-swabs", "raman-saliva-covid"])
def test_real_tables_can_be_laid_out(name):
    pd = pytest.importorskip("pandas")
    columns = ["group", "label"]
    frame = pd.read_csv(DATA / name / "spectra.csv.gz", usecols=columns, dtype=str, keep_default_na=False)
    groups, labels = (frame[c].to_numpy().astype(str) for c in columns)
    design = make_design(groups, labels, np.full(len(groups), ""), Protocol())
    summary = design.summary()
    assert all(p["matched_strata"] >= 1 for p in summary["parts"])
    assert 0 < summary["detectable_difference"] < 0.3
