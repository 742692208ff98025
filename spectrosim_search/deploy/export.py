"""From a study to a document a person can read and `train` can use."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from spectrosim_search.config.configuration import committee_identity
from spectrosim_search.config.errors import InputError
from spectrosim_search.deploy.document import ExportDocument, LinearMetric, document_to_yaml
from spectrosim_search.evaluation.committee import SMALLEST
from spectrosim_search.evaluation.scores import Estimate
from spectrosim_search.search.candidates import best_trials
from spectrosim_search.search.label_free import CRITERIA, ranking
from spectrosim_search.search.pareto import pareto_trials
from spectrosim_search.search.programs import trains_encoder
from spectrosim_search.search.records import ConfirmationRecord, MethodRow, StudyRecord, TrialRecord

__all__ = ["export", "export_document", "export_front"]

DEFAULT_COMMITTEE = 10  # members where the study asked for no committee
_TITLES = {"cosine": "the linear metric", "plda": "PLDA"}  # by how a linear metric compares
_METRICS = {
    "matched_auc": "matched-label AUC",
    "auc": "AUC",
    "balanced_accuracy": "balanced accuracy",
    "average_precision": "average precision",
    "mcc": "Matthews correlation",
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
}


def export(record: StudyRecord, trial: int | None = None, *, committee: bool = False) -> str:
    """Return the YAML of what a study recommends, of one trial, or of the committee of its best finished trials.

    Where the linear metric or PLDA won the confirmation, its document is what is exported; `trial` asks for a network
    and `committee` for the committee all the same. Without a confirmation the best complete trial is exported and its
    header says that its score is too good.
    Raises InputError where there is no such trial, none is complete, too few are for a committee, what leads needs no
    model, or both a trial and the committee are asked for.
    """
    document = export_document(record, trial, committee=committee)
    return document_to_yaml(document, _header(document, record))


def export_front(record: StudyRecord) -> dict[int, str]:
    """Trial number → YAML for every configuration of the Pareto front, best score first.

    Raises InputError where the study has one objective or its front is empty.
    """
    if len(record.study.objectives) < 2:
        raise InputError(
            f"study '{record.study.name}' has no Pareto front: it was searched for its score alone; export without "
            "--pareto, or run a study with --objectives score,inference_time,parameters"
        )
    trials = pareto_trials(record)
    if not trials:
        raise InputError(f"study '{record.study.name}' has no complete trial yet: run it on")
    return {t.number: export(record, t.number) for t in trials}


def export_document(record: StudyRecord, trial: int | None = None, *, committee: bool = False) -> ExportDocument:
    """The document itself; see :func:`export`."""
    confirmation = record.confirmation
    if committee:
        if trial is not None:
            raise InputError("a trial and the committee are asked for: export one of them")
        return _committee(record, _members(record))
    if trial is not None:
        chosen = _trial(record, trial)
        on_front = chosen.number in {t.number for t in pareto_trials(record)}
        how = "of the Pareto front" if on_front else "asked for by its number"
        return _model(record, chosen, _row_of(confirmation, chosen), how)
    if confirmation is None:
        return _model(record, _best(record), None, "best score of the search, not confirmed")
    if confirmation.export_kind in ("linear-metric", "plda"):
        return _linear(record, confirmation)
    if confirmation.export_kind == "none":
        leads = next((r.title for r in confirmation.rows if r.name == confirmation.verdict.best_baseline), "none")
        raise InputError(
            f"study '{record.study.name}' has nothing to export: nothing was searched, and what leads its "
            f"fixed methods ({leads}) needs no trained model; use it as it is, or search (8 groups are needed)"
        )
    if confirmation.winner_members:
        return _committee(record, [_trial(record, number) for number in confirmation.winner_members])
    chosen = _trial(record, confirmation.winner_trial)
    how = f"best of {_counted(record)} trials{_by(record)}, confirmed with fresh seeds"
    if confirmation.scoring == "nested":
        how = f"best of {_counted(record)} trials of the last search, on all groups; the score is the procedure's"
    return _model(record, chosen, _row_of(confirmation, chosen), how)


def _trial(record: StudyRecord, number: int) -> TrialRecord:
    found = next((t for t in record.trials if t.number == number), None)
    if found is None:
        numbers = sorted(t.number for t in record.trials)
        known = f"it has {numbers[0]} to {numbers[-1]}" if numbers else "it has none yet"
        raise InputError(f"study '{record.study.name}' has no trial {number}: {known}")
    if found.configuration is None:
        raise InputError(f"trial {number} of study '{record.study.name}' has no configuration yet: choose another")
    return found


def _best(record: StudyRecord) -> TrialRecord:
    complete = [
        t
        for t in record.trials
        if t.state == "COMPLETE" and t.configuration is not None and t.value is not None and math.isfinite(t.value)
    ]
    if not complete:
        raise InputError(f"study '{record.study.name}' has no complete trial yet: run it on, or name a trial")
    return max(complete, key=lambda t: (t.value if t.value is not None else -math.inf, -t.number))


def _row_of(confirmation: ConfirmationRecord | None, trial: TrialRecord) -> MethodRow | None:
    rows = confirmation.rows if confirmation else ()
    trained = [r for r in rows if r.kind in ("winner", "finalist", "preset")]
    return next((r for r in trained if r.configuration_id == trial.configuration_id), None)


def _model(record: StudyRecord, trial: TrialRecord, row: MethodRow | None, how: str) -> ExportDocument:
    provenance = _provenance(record, how, row)
    provenance["trial"] = trial.number
    provenance["configuration"] = trial.configuration_id
    if row is None and trial.value is not None and math.isfinite(trial.value):
        provenance["search_score"] = round(trial.value, 6)
    if trial.objectives:
        provenance["objectives"] = {name: float(f"{value:.6g}") for name, value in trial.objectives.items()}
    confirmation = record.confirmation
    if confirmation and trial.configuration_id == confirmation.winner_configuration_id:
        provenance["epochs"] = confirmation.epochs
    return ExportDocument("model", configuration=trial.configuration, provenance=provenance)


def _members(record: StudyRecord) -> list[TrialRecord]:
    """The committee that the study asked for, or of as many as the bundled studies ask for."""
    found = best_trials(record.trials, record.study.confirmation.committee or DEFAULT_COMMITTEE, ranking(record))
    if len(found) < SMALLEST:
        raise InputError(
            f"study '{record.study.name}' has {len(found)} finished trials of different configurations, a committee "
            f"needs {SMALLEST}: run it on (--trials)"
        )
    return found


def _committee(record: StudyRecord, trials: Sequence[TrialRecord]) -> ExportDocument:
    members = tuple(t.configuration for t in trials if t.configuration is not None)
    identity = committee_identity([c.identity for c in members])
    rows = record.confirmation.rows if record.confirmation else ()
    row = next((r for r in rows if r.configuration_id == identity), None)
    joined = "their similarities averaged" if record.study.task == "same-batch" else "which vote"
    how = f"the {len(members)} best of {_counted(record)} trials{_by(record)}, {joined}"
    how += ", confirmed with fresh seeds" if row is not None else "; not confirmed"
    provenance = _provenance(record, how, row)
    provenance["members"] = [
        {"trial": t.number, "configuration": t.configuration_id, "search_score": round(t.value or 0.0, 6)}
        for t in trials
    ]
    return ExportDocument("committee", members=members, provenance=provenance)


def _linear(record: StudyRecord, confirmation: ConfirmationRecord) -> ExportDocument:
    """The reference row that leads: of the linear metric or of PLDA, tuned or with fixed settings."""
    metric = LinearMetric(
        settings="fixed" if confirmation.verdict.best_baseline in ("linear-metric", "plda") else "tuned",
        comparison="plda" if confirmation.export_kind == "plda" else "cosine",
    )
    name = metric.baseline
    row = next((r for r in confirmation.rows if r.name == name), None)
    how = f"{_TITLES[metric.comparison]} stood its ground against {_counted(record)} trials"
    if confirmation.scoring == "fixed":
        how = "it leads the fixed methods; nothing was searched"
    provenance = _provenance(record, how, row)
    baseline = next((b for b in record.baselines if b.name == name), None)
    settings = (row.settings if row else "") or (baseline.settings if baseline else "")
    if settings:
        provenance["settings_in_study"] = settings
    return ExportDocument("linear-metric", linear_metric=metric, provenance=provenance)


def _provenance(record: StudyRecord, how: str, row: MethodRow | None) -> dict[str, Any]:
    study, data = record.study, record.dataset
    out: dict[str, Any] = {
        "study": study.name,
        "chosen": how,
        "data": data.name,
        "data_fingerprint": data.fingerprint,
        "spectra": data.spectra,
        "groups": data.groups,
        "protocol": study.protocol.name,
        "metric": study.metric,
        "trials": _counted(record),
    }
    if not study.data.path:
        out["simulator"] = {"simulator": study.data.simulator, **dict(study.data.simulator_parameters)}
    if row is not None:
        out["scores"] = {name: _plain(value) for name, value in row.metrics.items()}
        out["seeds"] = row.seeds
    confirmation = record.confirmation
    if confirmation is not None:
        out["scoring"] = confirmation.scoring
        out["confirmed_at"] = datetime.fromtimestamp(confirmation.created_at, UTC).isoformat(timespec="seconds")
        out["verdict"] = confirmation.verdict.outcome
        out["verdict_sentence"] = confirmation.verdict.sentence
        out["best_baseline"] = confirmation.verdict.best_baseline
        out["difference"] = _plain(confirmation.verdict.difference)
    packages = record.environments[-1].packages if record.environments else {}
    if packages:
        out["packages"] = dict(packages)
    return out


def _by(record: StudyRecord) -> str:
    """By what finalists were chosen, where it was not their score."""
    asked = record.study.confirmation.selection
    return "" if asked == "score" else f" (finalists by {CRITERIA[asked][0]}, without labels)"


def _counted(record: StudyRecord) -> int:
    return sum(t.state in ("COMPLETE", "PRUNED") for t in record.trials)


def _plain(estimate: Estimate) -> dict[str, float | str]:
    """Defined numbers, rounded to what a reader can use; an undefined value is told by its note."""
    values = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    out: dict[str, float | str] = {k: round(v, 4) for k, v in values.items() if math.isfinite(v)}
    if estimate.note:
        out["note"] = estimate.note
    return out


def _header(document: ExportDocument, record: StudyRecord) -> str:
    p, study, data = document.provenance, record.study, record.dataset
    what = _TITLES[document.linear_metric.comparison] if document.linear_metric is not None else ""
    if document.kind == "model":
        what = f"trial {p['trial']}"
    elif document.kind == "committee":
        what = f"the committee of trials {', '.join(str(m['trial']) for m in p['members'])}"
    lines = [
        f"{what[0].upper()}{what[1:]} of study '{study.name}': {p['chosen']}.",
        f"Data: {data.name} ({data.spectra} spectra, {data.groups} groups, fingerprint {data.fingerprint}).",
        _score_line(p, study.metric, study.protocol.name),
    ]
    if record.confirmation is not None:
        lines.append(f"Verdict of the study: {record.confirmation.verdict.sentence}")
        asked = {"model": "naming a trial", "committee": "--committee"}.get(document.kind, "")
        recommended = {"linear-metric": "the linear metric", "plda": "PLDA"}.get(record.confirmation.export_kind)
        if asked and recommended:
            lines.append(f"The study recommends {recommended} instead: export without {asked}.")
    if document.configuration is not None and not trains_encoder(document.configuration):
        lines.append("No encoder is trained: what stands below of encoder, head, objective and optimiser has no part.")
    if study.protocol.name == "random-pairs":
        lines.append("Protocol random-pairs leaks: its scores say nothing about new batches.")
    lines += ["", "Train it:  spectrosim-search train THIS_FILE --data YOUR_SPECTRA --out MODEL"]
    return "\n".join(lines)


def _score_line(p: Any, metric: str, protocol: str) -> str:
    scores = p.get("scores", {})
    name = metric if "value" in scores.get(metric, {}) else "auc"
    score = scores.get(name, {})
    if "value" in score:
        interval = (
            f" (95 % interval {score['low']:.3f} to {score['high']:.3f})" if {"low", "high"} <= set(score) else ""
        )
        seeds = f", {p['seeds']} seeds" if p["seeds"] else ""
        return f"Score: {_METRICS[name]} {score['value']:.3f}{interval}, protocol {protocol}{seeds}."
    if "search_score" in p:
        return (
            f"Score in the search: {_METRICS[metric]} {p['search_score']:.3f}; not confirmed, and too good by having "
            "been the best of many."
        )
    return "Score: none yet."
