"""The rule of DESIGN §5 and its sentence."""

from __future__ import annotations

import pytest

from spectrosim_search.evaluation.posterior import Posterior
from spectrosim_search.evaluation.scores import Estimate
from spectrosim_search.evaluation.verdict import decide, lead


def judge(value, low, high, baseline="linear-metric-tuned", p=float("nan")):
    return decide(
        Estimate(value, low, high),
        best_baseline=baseline,
        best_title="linear metric (tuned)" if "linear" in baseline else "plain cosine",
        metric="matched_auc",
        groups=24,
        p=p,
    )


@pytest.mark.parametrize(
    ("value", "low", "high", "outcome"),
    [
        (0.05, 0.001, 0.10, "better"),
        (0.05, 0.0, 0.10, "not worse"),
        (0.02, -0.049, 0.09, "not worse"),
        (0.02, -0.05, 0.09, "cannot tell"),
        (-0.01, -0.04, 0.02, "not worse"),
        (-0.011, -0.04, 0.02, "cannot tell"),
        (-0.2, -0.3, -0.1, "cannot tell"),
    ],
)
def test_outcomes_at_their_limits(value, low, high, outcome):
    assert judge(value, low, high).outcome == outcome


def test_sentence_says_by_how_much_and_how_sure():
    sentence = judge(0.031, 0.012, 0.05, p=0.0032).sentence
    assert sentence == (
        "Better: the winner beats the best baseline, linear metric (tuned), by 0.031 matched-label AUC "
        "(95 % interval +0.012 to +0.050 over 24 groups, Holm-corrected one-sided p = 0.003)."
    )
    assert "p below 0.001" in judge(0.1, 0.05, 0.15, p=1e-6).sentence


def test_sentence_adds_how_probable_a_lead_that_matters_is():
    given = {"best_baseline": "cosine", "best_title": "plain cosine", "metric": "auc", "groups": 24, "p": 0.02}
    e = Estimate(0.031, -0.012, 0.05)
    plain = decide(e, **given)
    told = decide(e, **given, belief=Posterior(0.01, 0.934, 0.06, 0.006))
    assert told.outcome == plain.outcome == "not worse"
    assert "p = 0.020; probability that it is better by more than 0.01: 93 %)" in told.sentence
    for value, text in ((0.999, ": above 99 %"), (0.001, ": below 1 %")):
        assert text in decide(e, **given, belief=Posterior(0.01, value, 1 - value, 0.0)).sentence


def test_a_winning_baseline_is_named_plainly():
    lost = judge(-0.08, -0.12, -0.04)
    assert lost.export_kind == "linear-metric" and lost.baseline_ahead
    assert "beats it by 0.080" in lost.sentence and "The linear metric needs no search" in lost.sentence
    cosine = judge(-0.08, -0.12, -0.04, baseline="cosine")
    assert cosine.export_kind == "model" and cosine.baseline_ahead
    assert "prefer it" in cosine.sentence
    assert judge(0.01, -0.1, 0.1).export_kind == "model"
    for name in ("plda", "plda-tuned"):
        plda = judge(-0.08, -0.12, -0.04, baseline=name)
        assert plda.export_kind == "plda"
        assert "PLDA needs no search" in plda.sentence and "it is what export hands over" in plda.sentence
        assert judge(0.01, -0.1, 0.1, baseline=name).export_kind == "model"


def test_undefined_difference_cannot_tell():
    verdict = decide(
        Estimate(float("nan"), note="a similarity is not a number"),
        best_baseline="cosine",
        best_title="plain cosine",
        metric="auc",
        groups=9,
    )
    assert verdict.outcome == "cannot tell" and "not a number" in verdict.sentence


def lead_of(value, low, high, name="linear-metric", metric="matched_auc", difference=None):
    return lead(
        Estimate(value, low, high, note="undefined here" if value != value else ""),
        name=name,
        title=name.replace("-", " "),
        metric=metric,
        groups=6,
        needed=8,
        runner_up="cosine",
        difference=difference,
    )


def test_lead_names_who_leads_by_how_much_and_how_sure():
    found = lead_of(0.8, 0.6, 0.9, difference=Estimate(0.1, -0.05, 0.25))
    assert (found.outcome, found.export_kind) == ("not searched", "linear-metric")
    assert found.sentence == (
        "Not searched: 6 groups are too few to search (8 are needed), so fixed methods were compared; linear metric "
        "leads with a matched-label AUC of 0.800 (95 % interval 0.600 to 0.900), 0.100 ahead of cosine (95 % interval "
        "-0.050 to +0.250)."
    )
    assert lead_of(0.8, 0.6, 0.9, name="cosine-tuned").export_kind == "none"
    assert lead_of(0.8, 0.6, 0.9, name="plda-tuned").export_kind == "plda"
    assert "level with cosine" in lead_of(0.8, 0.6, 0.9, difference=Estimate(0.0, 0.0, 0.0)).sentence


@pytest.mark.parametrize(("metric", "low", "shown"), [("auc", 0.5, False), ("auc", 0.51, True), ("mcc", 0.1, True)])
def test_lead_below_or_at_chance_is_said(metric, low, shown):
    assert ("beats chance is not shown" not in lead_of(0.6, low, 0.9, metric=metric).sentence) == shown


def test_no_score_no_lead():
    found = lead_of(float("nan"), float("nan"), float("nan"))
    assert found.export_kind == "none" and "undefined here" in found.sentence
