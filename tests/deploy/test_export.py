from __future__ import annotations

import math
from dataclasses import replace

import pytest
import yaml

from spectrosim_search.config.configuration import committee_identity
from spectrosim_search.config.errors import InputError
from spectrosim_search.config.study import Study
from spectrosim_search.deploy.document import LinearMetric, document_from_yaml
from spectrosim_search.deploy.export import export, export_front
from spectrosim_search.search.documents.configurations import load_preset
from spectrosim_search.search.records import (
    BaselineRecord,
    ConfirmationRecord,
    DatasetRecord,
    EnvironmentRecord,
    Estimate,
    MethodRow,
    StudyRecord,
    TrialRecord,
    VerdictRecord,
)

_PAPER, _CHAPTER = load_preset("spectrosim-paper"), load_preset("spectrosim-chapter")


def _trial(number: int, value: float | None, state: str = "COMPLETE", chapter: bool = False) -> TrialRecord:
    configuration = _CHAPTER if chapter else _PAPER
    return TrialRecord(
        number,
        state,
        value,
        {},
        configuration,
        configuration.identity,
        {},
        "",
        0.0,
        1.0,  # type: ignore[arg-type]  # text
    )


def _row(name: str, kind: str, identity: str, value: float, settings: str = "") -> MethodRow:
    metrics = {
        "matched_auc": Estimate(value, value - 0.1, value + 0.05, 0.04),
        "auc": Estimate(value + 0.02),
        "mcc": Estimate(math.nan, note="no threshold"),
    }
    return MethodRow(name, name, kind, identity, 30, metrics, 0.01, None, math.nan, settings)  # type: ignore[arg-type]  # text


@pytest.fixture
def record() -> StudyRecord:
    sentence = "The winner is better than the linear metric, tuned, by .05 (.01 to .09)."
    confirmation = ConfirmationRecord(
        created_at=1_795_000_000.0,
        scoring="corrected-cv",
        metric="matched_auc",
        rows=(
            _row("winner", "winner", _CHAPTER.identity, 0.81),
            _row("trial 1", "finalist", _PAPER.identity, 0.79),
            _row("linear-metric-tuned", "baseline", "", 0.76, "log, k 20, shrinkage 0.1"),
        ),
        verdict=VerdictRecord("better", sentence, Estimate(0.05, 0.01, 0.09), "linear-metric-tuned", 0.01),
        winner_trial=2,
        winner_configuration_id=_CHAPTER.identity,
        export_kind="model",
        leakage={"auc": 0.5},
        threshold=0.4,
        epochs=17,
        pairs=(),
        embedding=None,  # type: ignore[arg-type]  # not read by an export
    )
    return StudyRecord(
        study=Study(name="fish"),
        dataset=DatasetRecord("0123456789abcdef", "fish.csv", 72, 2080, 24, 2, "m/z", 77.0, 999.0),
        created_at=0.0,
        trials=(
            _trial(0, 0.70), _trial(1, 0.80), _trial(2, 0.90, chapter=True), _trial(3, 0.95, state="PRUNED"),
            replace(_trial(4, None, state="RUNNING"), configuration=None), _trial(5, math.nan),
        ),
        replicates=(),
        baselines=(BaselineRecord("linear-metric-tuned", "linear metric, tuned", (), "log, k 20, shrinkage 0.1", 1.0),),
        confirmation=confirmation,
        environments=(EnvironmentRecord("e", {"torch": "2.13.0"}, {}),),
    )  # fmt: skip


def test_the_winner(record: StudyRecord) -> None:
    text = export(record)
    document = document_from_yaml(text)
    assert document.configuration == _CHAPTER
    header = text.split("kind:")[0]
    assert "Trial 2 of study 'fish'" in header
    assert "fingerprint 0123456789abcdef" in header
    assert "matched-label AUC 0.810 (95 % interval 0.710 to 0.860), protocol batch-disjoint, 30 seeds" in header
    assert record.confirmation is not None
    assert record.confirmation.verdict.sentence in header
    assert all(line.startswith("#") or not line for line in header.splitlines())
    p = document.provenance
    assert p["trial"] == 2
    assert p["epochs"] == 17
    assert p["trials"] == 5  # complete and pruned
    assert p["scores"]["matched_auc"] == {"value": 0.81, "low": 0.71, "high": 0.86}
    assert p["scores"]["mcc"] == {"note": "no threshold"}
    assert p["verdict"] == "better"
    assert p["packages"] == {"torch": "2.13.0"}
    assert yaml.safe_load(text)["provenance"]["data_fingerprint"] == "0123456789abcdef"


def test_a_trial_by_its_number(record: StudyRecord) -> None:
    document = document_from_yaml(export(record, trial=1))
    assert document.configuration == _PAPER
    assert document.provenance["chosen"] == "asked for by its number"
    assert document.provenance["scores"]["matched_auc"]["value"] == 0.79  # it was a finalist
    assert "epochs" not in document.provenance  # those are the winner's


def test_a_trial_that_cannot_be_exported(record: StudyRecord) -> None:
    with pytest.raises(InputError, match="no trial 99: it has 0 to 5"):
        export(record, trial=99)
    with pytest.raises(InputError, match="trial 4 of study 'fish' has no configuration yet"):
        export(record, trial=4)


def test_without_confirmation_the_best_complete_trial_is_exported_with_a_caution(record: StudyRecord) -> None:
    text = export(replace(record, confirmation=None))
    assert document_from_yaml(text).provenance["trial"] == 2
    assert "not confirmed, and too good" in text.split("kind:")[0]
    with pytest.raises(InputError, match="no complete trial yet"):
        export(replace(record, confirmation=None, trials=record.trials[3:]))


@pytest.mark.parametrize(("best", "settings"), [("linear-metric-tuned", "tuned"), ("linear-metric", "fixed")])
def test_where_the_linear_metric_wins_it_is_exported(record: StudyRecord, best: str, settings: str) -> None:
    assert record.confirmation is not None
    verdict = replace(record.confirmation.verdict, outcome="cannot tell", best_baseline=best)
    won = replace(record, confirmation=replace(record.confirmation, export_kind="linear-metric", verdict=verdict))
    text = export(won)
    document = document_from_yaml(text)
    assert document.linear_metric == LinearMetric(settings=settings)  # type: ignore[arg-type]  # one of two texts
    assert "The linear metric of study 'fish'" in text
    if settings == "tuned":
        assert document.provenance["settings_in_study"] == "log, k 20, shrinkage 0.1"
        assert document.provenance["scores"]["matched_auc"]["value"] == 0.76
    asked = export(won, trial=2)
    assert document_from_yaml(asked).configuration == _CHAPTER
    assert "recommends the linear metric" in asked


@pytest.mark.parametrize(("best", "settings"), [("plda-tuned", "tuned"), ("plda", "fixed")])
def test_where_plda_wins_it_is_exported(record: StudyRecord, best: str, settings: str) -> None:
    assert record.confirmation is not None
    verdict = replace(record.confirmation.verdict, outcome="cannot tell", best_baseline=best)
    row = _row(best, "baseline", "", 0.83, "log, k 60, shrinkage 0.5")
    rows = (*record.confirmation.rows, row)
    confirmation = replace(record.confirmation, export_kind="plda", verdict=verdict, rows=rows)
    won = replace(record, confirmation=confirmation)
    text = export(won)
    document = document_from_yaml(text)
    assert document.linear_metric == LinearMetric(settings=settings, comparison="plda")  # type: ignore[arg-type]  # one of two texts
    assert "# PLDA of study 'fish': PLDA stood its ground against 5 trials" in text
    assert document.provenance["settings_in_study"] == "log, k 60, shrinkage 0.5"
    assert document.provenance["scores"]["matched_auc"]["value"] == 0.83
    assert "recommends PLDA instead: export without naming a trial" in export(won, trial=2)


def test_the_pareto_front(record: StudyRecord) -> None:
    with pytest.raises(InputError, match="searched for its score alone"):
        export_front(record)
    study = replace(record.study, objectives=("score", "parameters"))
    costs = {0: 50.0, 1: 900.0, 2: 900.0, 3: 1.0}
    trials = tuple(
        replace(t, objectives={"score": t.value or 0.0, "parameters": costs[t.number]}) if t.number in costs else t
        for t in record.trials
    )
    chapter = replace(trials[2], value=0.75, objectives={"score": 0.75, "parameters": 7.0})
    several = replace(record, study=study, trials=(trials[0], trials[1], chapter, *trials[3:]))
    texts = export_front(several)
    # trial 1 has trial 0's configuration: the first of them counts; trial 3 was pruned
    assert list(texts) == [2]
    chosen = document_from_yaml(texts[2])
    assert chosen.configuration == _CHAPTER
    assert chosen.provenance["objectives"] == {"score": 0.75, "parameters": 7.0}
    assert chosen.provenance["chosen"] == "of the Pareto front"
    assert document_from_yaml(export(several, trial=1)).provenance["chosen"] == "asked for by its number"
    with pytest.raises(InputError, match="no complete trial yet"):
        export_front(replace(several, trials=trials[3:]))


def test_a_leaking_protocol_is_named(record: StudyRecord) -> None:
    protocol = replace(record.study.protocol, name="random-pairs")
    leaking = replace(record, study=replace(record.study, protocol=protocol))
    assert "random-pairs leaks" in export(leaking).split("kind:")[0]


def test_the_score_falls_back_to_all_pairs(record: StudyRecord) -> None:
    assert record.confirmation is not None
    row = record.confirmation.rows[0]
    undefined = replace(row, metrics={**row.metrics, "matched_auc": Estimate(math.nan, note="no labels")})
    without = replace(record, confirmation=replace(record.confirmation, rows=(undefined,)))
    assert "Score: AUC 0.830, protocol" in export(without)


def _with_committee(record: StudyRecord) -> StudyRecord:
    """Three different configurations, whose committee won."""
    assert record.confirmation is not None
    third = replace(_PAPER, training=replace(_PAPER.training, batch_size=_PAPER.training.batch_size * 2))
    trials = (
        *record.trials[1:3],
        replace(_trial(6, 0.85), configuration=third, configuration_id=third.identity),
    )
    identity = committee_identity([_CHAPTER.identity, third.identity, _PAPER.identity])
    rows = (_row("winner", "winner", identity, 0.83), *record.confirmation.rows[1:])
    won = replace(
        record.confirmation,
        rows=rows,
        winner_trial=-1,
        winner_members=(2, 6, 1),
        winner_configuration_id=identity,
    )
    return replace(record, trials=trials, confirmation=won)


def test_a_committee_that_won(record: StudyRecord) -> None:
    won = _with_committee(record)
    text = export(won)
    document = document_from_yaml(text)
    assert document.kind == "committee"
    assert [c.identity for c in document.members][::2] == [_CHAPTER.identity, _PAPER.identity]
    assert won.confirmation is not None
    assert document.identity == won.confirmation.winner_configuration_id
    header = text.split("kind:")[0]
    assert "The committee of trials 2, 6, 1 of study 'fish': the 3 best of 3 trials" in header
    assert "confirmed with fresh seeds" in header
    assert "matched-label AUC 0.830" in header
    p = document.provenance
    assert [m["trial"] for m in p["members"]] == [2, 6, 1]
    assert p["members"][1] == {"trial": 6, "configuration": document.members[1].identity, "search_score": 0.85}
    assert document_from_yaml(export(won, trial=1)).configuration == _PAPER
    with pytest.raises(InputError, match="export one of them"):
        export(won, trial=1, committee=True)


def test_a_committee_asked_for_all_the_same(record: StudyRecord) -> None:
    with pytest.raises(InputError, match="2 finished trials of different configurations, a committee needs 3"):
        export(record, committee=True)
    won = _with_committee(record)
    assert record.confirmation is not None
    other = replace(record.confirmation, export_kind="linear-metric")
    text = export(replace(won, confirmation=other), committee=True)
    header = text.split("kind:")[0]
    assert "not confirmed" in header
    assert "recommends the linear metric instead: export without --committee" in header
    assert [m["trial"] for m in document_from_yaml(text).provenance["members"]] == [2, 6, 1]
