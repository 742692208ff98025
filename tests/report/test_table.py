"""The result table as strings, and the headline's words."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable

from spectrosim_search.config.study import Protocol
from spectrosim_search.evaluation.scores import Estimate
from spectrosim_search.report.headline import facts, verdict_sentence, warnings
from spectrosim_search.report.table import markdown, ordered_methods, plain_text, result_rows
from spectrosim_search.search.records import StudyRecord


def test_one_row_a_method_with_equal_columns(rich: StudyRecord) -> None:
    rows = result_rows(rich)
    assert rich.confirmation is not None
    assert len(rows) == len(rich.confirmation.rows)
    assert len({tuple(r) for r in rows}) == 1
    assert list(rows[0])[:5] == ["method", "kind", "matched-label AUC", "winner - method", "adjusted p"]


def test_order_is_winner_finalists_presets_baselines_ceiling_audit(rich: StudyRecord) -> None:
    kinds = [row.kind for row in ordered_methods(rich)]
    assert list(dict.fromkeys(kinds)) == ["winner", "finalist", "preset", "baseline", "oracle", "audit"]
    baselines = [r.metrics["matched_auc"].value for r in ordered_methods(rich) if r.kind == "baseline"]
    assert baselines == sorted(baselines, reverse=True)


def test_values_are_those_of_the_record(rich: StudyRecord) -> None:
    rows = {r["method"]: r for r in result_rows(rich)}
    tuned = rows["linear metric, tuned"]
    assert tuned["matched-label AUC"] == ".843 [.798, .888]"
    assert tuned["winner - method"] == "+.031 [+.001, +.061]"
    assert tuned["adjusted p"] == ".021"
    assert rows["union-find"]["MCC at prevalence .02"] == "n/a (one class predicted)"
    assert result_rows(rich)[0]["winner - method"] == ""


def test_an_undefined_metric_does_not_break_the_order(rich: StudyRecord) -> None:
    assert rich.confirmation is not None
    rows = tuple(
        dataclasses.replace(r, metrics={"matched_auc": Estimate(float("nan"), note="one label only")})
        if r.name == "cosine"
        else r
        for r in rich.confirmation.rows
    )
    record = dataclasses.replace(rich, confirmation=dataclasses.replace(rich.confirmation, rows=rows))
    assert [r.name for r in ordered_methods(record) if r.kind == "baseline"][-1] == "cosine"
    assert next(r for r in result_rows(record) if r["method"] == "cosine, fixed")["AUC, all pairs"] == "n/a"


def test_before_a_confirmation_there_is_no_table_but_a_reason(unconfirmed: StudyRecord, empty: StudyRecord) -> None:
    assert result_rows(unconfirmed) == [] == result_rows(empty)
    assert verdict_sentence(unconfirmed).startswith("No verdict yet: 58 of 60 trials are done")
    assert verdict_sentence(empty) == "No verdict yet: no trial has been started."
    assert "No verdict yet" in plain_text(unconfirmed)


def test_facts_say_what_was_searched_on_what_and_how(rich: StudyRecord) -> None:
    said = dict(facts(rich))
    assert "72 spectra in 24 groups, 2 labels" in said["Data"]
    assert "no batch of a test pair was seen" in said["Protocol"]
    assert "21 finished, 37 pruned, 2 failed" in said["Searched"]
    assert "took .012 off" in said["How the score was obtained"]
    assert said["Smallest difference this design can detect"] == "about .12"
    assert said["Against the best baseline"] == "+.031 [+.001, +.061] (linear metric, tuned, best of 4)"


def test_facts_say_how_probable_and_how_large_the_lead_is(rich: StudyRecord) -> None:
    told = dict(facts(rich))
    assert (
        told["Probability of a lead that matters"]
        == "better by more than .01: 92 %; within .01: 8 %; worse by more: 0 %"
    )
    assert told["Effect size"] == "+.420 [+.010, +.830] standard deviations between groups"


def test_a_leaking_protocol_is_named_wherever_its_numbers_stand(build: Callable[..., StudyRecord]) -> None:
    record = build(30, protocol="random-pairs")
    scored = [c for c in result_rows(record)[0] if "AUC" in c or "winner" in c or "accuracy" in c or "MCC" in c]
    assert scored
    assert all(c.endswith("(leaking)") for c in scored)
    assert plain_text(record).startswith("Leaking protocol (random-pairs)")
    assert markdown(record).splitlines()[2].startswith("> Leaking protocol")
    assert warnings(record)[0].startswith("Leaking protocol")
    shared = dataclasses.replace(
        record, study=dataclasses.replace(record.study, protocol=Protocol(name="shared-batch"))
    )
    assert "eaking" not in plain_text(shared).replace("Leakage audit", "")


def test_an_audit_off_its_expectation_is_a_warning(rich: StudyRecord) -> None:
    assert rich.confirmation is not None
    off = dataclasses.replace(rich.confirmation, leakage={"auc": 0.7, "balanced_accuracy": 0.7, "expected": 0.5})
    assert any("look at the splits" in w for w in warnings(dataclasses.replace(rich, confirmation=off)))
    assert not any("look at the splits" in w for w in warnings(rich))


def test_markdown_cannot_be_broken_by_names(rich: StudyRecord) -> None:
    assert rich.confirmation is not None
    rows = tuple(dataclasses.replace(r, title="a|b\n<img src=x>") for r in rich.confirmation.rows)
    record = dataclasses.replace(rich, confirmation=dataclasses.replace(rich.confirmation, rows=rows))
    table = [line for line in markdown(record).splitlines() if line.startswith("|")]
    assert len(table) == len(rows) + 2
    assert len({line.replace("\\|", "").count("|") for line in table}) == 1
    assert "<img" not in markdown(record)


def test_plain_text_columns_line_up(rich: StudyRecord) -> None:
    lines = plain_text(rich).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("method"))
    column = lines[start].index("matched-label AUC")
    assert all(line[column - 1] == " " and line[column] in ".1n" for line in lines[start + 2 : start + 13])


def test_the_table_needs_no_heavy_import() -> None:
    code = (
        "import sys, spectrosim_search.report.table as t; "
        "print([m for m in ('plotly', 'torch', 'ray', 'sklearn', 'rich', 'optuna', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
