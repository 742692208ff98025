"""``--set key=value`` and ``--vary key=range``: short keys resolved, values read with the type of their place."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, get_origin, get_type_hints

from pydantic import ValidationError

from spectrosim_search.config.configuration import Scalar
from spectrosim_search.config.errors import ConfigurationError, nearest
from spectrosim_search.config.study import Dimension, Study
from spectrosim_search.search.documents.catalogue import match, places
from spectrosim_search.search.documents.dimensions import VaryEntry, dimension, short_form
from spectrosim_search.search.documents.text import parse_scalar

__all__ = ["Overrides", "read_assignments", "read_overrides", "study_keys"]

_COMPOSED = ("base", "climb", "dimensions", "known_good")
_OPEN_MAPPING = "data.simulator_parameters"


@dataclasses.dataclass(frozen=True)
class Overrides:
    """What the caller changes: configuration paths fixed, configuration paths varied, keys of the study.

    `problems`: what could not be read; it is left out of the rest.
    """

    fixed: Mapping[str, Scalar] = dataclasses.field(default_factory=dict)
    vary: Mapping[str, Dimension] = dataclasses.field(default_factory=dict)
    study: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.fixed or self.vary or self.study)


def study_keys() -> dict[str, Any]:
    """Dotted keys of a study document that can be set, with their type."""
    keys: dict[str, Any] = {}
    hints = get_type_hints(Study)
    for f in dataclasses.fields(Study):
        hint = hints[f.name]
        if f.name in _COMPOSED:
            continue
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            inner = get_type_hints(hint)
            keys.update({f"{f.name}.{g.name}": inner[g.name] for g in dataclasses.fields(hint)})
        else:
            keys[f.name] = hint
    return keys


def read_overrides(
    set_: Mapping[str, Any] | Sequence[str],
    vary: Mapping[str, Any] | Sequence[str],
    data: Mapping[str, Any] | None = None,
) -> Overrides:
    """Resolve options; unknown or ambiguous keys and values that do not fit their place become `problems`."""
    problems: list[str] = []
    fixed: dict[str, Scalar] = {}
    dims: dict[str, Dimension] = {}
    study: dict[str, Any] = {f"data.{key}": value for key, value in (data or {}).items() if value not in ("", None)}
    known = study_keys()
    for key, value in _pairs(set_, "--set", problems):
        where = f"--set {key}"
        if key.startswith(_OPEN_MAPPING + "."):
            study[key] = _value(value, str, where, problems, keep_type=True)
            continue
        path = _resolve(key, (*places(), *known), where, problems)
        if path in known:
            before = len(problems)
            read = _value(value, known[path], where, problems)
            if len(problems) == before:
                study[path] = read
        elif path:
            found = places()[path]
            read = _value(value, str if found[0].kind == "str" else float, where, problems)
            wrong = [place.problem(read) for place in found]
            if "" in wrong:
                fixed[path] = found[wrong.index("")].coerce(read)
            else:
                problems.append(f"{where}: {wrong[0]}")
    for key, value in _pairs(vary, "--vary", problems):
        where = f"--vary {key}"
        path = _resolve(key, tuple(places()), where, problems)
        if path:
            try:
                dims[path] = dimension(path, _entry(value, where), where)
            except ConfigurationError as error:
                problems.extend(error.problems)
    problems += [f"--set {path}: is also given to --vary: give one of them" for path in fixed if path in dims]
    return Overrides(fixed, dims, study, tuple(problems))


def read_assignments(given: Sequence[str]) -> dict[str, Scalar]:
    """Read ``key=value`` options whose keys are the caller's. Raises ConfigurationError with all problems at once."""
    problems: list[str] = []
    out: dict[str, Scalar] = {}
    for key, text in _pairs(given, "--set", problems):
        try:
            out[key] = parse_scalar(text, f"--set {key}")
        except ConfigurationError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigurationError(problems)
    return out


def _pairs(given: Mapping[str, Any] | Sequence[str], option: str, problems: list[str]) -> list[tuple[str, Any]]:
    if isinstance(given, Mapping):
        return list(given.items())
    found: list[tuple[str, Any]] = []
    for text in [given] if isinstance(given, str) else given:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            problems.append(f"{option} '{text}': write key=value, e.g. {option} {_EXAMPLES[option]}")
        elif any(key.strip() == other for other, _ in found):
            problems.append(f"{option} {key.strip()}: given twice")
        else:
            found.append((key.strip(), value.strip()))
    return found


_EXAMPLES = {"--set": "head.width=128", "--vary": "temperature=0.02..1:log"}


def _resolve(key: str, known: Sequence[str], where: str, problems: list[str]) -> str:
    found = match(key, known)
    if len(found) == 1:
        return found[0]
    if found:
        problems.append(f"{where}: can mean {', '.join(found)}: write it in full")
    else:
        leaves = {path.rsplit(".", 1)[-1] for path in known}
        problems.append(f"{where}: unknown key{nearest(key, known if '.' in key else leaves)}")
    return ""


def _value(value: Any, hint: Any, where: str, problems: list[str], keep_type: bool = False) -> Any:
    """Read text with the type of its place in mind: a text stays text, a list may come without brackets."""
    if not isinstance(value, str):
        return value
    try:
        if get_origin(hint) is tuple:
            return parse_scalar(value if value.startswith("[") else f"[{value}]", where)
        parsed = parse_scalar(value, where)
    except ConfigurationError as error:
        if hint is str:
            return value
        problems.extend(error.problems)
        return value
    textual = (hint is str or get_origin(hint) not in (None, tuple)) and not keep_type
    return value if (textual and not isinstance(parsed, str)) or parsed is None else parsed


def _entry(value: Any, where: str) -> VaryEntry:
    if isinstance(value, str):
        return short_form(value, where)
    try:
        return VaryEntry.model_validate(value if isinstance(value, Mapping) else {"choices": list(value)})
    except (ValidationError, TypeError) as error:
        text = "; ".join(e["msg"] for e in error.errors()) if isinstance(error, ValidationError) else str(error)
        raise ConfigurationError([f"{where}: {text}"]) from error
