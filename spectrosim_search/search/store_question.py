"""What makes two studies the same question, how two that are not differ, which belong to another, and when a study may
no longer change."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from spectrosim_search.config.errors import InputError
from spectrosim_search.config.study import Study
from spectrosim_search.search.records import DatasetRecord
from spectrosim_search.search.store_codec import from_json, to_json
from spectrosim_search.search.store_tables import DatasetRow, ReplicateRow, StudyRow

__all__ = [
    "check_same",
    "describe",
    "differences",
    "inner_name",
    "is_closed",
    "outer_of",
    "question_of",
    "with_baselines_of",
]

FREE = ("name", "description", "budget", "confirmation", "baselines")  # may change when a study goes on


def question_of(study: Study) -> str:
    """The study's question with the path of its data left out: the fingerprint stands for the data."""
    return replace(study, data=replace(study.data, path="")).question


def with_baselines_of(before: Study, study: Study) -> Study:
    """The study with every baseline it was compared with before: they may join, but none that was looked at leaves."""
    return replace(study, baselines=tuple(dict.fromkeys((*before.baselines, *study.baselines))))


def inner_name(name: str, fold: int) -> str:
    """Name of the search in one outer fold of a study with nested scoring; folds count from 0, names from 1."""
    return f"{name}/outer-{fold + 1}"


def outer_of(name: str) -> str:
    """The study in whose outer fold a study of this name would be; empty for names of any other form."""
    study, _, number = name.rpartition("/outer-")
    return study if number.isdigit() else ""


def describe(data: DatasetRecord) -> str:
    """Name and size of a data set in a few words."""
    return f"{data.name} ({data.spectra} × {data.channels}, {data.groups} groups, fingerprint {data.fingerprint})"


def differences(before: Study, after: Study) -> str:
    """The first few places where two studies differ."""
    found: list[str] = []

    def walk(place: str, one: Any, two: Any) -> None:
        if isinstance(one, dict) and isinstance(two, dict):
            for key in sorted({*one, *two}):
                walk(f"{place}.{key}".lstrip("."), one.get(key), two.get(key))
        elif one != two:
            found.append(f"{place} was {_short(one)}, is {_short(two)}")

    one, two = ({k: v for k, v in s.to_dict().items() if k not in FREE} for s in (before, after))
    one["data"].pop("path", None)
    two["data"].pop("path", None)
    walk("", one, two)
    rest = len(found) - 4
    return ", ".join(found[:4]) + (f" and {rest} more" if rest > 0 else "")


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def check_same(engine: Engine, study: Study, dataset: DatasetRecord) -> Study:
    """The study as stored. Raises InputError where it has other data, another question, or may not change as asked."""
    with engine.connect() as connection:
        row = connection.execute(sa.select(StudyRow).where(StudyRow.name == study.name)).one()
        if row.fingerprint != dataset.fingerprint:
            text = connection.execute(
                sa.select(DatasetRow.record).where(DatasetRow.fingerprint == row.fingerprint)
            ).scalar_one()
            old = from_json(DatasetRecord, text)
            raise InputError(
                f"study '{study.name}' was made with other data: {describe(old)}, now {describe(dataset)}; "
                "give the study another --name"
            )
    before = from_json(Study, row.study)
    asked = from_json(Study, to_json(study))  # a whole number where another is meant is the same when it is read back
    if question_of(before) != question_of(asked):
        raise InputError(
            f"study '{study.name}' asks another question: {differences(before, study)}; give it another --name"
        )
    if (before.budget, before.confirmation) != (study.budget, study.confirmation) and is_closed(engine, study.name):
        raise InputError(
            f"study '{study.name}' is closed: its held-out groups were scored, and another budget or confirmation "
            "could choose another winner on them; repeat it as it was, or search anew under another --name"
        )
    return before


def is_closed(engine: Engine, name: str) -> bool:
    """Whether the held-out groups of the study of this name were scored; False where there is none."""
    scored = (
        sa.select(ReplicateRow.key)
        .join(StudyRow, StudyRow.id == ReplicateRow.study_id)
        .where(StudyRow.name == name, ReplicateRow.phase == "hold-out")
    )
    with engine.connect() as connection:
        return connection.execute(scored.limit(1)).first() is not None
