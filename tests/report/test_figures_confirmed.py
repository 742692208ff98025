"""Figures of the confirmation and of what the search was worth, against counting by hand and known distributions."""

from __future__ import annotations

import dataclasses
import math
import re
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from spectrosim_search.config import registry
from spectrosim_search.evaluation.scores import PairScores
from spectrosim_search.report import calibrated, groups, page
from spectrosim_search.report.families import FAMILIES, family, ranks
from spectrosim_search.report.seeds import fresh_seeds
from spectrosim_search.report.table import ordered_methods, result_rows
from spectrosim_search.search.records import ConfirmationRecord, StudyRecord

NAMES = (
    *(f"{n}-{kind}" for n in ("oplsda", "knn", "tree", "lda", "forest", "svm") for kind in ("difference", "absolute")),
    *(f"binary-{n}" for n in ("cnn", "lstm", "transformer", "cnn-absolute")),
    *(f"metric-{n}" for n in range(30)),
)


def drawn(name: str, record: StudyRecord) -> Any:
    figure = registry.load("report.figures", name).build(record)
    assert figure is not None
    return figure


def named(figure: Any) -> dict[str, Any]:
    return {t.name: t for t in figure.data}


def confirmed(record: StudyRecord) -> ConfirmationRecord:
    assert record.confirmation is not None
    return record.confirmation


def with_pairs(record: StudyRecord, *sets: PairScores) -> StudyRecord:
    changed = dataclasses.replace(confirmed(record), pairs=sets)
    return dataclasses.replace(record, confirmation=changed, baselines=())


@pytest.fixture(scope="module")
def crowded(rich: StudyRecord) -> StudyRecord:
    """The rich record with 46 further baselines."""
    c = confirmed(rich)
    model = next(r for r in c.rows if r.name == "cosine")
    more = []
    for i, n in enumerate(NAMES):
        moved = {m: dataclasses.replace(e, value=e.value + 0.001 * i) for m, e in model.metrics.items()}
        more.append(dataclasses.replace(model, name=n, title=n, metrics=moved))
    return dataclasses.replace(rich, confirmation=dataclasses.replace(c, rows=(*c.rows, *more)))


def test_sixty_methods_stay_readable(crowded: StudyRecord) -> None:
    for name, rows in (("methods", 57), ("differences", 56)):
        figure = drawn(name, crowded)
        assert len(figure.layout.yaxis.ticktext) == rows
        assert 17 <= (figure.layout.height - 110) / rows <= 20
        legend = [t.name for t in figure.data]
        assert legend[-5:] == [
            "metric", "classical", "neural", "ceiling", "leakage audit",
        ]  # fmt: skip
        places = sorted(y for t in figure.data for y in t.y)
        assert places == list(range(rows)), "every row stands once"


def test_families_follow_the_names(crowded: StudyRecord) -> None:
    found = {row.name: family(row) for row in confirmed(crowded).rows}
    assert found["oplsda-absolute"] == found["knn-difference"] == "classical pair classifiers"
    assert found["binary-cnn"] == found["binary-cnn-absolute"] == "neural pair classifiers"
    assert found["linear-metric-tuned"] == found["metric-3"] == "metrics without pair training"
    order = [FAMILIES.index(family(row)) for row in ordered_methods(crowded)]
    assert order == sorted(order)


def test_ranks_count_those_ahead(rich: StudyRecord) -> None:
    place = ranks(rich)
    assert place["winner"] == 1 and place["linear-metric-tuned"] == 4 and place["cosine"] == 9
    assert not {"oracle", "union-find"} & set(place)
    shown = {row["method"]: row["rank"] for row in result_rows(rich)}
    assert shown["linear metric, tuned"] == "4" and shown["oracle"] == ""


def test_the_table_has_a_heading_a_family_and_marks_the_best_baseline(crowded: StudyRecord) -> None:
    table = page.render(crowded).split('<table id="result-table">')[1].split("</table>")[0]
    headings = re.findall(r'<tr class="family"><th[^>]*>([^<]*)<', table)
    assert headings == [f for f in FAMILIES if f != "reference rows"]
    assert table.count('<tr class="method') == 57
    assert re.findall(r'<tr class="method baseline best"><th scope="row">([^<]*)<small>([^<]*)<', table) == [
        ("linear metric, tuned", "best baseline")
    ]


def test_seeds_are_means_over_folds_of_complete_seeds(rich: StudyRecord) -> None:
    winner = next(r for r in confirmed(rich).rows if r.kind == "winner")
    own = [r for r in rich.replicates if r.phase == "confirm" and r.configuration_id == winner.configuration_id]
    expected = [np.mean([r.score for r in own if r.seed == seed]) for seed in range(1000, 1010)]
    assert list(drawn("seeds", rich).data[0].x) == pytest.approx(expected, abs=1e-5)
    assert len(drawn("seeds", rich).data) == 3
    gone = dataclasses.replace(rich, replicates=tuple(r for r in rich.replicates if r is not own[4]))
    assert set(fresh_seeds(gone, winner.configuration_id)) == set(range(1000, 1010)) - {own[4].seed}


def test_correction_ends_at_the_score_of_the_table(rich: StudyRecord) -> None:
    figure = drawn("correction", rich)
    assert list(figure.layout.xaxis.ticktext) == ["search", "fresh seeds", "corrected for selection"]
    searched = next(t.value for t in rich.trials if t.number == confirmed(rich).winner_trial)
    assert list(figure.data[0].y) == pytest.approx([searched, 0.886, 0.874], abs=1e-4)
    assert list(figure.data[0].error_y.array) == pytest.approx([0, 0, 0.045])
    verdict = dataclasses.replace(confirmed(rich).verdict, optimism=0.0)
    held = dataclasses.replace(confirmed(rich), scoring="hold-out", verdict=verdict)
    figure = drawn("correction", dataclasses.replace(rich, confirmation=held))
    seeds = fresh_seeds(rich, held.winner_configuration_id).values()
    assert list(figure.layout.xaxis.ticktext)[1:] == ["fresh seeds", "held-out groups"]
    assert figure.data[0].y[1] == pytest.approx(np.mean(list(seeds)), abs=1e-4)


def test_overtuning_shows_finalists_only_and_held_out_scores_where_known(rich: StudyRecord) -> None:
    figure = drawn("overtuning", rich)
    finalists = {r.configuration_id for r in confirmed(rich).rows if r.configuration_id}
    numbers = {t.number for t in rich.trials if t.configuration_id in finalists}
    assert set(named(figure)["fresh seeds"].x) == numbers and len(numbers) == 3
    assert "held-out groups" not in named(figure)
    assert "3 of 21 finished trials" in figure.layout.meta["note"]
    one = next(r for r in rich.replicates if r.phase == "confirm")
    held = tuple(dataclasses.replace(one, key=f"h{i}", phase="hold-out", fold=-1, score=0.8 + i / 50) for i in range(3))
    figure = drawn("overtuning", dataclasses.replace(rich, replicates=(*rich.replicates, *held)))
    assert named(figure)["held-out groups"].y == (pytest.approx(0.82),)


def test_budget_counts_every_training_run_before_a_baseline_is_passed(rich: StudyRecord) -> None:
    note = drawn("budget", rich).layout.meta["note"]
    runs = sorted((r for r in rich.replicates if r.phase == "search"), key=lambda r: r.started_at + r.total_seconds)
    values = {t.number: t.value for t in rich.trials if t.state == "COMPLETE"}
    for title, target in (("linear metric, fixed", 0.812), ("linear metric, tuned", 0.843)):
        for spent in range(1, len(runs) + 1):
            left = {r.trial_number for r in runs[spent:]}
            done = [v for n, v in values.items() if v is not None and n not in left]
            if done and max(done) > target:
                break
        epochs = sum(len(r.loss) for r in runs[:spent])
        assert f"{title}: after {spent} training runs, {epochs:,} epochs" in note
    rows = tuple(
        dataclasses.replace(r, metrics={m: dataclasses.replace(e, value=0.99) for m, e in r.metrics.items()})
        if r.name == "linear-metric"
        else r
        for r in confirmed(rich).rows
    )
    beaten = dataclasses.replace(rich, confirmation=dataclasses.replace(confirmed(rich), rows=rows))
    assert "linear metric, fixed: not passed" in drawn("budget", beaten).layout.meta["note"]


def gaussian(shift: float, seed: int, rows: int = 0, size: int = 4000) -> PairScores:
    """Pairs whose similarity is their log likelihood ratio: normal, means ± shift² / 2, standard deviation shift."""
    rng = np.random.default_rng(seed)
    positive = np.arange(size) % 2 == 0
    left = rows + np.arange(size)
    similarity = rng.normal(np.where(positive, 1, -1) * shift**2 / 2, shift).astype(np.float32)
    return PairScores(left, left + size, positive, np.zeros(size, np.int64), similarity, 0.0)


def test_normal_similarities_give_a_straight_line(rich: StudyRecord) -> None:
    record = with_pairs(rich, *(gaussian(2.0, seed) for seed in range(10)))
    curve = next(t for t in drawn("det", record).data if t.name and t.name.startswith("winner"))
    x, y = np.array(curve.x), np.array(curve.y)
    inner = (x > NormalDist().inv_cdf(0.01)) & (x < NormalDist().inv_cdf(0.5))
    assert inner.sum() > 20
    assert np.abs(y[inner] - (-2 - x[inner])).max() < 0.12  # miss = Φ(t - 2) at a threshold t with false alarms Φ(-t)


def test_det_marks_the_error_rate_of_the_table(rich: StudyRecord) -> None:
    winner = next(r for r in confirmed(rich).rows if r.kind == "winner").metrics["eer"].value
    marks = [t for t in drawn("det", rich).data if t.mode == "markers"]
    assert marks[0].x == marks[0].y == (pytest.approx(NormalDist().inv_cdf(winner), abs=1e-3),)


def test_ratios_that_are_right_lie_on_the_diagonal() -> None:
    halves = [gaussian(2.0, seed, rows=20_000 * (seed % 2)) for seed in range(6)]
    sets = calibrated.cross_fitted(halves, np.zeros(60_000, np.int64))
    assert len(sets) == 6
    predicted, observed, weight = calibrated.reliability(sets)
    assert len(predicted) == 10 and weight.sum() == pytest.approx(1)
    assert np.abs(predicted - observed).max() < 0.05
    assert all(0 < s.minimum <= s.cost < s.minimum + 0.03 for s in sets)


def test_each_half_is_calibrated_by_the_other() -> None:
    first, second = gaussian(2.0, 0), gaussian(2.0, 1, rows=20_000)
    moved = dataclasses.replace(second, similarity=second.similarity + 3)
    honest = calibrated.cross_fitted([first, second], np.zeros(60_000, np.int64))
    sets = calibrated.cross_fitted([first, moved], np.zeros(60_000, np.int64))
    assert all(s.cost > h.cost + 0.1 for s, h in zip(sets, honest)), "a calibration of its own would undo the move"
    assert sets[1].minimum == pytest.approx(honest[1].minimum), "the ranking is as it was"


def test_sets_of_the_same_spectra_are_cut_by_their_groups(rich: StudyRecord) -> None:
    codes, _ = groups.named_groups(confirmed(rich))
    full = rich.baselines[0].pairs
    sets = calibrated.cross_fitted(full, codes)
    even = codes % 2 == 0
    assert calibrated.cross_fitted(full, groups.joined_groups(full))[3].cost == pytest.approx(sets[3].cost)
    inside = [int((even[p.left] == even[p.right]).sum()) for p in full]
    assert len(sets) == 2 * len(full)
    assert sum(len(s.ratio) for s in sets) == sum(inside)


def test_group_errors_against_counting(rich: StudyRecord) -> None:
    errors = groups.group_errors(confirmed(rich))
    assert errors is not None
    codes, names = groups.named_groups(confirmed(rich))
    called, judged, missed, own = 0, 0, 0, 0
    g = 5
    for p in confirmed(rich).pairs:
        for a, b, s in zip(codes[p.left], codes[p.right], p.similarity, strict=True):
            if a == b == g:
                own, missed = own + 1, missed + (s < p.threshold)
            elif g in (a, b):
                judged, called = judged + 1, called + (s >= p.threshold)
    assert names[g] == "batch 6"
    assert errors.miss[g] == pytest.approx(missed / own)
    assert errors.false_alarm[g] == pytest.approx(called / judged)
    assert (errors.judged == errors.judged.T).all()


def test_groups_without_names_are_what_their_pairs_join(rich: StudyRecord) -> None:
    bare = dataclasses.replace(confirmed(rich), group_names=(), group_codes=np.zeros(0, np.int64))
    codes, names = groups.named_groups(bare)
    assert list(codes) == list(np.arange(72) // 3)
    assert names[:2] == ("group of row 1", "group of row 4")


def test_groups_stand_in_the_order_of_label_and_number(rich: StudyRecord) -> None:
    figure = drawn("group-confusion", rich)
    shown = list(figure.layout.xaxis.ticktext)
    assert shown == list(figure.layout.yaxis.ticktext)
    assert shown[:4] == ["batch 1", "batch 3", "batch 5", "batch 7"] and shown[12:14] == ["batch 2", "batch 4"]
    z = np.array(figure.data[0].z, dtype=float)
    assert np.nanmean(np.diag(z)) > 0.6 > np.nanmean(z)
    worst = drawn("group-errors", rich)
    assert len(worst.layout.yaxis.ticktext) == 24


def test_both_figures_choose_the_same_groups(rich: StudyRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    called = np.array([[8.0, 1, 0, 0], [1, 2, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    judged = np.array([[10.0, 4, 0, 0], [4, 10, 0, 0], [0, 0, 2, 0], [0, 0, 0, 0]])
    errors = groups.GroupErrors(("a", "b", "c", "d"), called, judged, np.zeros(4, np.int64))
    # c has own pairs alone, all missed: 1; b .8 and .25: .525; a .2 and .25: .225; d was never judged
    assert groups.worst_first(errors).tolist() == [2, 1, 0]
    shown = []
    for name in ("group-errors", "group-confusion"):
        module = registry.load("report.figures", name)
        monkeypatch.setattr(module, "MOST", 5)
        figure = module.build(rich)
        assert figure.layout.meta["note"] == "Shown: the 5 groups with most errors of 24."
        shown.append(set(figure.layout.yaxis.ticktext))
    assert shown[0] == shown[1] and len(shown[0]) == 5


def test_pairs_without_thresholds_leave_no_group_errors(rich: StudyRecord) -> None:
    pairs = tuple(dataclasses.replace(p, threshold=math.nan) for p in confirmed(rich).pairs)
    record = dataclasses.replace(rich, confirmation=dataclasses.replace(confirmed(rich), pairs=pairs))
    module = registry.load("report.figures", "group-errors")
    assert module.build(record) is None
    assert module.missing(record) == "no set of pairs has a threshold chosen on other pairs"


def test_axis_view_shows_attributions_and_says_whether_to_believe_them(rich: StudyRecord) -> None:
    view = confirmed(rich).axis_view
    assert view is not None
    figure = drawn("axis-view", rich)
    traces = named(figure)
    line = traces["integrated gradients, mean over seeds"]
    assert line.x[int(np.argmax(line.y))] == pytest.approx(280, abs=10)
    assert "Grad-CAM (right axis)" in traces
    assert "attributions of 3 seeds: ." in figure.layout.meta["note"]
    assert "much of the picture" not in figure.layout.meta["note"]
    blind = dataclasses.replace(view, shuffled=view.gradients, activations=view.activations[:0])
    record = dataclasses.replace(rich, confirmation=dataclasses.replace(confirmed(rich), axis_view=blind))
    figure = drawn("axis-view", record)
    assert "With shuffled weights: 1.00, so much of the picture" in figure.layout.meta["note"]
    assert "Grad-CAM (right axis)" not in named(figure)
    rng = np.random.default_rng(0)
    loose = dataclasses.replace(view, gradients=rng.normal(size=view.gradients.shape).astype(np.float32))
    record = dataclasses.replace(rich, confirmation=dataclasses.replace(confirmed(rich), axis_view=loose))
    assert "the seeds do not agree" in drawn("axis-view", record).layout.meta["note"]
    gone = dataclasses.replace(rich, confirmation=dataclasses.replace(confirmed(rich), axis_view=None))
    assert registry.load("report.figures", "axis-view").build(gone) is None
