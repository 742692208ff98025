"""What makes two studies the same question, how two that are not differ, and which belong to another."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from spectrosim_search.config.study import Study
from spectrosim_search.search.records import DatasetRecord

__all__ = ["describe", "differences", "inner_name", "outer_of", "question_of"]

FREE = ("name", "description", "budget", "confirmation")  # may change when a study goes on


def question_of(study: Study) -> str:
    """The study's question with the path of its data left out: the fingerprint stands for the data."""
    return replace(study, data=replace(study.data, path="")).question


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
