"""Search spaces: what may vary, one space a file, composed from others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from spectrosim_search.config.configuration import Scalar
from spectrosim_search.config.errors import ConfigurationError, InputError
from spectrosim_search.config.study import Dimension
from spectrosim_search.search.documents.bundled import bundled_names, find, read
from spectrosim_search.search.documents.catalogue import near, places
from spectrosim_search.search.documents.configurations import flatten
from spectrosim_search.search.documents.dimensions import VaryEntry, VarySection, dimension, same_range, short_form
from spectrosim_search.search.documents.models import StrictText, problems_of
from spectrosim_search.search.documents.text import Document

__all__ = ["Space", "SpaceDocument", "compose", "list_spaces", "load_space", "read_fixed", "read_vary", "without_empty"]


class SpaceDocument(BaseModel):
    """A search space file."""

    model_config = ConfigDict(extra="forbid", title="Search space")

    name: StrictText = Field("", description="name of the space; the file's name where left out")
    description: StrictText = Field("", description="what is searched here and why")
    include: list[StrictText] = Field(default_factory=list, description="other spaces this one contains")
    vary: VarySection = Field(
        default_factory=dict,
        description="dotted key of a configuration: choices, a range, or its short form 'low..high:log'",
    )
    fixed: dict[str, Any] = Field(default_factory=dict, description="dotted key of a configuration: its one value")


@dataclass(frozen=True)
class Space:
    """A composed space. `origin`: the document of each key; `clashes`: keys that two documents ask differently."""

    name: str
    description: str = ""
    vary: Mapping[str, Dimension] = field(default_factory=dict)
    fixed: Mapping[str, Scalar] = field(default_factory=dict)
    origin: Mapping[str, str] = field(default_factory=dict)
    clashes: Mapping[str, str] = field(default_factory=dict)


def load_space(name: str, beside: Path | None = None, _open: tuple[str, ...] = ()) -> Space:
    """Read a space by bundled name or path. Raises ConfigurationError with all problems of the file."""
    source = find("search_spaces", name, beside)
    if str(source) in _open:
        raise InputError(
            f"search space '{name}' includes itself: {' → '.join(Path(p).name for p in (*_open, str(source)))}"
        )
    document = read(source)
    parsed = parse(document)
    problems: list[str] = []
    own_vary = read_vary(parsed.vary, ("vary",), document, problems)
    own_fixed = read_fixed(parsed.fixed, ("fixed",), document, problems)
    problems += [
        f"{document.place(('fixed', key))}: varies and is fixed: give one"
        for key in flatten(parsed.fixed)
        if key in parsed.vary
    ]
    folder = source.parent if isinstance(source, Path) else None
    included: list[Space] = []
    for other in parsed.include:
        try:
            included.append(load_space(other, folder, (*_open, str(source))))
        except InputError as error:
            problems.extend(error.problems if isinstance(error, ConfigurationError) else [f"{document.where}: {error}"])
    if problems:
        raise ConfigurationError(problems)
    title = parsed.name or source.name.rsplit(".", 1)[0]
    below = compose(title, included)
    own = {**own_vary, **own_fixed}
    return Space(
        name=title,
        description=parsed.description,
        vary={**{k: v for k, v in below.vary.items() if k not in own_fixed}, **own_vary},
        fixed={**{k: v for k, v in below.fixed.items() if k not in own_vary}, **own_fixed},
        origin={**below.origin, **dict.fromkeys(own, title)},
        clashes={k: v for k, v in below.clashes.items() if k not in own},
    )


def without_empty(data: Mapping[str, Any]) -> dict[str, Any]:
    """A section written down and left empty (``vary:``) means the same as one left out."""
    return {key: value for key, value in data.items() if value is not None}


def parse(document: Document) -> SpaceDocument:
    """Validate the form of a space document. Raises ConfigurationError with all problems."""
    if not isinstance(document.data, Mapping):
        raise ConfigurationError([f"{document.where}: a search space is a mapping with the key 'vary'"])
    try:
        return SpaceDocument.model_validate(without_empty(document.data))
    except ValidationError as error:
        raise ConfigurationError(problems_of(error, SpaceDocument, document)) from error


def compose(name: str, spaces: list[Space]) -> Space:
    """Put spaces side by side; keys that two of them ask differently become `clashes`."""
    vary: dict[str, Dimension] = {}
    fixed: dict[str, Scalar] = {}
    origin: dict[str, str] = {}
    clashes: dict[str, str] = {}
    for space in spaces:
        clashes.update(space.clashes)
        for key in (*space.vary, *space.fixed):
            if key in origin and not _agree(key, vary, fixed, space):
                clashes[key] = f"asked differently by '{origin[key]}' and '{space.origin[key]}'"
            origin.setdefault(key, space.origin[key])
        for key, dim in space.vary.items():
            vary.setdefault(key, dim)
        for key, value in space.fixed.items():
            fixed.setdefault(key, value)
    return Space(name, vary=vary, fixed=fixed, origin=origin, clashes=clashes)


def _agree(key: str, vary: Mapping[str, Dimension], fixed: Mapping[str, Scalar], space: Space) -> bool:
    if key in vary and key in space.vary:
        return same_range(vary[key], space.vary[key])
    return key in fixed and key in space.fixed and fixed[key] == space.fixed[key]


def read_vary(
    section: Mapping[str, VaryEntry | str | list[Scalar]],
    location: tuple[str, ...],
    document: Document,
    problems: list[str],
) -> dict[str, Dimension]:
    """Dimensions of a ``vary`` section; what is wrong is added to `problems`."""
    found: dict[str, Dimension] = {}
    for path, entry in section.items():
        where = document.place((*location, path))
        try:
            if isinstance(entry, str):
                entry = short_form(entry, where)
            elif isinstance(entry, list):
                entry = VaryEntry(choices=entry)
            found[path] = dimension(path, entry, where)
        except ConfigurationError as error:
            problems.extend(error.problems)
        except ValidationError:
            problems.append(f"{where}: needs at least one choice")
    return found


def read_fixed(
    section: Mapping[str, Any], location: tuple[str, ...], document: Document, problems: list[str]
) -> dict[str, Scalar]:
    """Values by dotted path of a ``fixed``, ``base`` or ``known_good`` section; mistakes are added to `problems`."""
    found: dict[str, Scalar] = {}
    for path, value in flatten(section).items():
        where = document.place((*location, *_document_key(path, section)))
        if path not in places():
            problems.append(f"{where}: unknown key '{path}'{near(path)}")
            continue
        wrong = [place.problem(value) for place in places()[path]]
        if "" in wrong:
            found[path] = places()[path][wrong.index("")].coerce(value)
        else:
            problems.append(f"{where}: {wrong[0]}")
    return found


def _document_key(path: str, section: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys under which a dotted path stands in a section, nested or dotted."""
    parts = path.split(".")
    for n in range(len(parts), 0, -1):
        head = ".".join(parts[:n])
        if head in section:
            inner = section[head]
            rest = ".".join(parts[n:])
            return (head, *(_document_key(rest, inner) if rest and isinstance(inner, Mapping) else ()))
    return (path,)


def list_spaces() -> tuple[Space, ...]:
    """All bundled spaces."""
    return tuple(load_space(name) for name in bundled_names("search_spaces"))
