"""Every figure keeps the family's contract, and shows the numbers of the record."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any, get_args

import numpy as np
import pytest

from spectrosim_search.config import registry
from spectrosim_search.config.study import Task
from spectrosim_search.evaluation.scores import PairScores
from spectrosim_search.report import pairs, theme
from spectrosim_search.report.figures._axes import Scale, spread_out
from spectrosim_search.report.marks import plot_text
from spectrosim_search.report.members import SECTIONS, members
from spectrosim_search.report.parameters import short_path
from spectrosim_search.report.trials import scored_trials, thin, varied
from spectrosim_search.search.records import StudyRecord, TrialRecord

NAMES = registry.names("report.figures")


def traces(figure: Any) -> dict[str, Any]:
    return {t.name: t for t in figure.data}


def drawn(name: str, record: StudyRecord) -> Any:
    figure = registry.load("report.figures", name).build(record)
    assert figure is not None
    return figure


@pytest.mark.parametrize("name", NAMES)
def test_contract(
    name: str, rich: StudyRecord, named: StudyRecord, unconfirmed: StudyRecord, empty: StudyRecord
) -> None:
    module = registry.load("report.figures", name)
    assert module.SECTION in SECTIONS
    assert isinstance(module.ORDER, int)
    assert module.TITLE and not module.TITLE.endswith(".")
    assert 40 < len(module.CAPTION) < 330
    assert 1 <= module.CAPTION.count(". ") + module.CAPTION.endswith(".") <= 3
    assert set(module.__all__) - {"TASKS"} == {"CAPTION", "ORDER", "SECTION", "TITLE", "build", "missing"}
    tasks = getattr(module, "TASKS", get_args(Task))
    assert set(tasks) <= set(get_args(Task))
    first = module.build(rich if "same-batch" in tasks else named)
    assert first is not None, "a rich record shows every figure"
    content = first.to_plotly_json()
    content["layout"].pop("template", None)
    found = set(re.findall(r"#[0-9a-fA-F]{6}", str(content)))
    assert found, "colours are set by the figure"
    assert found <= {light for light, _ in theme.COLOURS.values()}, "and come from the palette"
    for record in (unconfirmed, empty):
        if module.build(record) is None:
            reason = module.missing(record)
            assert reason and "\n" not in reason and not reason.endswith(".")


def test_orders_are_distinct_and_nothing_starts_in_the_empty_study(empty: StudyRecord) -> None:
    orders = [m.module.ORDER for m in members()]
    assert orders == sorted(set(orders))
    assert [m.name for m in members() if m.build(empty) is not None] == []


def test_palette_can_be_exchanged_without_ambiguity() -> None:
    lights = [light for light, _ in theme.dark_partners()]
    darks = {dark for _, dark in theme.dark_partners()}
    assert len(set(lights)) == len(lights)
    assert not darks & set(lights)


def _luminance(value: str) -> float:
    channels = [int(value[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("dark", [False, True])
def test_marks_stand_out_from_the_ground(dark: bool) -> None:
    ground = _luminance(theme.colour("paper", dark=dark))
    for name in ("ink", "muted", "blue", "sky", "orange", "green", "purple", "red"):
        tone = _luminance(theme.colour(name, dark=dark))
        contrast = (max(ground, tone) + 0.05) / (min(ground, tone) + 0.05)
        assert contrast >= (4.5 if name in ("ink", "muted") else 3.0), name  # WCAG 2.1: text, graphics


def test_methods_show_values_and_intervals(rich: StudyRecord) -> None:
    winner = traces(drawn("methods", rich))["winner"]
    assert winner.x == (0.874,)
    assert winner.error_x.array[0] == pytest.approx(0.045)
    assert traces(drawn("methods", rich))["ceiling"].x == (0.958,)


def test_differences_leave_out_the_winner(rich: StudyRecord) -> None:
    figure = drawn("differences", rich)
    assert "winner" not in traces(figure)
    assert len(figure.layout.yaxis.ticktext) == 10


def naive_roc(p: PairScores, threshold: float) -> tuple[float, float]:
    same = [bool(s >= threshold) for s in p.similarity]
    true = sum(a and b for a, b in zip(same, p.positive, strict=True)) / int(p.positive.sum())
    false = sum(a and not b for a, b in zip(same, p.positive, strict=True)) / int((~p.positive).sum())
    return false, true


def test_roc_against_counting_with_ties() -> None:
    rng = np.random.default_rng(0)
    similarity = rng.integers(0, 6, 60).astype(np.float32) / 5
    positive = rng.random(60) < 0.3
    index = np.arange(60)
    p = PairScores(index, index + 1, positive, index * 0, similarity, 0.4)
    false, true = pairs.roc(p)
    expected = [(0.0, 0.0)] + [naive_roc(p, t) for t in sorted(set(similarity.tolist()), reverse=True)]
    assert np.allclose(np.stack([false, true], 1), expected)
    assert np.allclose(np.stack(pairs.operating_points([p]), 1), [naive_roc(p, 0.4)])


def test_mean_roc_of_a_perfect_and_a_blind_set() -> None:
    index = np.arange(40)
    positive = index < 10
    perfect = PairScores(index, index, positive, index * 0, positive.astype(np.float32), 0.5)
    blind = PairScores(index, index, positive, index * 0, np.zeros(40, np.float32), float("nan"))
    one_sided = PairScores(index, index, index < 0, index * 0, np.zeros(40, np.float32), 0.5)
    curve = pairs.mean_roc([perfect, blind, one_sided])
    assert curve is not None
    assert np.allclose(curve[0], (1 + pairs.RATES) / 2, atol=1e-9)
    assert pairs.mean_roc([one_sided]) is None
    assert len(pairs.operating_points([blind])[0]) == 0


def test_distributions_sum_to_one_and_carry_the_threshold(rich: StudyRecord) -> None:
    figure = drawn("similarity-distributions", rich)
    for trace in figure.data:
        assert sum(trace.y) == pytest.approx(1, abs=1e-3)
    assert any(s.x0 == 0.268 == s.x1 for s in figure.layout.shapes)
    same, different = figure.data[1], figure.data[0]
    assert np.dot(same.x, same.y) > np.dot(different.x, different.y) + 0.3


def test_map_joins_spectra_of_one_batch_only(rich: StudyRecord) -> None:
    assert rich.confirmation is not None
    lines = traces(drawn("embedding", rich))["same batch"]
    place = {tuple(np.round(p.astype(float), 4)): i for i, p in enumerate(rich.confirmation.embedding)}
    ends = np.stack([lines.x, lines.y], 1).reshape(-1, 3, 2)
    joined = {(place[tuple(e[0])] // 3, place[tuple(e[1])] // 3) for e in ends}
    assert joined == {(g, g) for g in range(24)}
    points = [t for t in drawn("embedding", rich).data if t.mode == "markers"]
    assert sum(len(t.x) for t in points) == 72
    assert {t.name for t in points} == {"label 1", "label 2"}


def test_map_leaves_out_spectra_without_a_place(rich: StudyRecord) -> None:
    assert rich.confirmation is not None
    holes = rich.confirmation.embedding.copy()
    holes[:9] = np.nan
    record = dataclasses.replace(rich, confirmation=dataclasses.replace(rich.confirmation, embedding=holes))
    assert sum(len(t.x) for t in drawn("embedding", record).data if t.mode == "markers") == 63


def test_history_counts_every_trial_and_never_falls(rich: StudyRecord) -> None:
    named = traces(drawn("history", rich))
    assert len(named["pruned (37)"].x) == 37
    assert len(named["finished (21)"].x) == 21
    assert named["failed (2), no score"].x == (17, 40)
    best = named["best so far"].y
    assert all(a <= b for a, b in pairwise(best))
    assert best[-1] == pytest.approx(max(t.value or 0 for t in rich.trials if t.state == "COMPLETE"), abs=1e-5)


def test_running_trials_without_a_value_are_left_out(rich: StudyRecord) -> None:
    running = dataclasses.replace(rich.trials[0], number=60, state="RUNNING", value=None)
    record = dataclasses.replace(rich, trials=(*rich.trials, running))
    assert len(scored_trials(record)) == len(scored_trials(rich)) == 58


def test_spread_is_that_of_the_cells(rich: StudyRecord) -> None:
    first = scored_trials(rich)[0]
    scores = [r.score for r in rich.replicates if r.trial_number == 0 and r.phase == "search"]
    assert first.cells == len(scores) == 12
    assert first.value == pytest.approx(np.mean(scores))
    assert first.spread == pytest.approx(np.std(scores, ddof=1))


def test_intermediate_ends_hollow_where_pruned(rich: StudyRecord) -> None:
    figure = drawn("intermediate", rich)
    ends = figure.data[-1]
    hollow = [x for x, s in zip(ends.x, ends.marker.symbol, strict=True) if s == "circle-open"]
    assert len(hollow) == 37
    assert set(hollow) <= {1, 3, 6}


def test_importance_is_the_given_one_or_absent(rich: StudyRecord) -> None:
    figure = drawn("importance", rich)
    assert list(figure.data[0].x) == sorted(figure.data[0].x, reverse=True)
    assert figure.layout.yaxis.ticktext[0] == "objective.temperature"
    module = registry.load("report.figures", "importance")
    for nothing in ({}, {"importance": {}}, {"importance": {"a": math.nan}}):
        record = dataclasses.replace(rich, design=nothing)
        assert module.build(record) is None
        assert module.missing(record).startswith("n/a")


def test_sensitivity_shows_mean_and_spread_over_trials(rich: StudyRecord) -> None:
    line = traces(drawn("batch-size", rich))["mean ± sd over trials"]
    assert list(line.x) == [8, 16, 32, 64]
    of_16 = [t.value for t in scored_trials(rich) if t.parameter("training.batch_size") == 16]
    assert line.y[1] == pytest.approx(np.mean(of_16), abs=1e-5)
    assert line.error_y.array[1] == pytest.approx(np.std(of_16, ddof=1), abs=1e-5)
    assert len(traces(drawn("temperature", rich))["trial (hollow: pruned)"].x) == 58
    peak = traces(drawn("temperature", rich))["mean ± sd over trials"]
    assert 0.04 < peak.x[int(np.argmax(peak.y))] < 0.25, "the record was made with its best temperature at .1"


def test_sensitivity_of_a_fixed_setting_says_its_value(rich: StudyRecord) -> None:
    trials = tuple(
        dataclasses.replace(t, parameters={k: v for k, v in t.parameters.items() if k != "training.batch_size"})
        for t in rich.trials
        if t.parameters["training.batch_size"] == 16
    )
    record = dataclasses.replace(rich, trials=trials)
    module = registry.load("report.figures", "batch-size")
    assert module.build(record) is None
    assert module.missing(record) == "all trials had batch size 16"


def test_parallel_has_an_axis_a_varied_parameter_and_the_score(rich: StudyRecord) -> None:
    figure = drawn("parallel", rich)
    bold = [a.text for a in figure.layout.annotations if a.text.startswith("<b>")]
    assert len(bold) == len(varied(rich, scored_trials(rich))) + 1 == 11
    assert sum(x is None for t in figure.data for x in t.x) == 58
    assert any(a.text == "not set" for a in figure.layout.annotations)


def test_slices_have_a_panel_a_parameter(rich: StudyRecord) -> None:
    figure = drawn("slices", rich)
    assert len(figure.data) == figure.layout.meta["panels"] == 10
    conditional = figure.data[6]
    assert len(conditional.x) < len(figure.data[0].x), "a panel shows the trials that had its parameter"


def test_of_many_parameters_the_important_and_common_ones_are_shown(rich: StudyRecord) -> None:
    def widened(trial: TrialRecord) -> TrialRecord:
        more = {f"augmentations.kind.extra_{i}": trial.number * i for i in range(1, 31)}
        rare = {"head.rare": trial.number} if trial.number < 8 else {}
        return dataclasses.replace(trial, parameters={**trial.parameters, **more, **rare})

    weights = {"head.rare": 0.5, "augmentations.kind.extra_7": 0.3, "objective.temperature": 0.2}
    record = dataclasses.replace(
        rich, trials=tuple(map(widened, rich.trials)), design={**rich.design, "importance": weights}
    )
    for name, most in (("parallel", 10), ("slices", 12)):
        figure = drawn(name, record)
        bold = [a.text for a in figure.layout.annotations if a.text.startswith("<b>")]
        assert len(bold) == most + (name == "parallel")
        assert "extra_7" in bold[0] and "temperature" in bold[1]
        assert not any("rare" in text for text in bold), "eight trials of sixty say little"
        assert f"the {most} most important of 41 parameters" in figure.layout.meta["note"]
    bars = drawn("importance", record).data[0]
    assert list(bars.text) == [".50 (8 trials)", ".30", ".20"]
    assert bars.marker.color[0] != bars.marker.color[1] == bars.marker.color[2]


def test_long_paths_lose_their_front_alone() -> None:
    assert short_path("objective.temperature") == "objective.temperature"
    assert short_path("augmentations.permutation.probability") == "…permutation.probability"
    assert short_path("x" * 50) == "x" * 50


def test_first_trial_stands_whole_beside_the_axis_and_the_best_reaches_the_end(rich: StudyRecord) -> None:
    figure = drawn("history", rich)
    low, high = figure.layout.xaxis.range
    assert low < 0 and high > 59
    assert traces(figure)["best so far"].x[-1] == scored_trials(rich)[-1].number


def test_a_single_best_and_cheapest_trial_is_said(rich: StudyRecord) -> None:
    complete = [t for t in rich.trials if t.state == "COMPLETE"][:1]
    record = dataclasses.replace(rich, trials=tuple(complete), confirmation=None)
    figure = drawn("cost", record)
    assert "best for its cost" not in traces(figure)
    assert f"trial {complete[0].number} has the best score" in figure.layout.meta["note"]


def test_timeline_cuts_pauses_out(rich: StudyRecord) -> None:
    figure = drawn("timeline", rich)
    ends = [b + x for t in figure.data for b, x in zip(t.base, t.x, strict=True)]
    assert 10 < max(ends) < 20, "minutes: the hour of interruption is gone"
    assert any(a.text == "pause 1 h" for a in figure.layout.annotations)
    assert sum(len(t.x) for t in figure.data) == len(rich.replicates)
    assert len(traces(figure)["diverged or failed"].x) == 1
    assert "96 % of the working time" in figure.layout.meta["note"]


def test_cost_front_only_rises(rich: StudyRecord) -> None:
    front = traces(drawn("cost", rich))["best for its cost"]
    assert all(a < b for a, b in pairwise(front.x))
    assert all(a < b for a, b in pairwise(front.y))


def test_collapsed_trials_are_counted(rich: StudyRecord) -> None:
    figure = drawn("rank", rich)
    ranks = {}
    for trial in rich.trials:
        found = [
            r.metrics["embedding_rank"]
            for r in rich.replicates
            if r.trial_number == trial.number and r.phase == "search"
        ]
        if found:
            ranks[trial.number] = float(np.mean(found))
    shown = [scored.number for scored in scored_trials(rich) if scored.number in ranks]
    assert sum(len(t.x) for t in figure.data) == len(shown)
    low = sum(ranks[n] < 1.5 for n in shown)
    assert f"{low} of {len(shown)} trials" in figure.layout.meta["note"]
    assert min(min(t.x) for t in figure.data) == pytest.approx(min(ranks[n] for n in shown), rel=1e-3)


def test_choices_without_labels_are_the_first_of_each_criterion(rich: StudyRecord) -> None:
    from scipy.stats import spearmanr

    from spectrosim_search.report.label_free import choices

    finished = [t for t in scored_trials(rich) if t.complete]

    def mean(number: int, *names: str) -> float:
        own = [r.metrics for r in rich.replicates if r.trial_number == number and r.phase == "search"]
        return float(np.mean([sum(m[name] for name in names) for m in own]))

    rank = {t.number: mean(t.number, "embedding_rank") for t in finished}
    even = {t.number: -mean(t.number, "uniformity") for t in finished}
    both = {t.number: -mean(t.number, "alignment", "uniformity") for t in finished}
    labels, *others = choices(rich)
    assert labels.value == max(t.value for t in finished) and np.isnan(labels.correlation)
    assert len(others) == 3
    for choice, criterion in zip(others, (rank, even, both), strict=True):
        scores = {t.number: t.value for t in finished}
        assert criterion[choice.trial] == max(criterion.values())
        assert choice.value == scores[choice.trial]
        expected = spearmanr(list(criterion.values()), list(scores.values())).statistic
        assert choice.correlation == pytest.approx(expected, abs=1e-9)
    figure = drawn("label-free", rich)
    shown = [t.text[0] for t in figure.data]
    assert len(shown) == 4 and all(f"trial {c.trial}:" in text for c, text in zip((labels, *others), shown))


def test_long_studies_are_thinned_and_say_so(build: Callable[..., StudyRecord]) -> None:
    trials = scored_trials(build(120, confirmed=False))
    kept, note = thin(trials, 40)
    assert len(kept) <= 40
    assert max(t.value for t in kept) == max(t.value for t in trials)
    assert kept[-1].number == trials[-1].number
    assert "of 115 trials" in note
    assert thin(trials) == (trials, "")


def test_scales() -> None:
    empty = type("R", (), {"study": type("S", (), {"dimensions": ()})()})()
    mixed = Scale.of(empty, "a", ["b", True, 2, "a"])
    assert {mixed.place(v) for v in ("b", True, 2, "a")} == {0.0, 1.0, 2.0, 3.0}
    plain = Scale.of(empty, "a", [1.0, 3.0])
    assert plain.place(2.0) == 2.0
    assert plain.ticks([1.0, 3.0]) == ([1.0, 3.0], ["1", "3"])
    offsets = spread_out(50)
    assert len(set(offsets)) == 50
    assert max(map(abs, offsets)) <= 0.25


def test_text_from_outside_is_disarmed() -> None:
    shown = plot_text("<a href='javascript:x'>%{y} $\\frac$</a>", 80)
    assert "<" not in shown and "%{" not in shown and "$" not in shown
    assert len(plot_text("x" * 90)) == 40
