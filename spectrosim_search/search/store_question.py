"""What makes two studies the same question, and how two that are not differ."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from spectrosim_search.config.study import Study
from spectrosim_search.search.records import DatasetRecord

__all__ = ["describe", "differences", "question_of", "with_baselines_of"]

FREE = ("name", "description", "budget", "confirmation", "baselines")  # may change when a study goes on


def question_of(study: Study) -> str:
    """The study's question with the path of its data left out: the fingerprint stands for the data."""
    return replace(study, data=replace(study.data, path="")).question


def with_baselines_of(before: Study, study: Study) -> Study:
    """The study with every baseline it was compared with before: they may join, but none that was looked at leaves."""
    return replace(study, baselines=tuple(dict.fromkeys((*before.baselines, *study.baselines))))


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
