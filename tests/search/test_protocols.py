"""Protocols side by side: what each number is made of, what may carry an interval, what is marked as leaking."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from spectrosim_search.config.errors import InputError
from spectrosim_search.evaluation.statistics import jackknife
from spectrosim_search.evaluation.verification import metrics
from spectrosim_search.report.protocols import comparison_tables
from spectrosim_search.search.baseline_items import baseline_items, fit_baseline
from spectrosim_search.search.plan import first_configuration
from spectrosim_search.search.protocols import METRICS, PROTOCOLS, Model, compare_protocols
from spectrosim_search.search.reference import reference_scores
from spectrosim_search.search.run import prepare_study
from spectrosim_search.search.workbench import CONFIRMATION_SEED, Workbench
from spectrosim_search.search.workers.in_process import InProcessPool
from spectrosim_search.spectra.simulators import simulate
from tests.search.searching import small_spectra, small_study

STUDY = small_study(baselines=("cosine", "linear-metric"))
SPECTRA = dataclasses.replace(small_spectra(), truth={})


def no_pool():
    raise AssertionError("there is nothing to train")


def compare(models=(), start=no_pool, **given):
    return compare_protocols(STUDY, SPECTRA, models, start, **given)


def by_name(found):
    return {(s.protocol, s.method): s for s in found.scores}


@pytest.fixture(scope="module")
def trained():
    """Two models of one configuration, twice."""
    base = first_configuration(STUDY)
    pools = []

    def start():
        pools.append(InProcessPool(SPECTRA, STUDY))
        return pools[-1]

    found = compare([Model("base", base), Model("again", base, "a note")], start, repeats=2)
    assert len(pools) == 1
    return found


def test_every_number_is_that_of_the_protocol_alone(trained):
    """Slow twin: the study under each protocol, its cells trained and scored one by one."""
    scores = by_name(trained)
    for protocol in PROTOCOLS:
        values, cells = [], []
        for repeat in range(2):
            changed = dataclasses.replace(
                STUDY.protocol, name=protocol, scoring="corrected-cv", seed=STUDY.protocol.seed + repeat
            )
            study = dataclasses.replace(STUDY, protocol=changed, seed=STUDY.seed + repeat)
            bench, pool = Workbench(SPECTRA, study), InProcessPool(SPECTRA, study)
            own = []
            for item in bench.confirmation_items(first_configuration(STUDY), 1):
                pool.submit([item])
                own += [event.record.pairs for event in pool.events(0)]
            values.append([np.mean([metrics(cell)[m] for cell in own]) for m in METRICS])
            cells += own
        found = scores[protocol, "base"]
        assert found.repeats == 2
        assert [found.metrics[m].value for m in METRICS] == pytest.approx(np.mean(values, axis=0), abs=1e-12)
        assert [found.sd[m] for m in METRICS] == pytest.approx(np.std(values, axis=0, ddof=1), abs=1e-12)
        again = scores[protocol, "again"]
        assert (again.metrics, again.sd) == (found.metrics, found.sd) and again.note == "a note"
        units = bench.design.units
        for m in METRICS:
            interval = jackknife(cells, units, m)
            estimate = found.metrics[m]
            assert estimate.value == pytest.approx(interval.value, abs=1e-12)
            if protocol == "batch-disjoint":
                assert (estimate.low, estimate.high) == (interval.low, interval.high)
            else:
                assert np.isnan([estimate.low, estimate.high, estimate.standard_error]).all() and estimate.note


def test_the_union_find_stands_beside_every_column(trained):
    scores = by_name(trained)
    assert scores["random-pairs", "union-find"].metrics["auc"].value == pytest.approx(
        trained.expected["random-pairs"], abs=0.1
    )
    for protocol in ("shared-batch", "batch-disjoint"):
        assert scores[protocol, "union-find"].metrics["auc"].value == 0.5 == trained.expected[protocol]
    assert {s.protocol for s in trained.scores if s.leaks} == {"random-pairs"}
    assert ("shared-batch", "training-centroid") in scores


@pytest.mark.parametrize(("pair_split", "stated"), [(0.0, 0.733), (0.6, 0.68)])
def test_what_the_union_find_gives_away_on_72_spectra(pair_split, stated):
    spectra = dataclasses.replace(simulate("reims", channels=32), truth={})
    study = dataclasses.replace(STUDY, baselines=())
    found = compare_protocols(study, spectra, (), no_pool, repeats=20, pair_split=pair_split)
    score = by_name(found)["random-pairs", "union-find"]
    assert score.metrics["balanced_accuracy"].value == pytest.approx(stated, abs=0.02)
    assert score.metrics["balanced_accuracy"].value == pytest.approx(found.expected["random-pairs"], abs=0.02)
    assert 0.005 < score.sd["balanced_accuracy"] < 0.06


def test_the_page_shows_what_the_command_prints():
    """Reference rows of the tables in docs/protocol.md, made again."""
    page = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text().split("## Protocols side by side")[1]
    command = re.search(r"protocols (--seeds (\d+) --baselines (\S+))", page)
    prepared = prepare_study("quick", set_=[f"baselines=[{command[3]}]"])
    found = compare_protocols(prepared.study, prepared.spectra, (), no_pool, repeats=int(command[2]))
    tables = comparison_tables(found)
    for title in ("balanced accuracy", "AUC, all pairs"):
        assert f"| {title} | " + " | ".join(list(tables[title][0])[1:]) + " |" in page
        for row in tables[title]:
            assert "| " + " | ".join(row.values()) + " |" in page, row
    assert f"with three folds at {found.expected['random-pairs']:.3f}".replace("0.", ".") in page


def test_a_pair_split_judges_each_method_on_the_same_held_out_pairs():
    found = compare(
        [Model("base", first_configuration(STUDY))], lambda: InProcessPool(SPECTRA, STUDY), repeats=1, pair_split=0.6
    )
    assert found.pair_split == 0.6
    score = by_name(found)["random-pairs", "linear-metric"]
    protocol = dataclasses.replace(STUDY.protocol, name="random-pairs", scoring="hold-out", hold_out=0.4)
    bench = Workbench(SPECTRA, dataclasses.replace(STUDY, protocol=protocol))
    seeds = [CONFIRMATION_SEED]
    items = baseline_items(bench, ["linear-metric"], seeds, seeds, hold_out=True)
    fits = [fit_baseline(bench, item, worker="", environment_id="") for item in items]
    alone = reference_scores("linear-metric", bench, fits, seeds, seeds, hold_out=True)
    assert score.metrics["auc"].value == pytest.approx(metrics(alone.held_out[0])["auc"], abs=1e-12)
    assert len(alone.held_out[0][0].left) == round(0.4 * 36) + round(0.4 * (36 * 35 // 2 - 36))
    model = by_name(found)["random-pairs", "base"]
    assert model.repeats == 1 and 0 < model.metrics["balanced_accuracy"].value < 1


def test_what_cannot_be_trained_says_why():
    base = first_configuration(STUDY)
    broken = dataclasses.replace(base, preprocessing=dataclasses.replace(base.preprocessing, intensity="sqrt"))
    negative = dataclasses.replace(SPECTRA, intensities=SPECTRA.intensities - 1000.0)
    found = compare_protocols(
        STUDY, negative, [Model("broken", broken)], lambda: InProcessPool(negative, STUDY), repeats=1
    )
    for protocol in PROTOCOLS:
        score = by_name(found)[protocol, "broken"]
        assert score.repeats == 0 and np.isnan(score.metrics["auc"].value)
        assert "a repeat failed" in score.note and "negative" in score.note


def test_few_groups_are_compared_by_fixed_methods():
    few = dataclasses.replace(simulate("reims", batches=6, channels=32), truth={})
    found = compare_protocols(STUDY, few, [Model("base", first_configuration(STUDY))], no_pool, repeats=1)
    assert {s.kind for s in found.scores} == {"audit", "baseline"}
    assert any("too few groups to train models" in w for w in found.warnings)


def test_time_ends_with_a_whole_repeat():
    found = compare(repeats=50, minutes=1e-6)
    assert found.repeats == 1 and {s.repeats for s in found.scores} == {1}
    assert any("1 of 50 repeats" in w for w in found.warnings)


@pytest.mark.parametrize(("given", "says"), [({"repeats": 0}, "0 repeats"), ({"pair_split": 0.95}, ".5 to .9")])
def test_wrong_input_is_refused(given, says):
    with pytest.raises(InputError, match=says):
        compare(**given)
