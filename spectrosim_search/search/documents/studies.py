"""Study documents: a question put to the data, composed from a file, its spaces and the caller's options."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from spectrosim_search.baselines import every
from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Scalar
from spectrosim_search.config.errors import ConfigurationError, InputError, nearest
from spectrosim_search.config.presets import preset_names
from spectrosim_search.config.study import Dimension, Study
from spectrosim_search.search.documents.bundled import bundled_names, find, read
from spectrosim_search.search.documents.catalogue import COMPONENTS, DEFAULT_TYPES, FAMILIES
from spectrosim_search.search.documents.checks import search_problems, study_problems
from spectrosim_search.search.documents.configurations import configuration_paths, flatten, load_preset
from spectrosim_search.search.documents.dimensions import VarySection, domain_problem
from spectrosim_search.search.documents.layers import Layers, active, complete, order
from spectrosim_search.search.documents.models import StrictText, build, problems_of, strict
from spectrosim_search.search.documents.options import Overrides, read_overrides
from spectrosim_search.search.documents.screened import left_to_screen
from spectrosim_search.search.documents.spaces import (
    Space,
    compose,
    load_space,
    read_fixed,
    read_vary,
    without_empty,
)
from spectrosim_search.search.documents.text import Document

__all__ = ["list_studies", "load_study", "study_document_model"]

PROGRAM = "program"
A = TypeVar("A")
B = TypeVar("B")


@functools.cache
def study_document_model() -> type[BaseModel]:
    """The form of a study file: the fields of `Study`, the search as preset, base, spaces, fixed and vary."""
    hints = get_type_hints(Study)
    definitions: dict[str, Any] = {
        "name": (StrictText, Field("", description="name of the study; the file's name where left out")),
        "description": (StrictText, Field("", description="what is asked and why")),
        "preset": (StrictText, Field("", description="published setting that gives the starting values")),
        "base": (
            dict[str, Any],
            Field(default_factory=dict, description="dotted key of a configuration: starting value"),
        ),
        "spaces": (list[StrictText], Field(default_factory=list, description="search spaces, by name or path")),
        "fixed": (
            dict[str, Any],
            Field(default_factory=dict, description="dotted key: its one value; it does not vary"),
        ),
        "vary": (
            VarySection,
            Field(default_factory=dict, description="dotted key: what varies beside or instead of the spaces"),
        ),
        "known_good": (
            list[dict[str, Any]],
            Field(
                default_factory=list, description="configurations tried first: dotted key → value; the rest from base"
            ),
        ),
        "climb": (
            list[dict[str, Any]],
            Field(
                default_factory=list,
                description="how the best screened trials go on: dotted key → value; the rest as it was screened",
            ),
        ),
    }
    for f in dataclasses.fields(Study):
        if f.name in ("name", "description", "base", "dimensions", "known_good", "climb"):
            continue
        hint = hints[f.name]
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            model = strict(hint)
            definitions[f.name] = (
                model,
                Field(default_factory=model, description=(hint.__doc__ or "").splitlines()[0]),
            )
        elif isinstance(f.default, tuple):
            definitions[f.name] = (strict(hint), Field(list(f.default), description=_MEANING[f.name]))
        else:
            definitions[f.name] = (strict(hint), Field(f.default, description=_MEANING[f.name]))
    return create_model("StudyDocument", __config__=ConfigDict(extra="forbid", title="Study"), **definitions)


CLASS_METRIC = "accuracy"  # of tasks that name a class
_MEANING = {
    "baselines": "methods that need no search, by name; all stands for every one there is",
    "objectives": "what trials are chosen by: the score first, then what it costs",
    "task": "what is to be told apart",
    "metric": "what is searched for; matched_auc falls back to auc where it is undefined",
    "seed": "seed of the sampler",
}


def load_study(
    name_or_path: str | Path,
    *,
    set_: Mapping[str, Any] | Sequence[str] = (),
    vary: Mapping[str, Any] | Sequence[str] = (),
    data: Mapping[str, Any] | None = None,
) -> Study:
    """Compose a study from a bundled name or a file, and options.

    `set_` fixes places of the configuration (``head.width=128``) or of the study (``protocol.folds=2``), `vary`
    varies places of the configuration (``temperature=0.02..1:log``), `data` replaces fields of `DataSource` (empty
    values are ignored). Raises InputError for an unknown study, ConfigurationError with every problem at once.
    """
    source = find("studies", str(name_or_path))
    document = read(source)
    folder = source.parent if isinstance(source, Path) else None
    overrides = read_overrides(set_, vary, data)
    with _also(overrides.problems):
        parsed = _validated(document)
        fields, (layers, wanted) = _together(
            lambda: _study_fields(document, overrides, folder), lambda: _compose(parsed, document, overrides, folder)
        )
    problems: list[str] = []
    title = fields.pop("name") or source.name.rsplit(".", 1)[0]
    dimensions = order(layers, problems)
    problems += _without_effect(layers, dimensions)
    for i, entry in enumerate(wanted if not overrides else []):
        problems += _misfits(entry, dimensions, document.place(("known_good", i)))
    known: list[tuple[tuple[str, Scalar], ...]] = []
    for entry in wanted:
        values = tuple(sorted(complete(dimensions, entry, layers).items()))
        if dimensions and values not in known:
            known.append(values)
    varied = {dim.path for dim in dimensions}
    ways: list[tuple[tuple[str, Scalar], ...]] = []
    for i, given in enumerate(parsed.climb):
        way = read_fixed(given, ("climb", str(i)), document, problems)
        problems += [] if overrides else _misfits(way, dimensions, document.place(("climb", i)))
        ways.append(tuple(sorted((path, value) for path, value in way.items() if path in varied)))
    if overrides:
        fields["screening"], ways = left_to_screen(fields["screening"], ways, varied, overrides)
    for family in COMPONENTS:
        if f"{family}.type" not in varied and family != PROGRAM:
            layers.base.setdefault(f"{family}.type", DEFAULT_TYPES[family])
    study = Study(
        name=title,
        base=tuple(sorted((p, v) for p, v in layers.base.items() if not layers.unreachable(p))),
        dimensions=dimensions,
        known_good=tuple(known),
        climb=tuple(dict.fromkeys(ways)),
        **fields,
    )
    problems += study_problems(study, document.where)
    problems += _unknown_names(study, document)
    program = dict(study.base).get(f"{PROGRAM}.type", DEFAULT_TYPES[PROGRAM])
    if program != study.task or f"{PROGRAM}.type" in varied:
        problems.append(f"{document.where}: {PROGRAM}.type is not the study's task, {study.task}: leave it out")
    if not problems:
        problems = [f"{document.where}: {problem}" for problem in search_problems(study)]
    if problems:
        raise ConfigurationError(problems)
    return study


@contextmanager
def _also(problems: Sequence[str]) -> Iterator[None]:
    """Raise what was wrong already, with what proves wrong inside."""
    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError([*error.problems, *problems]) from error
    if problems:
        raise ConfigurationError(problems)


def _together(first: Callable[[], A], second: Callable[[], B]) -> tuple[A, B]:
    """Run two readings of one document; where both fail, the problems of both are raised at once."""
    try:
        a = first()
    except ConfigurationError as error:
        try:
            second()
        except ConfigurationError as other:
            raise ConfigurationError([*error.problems, *other.problems]) from other
        raise
    return a, second()


def _validated(document: Document) -> Any:
    if not isinstance(document.data, Mapping):
        raise ConfigurationError([f"{document.where}: a study is a mapping of keys and values"])
    model = study_document_model()
    try:
        return model.model_validate(without_empty(document.data))
    except ValidationError as error:
        raise ConfigurationError(problems_of(error, model, document)) from error


def _study_fields(document: Document, overrides: Overrides, folder: Path | None) -> dict[str, Any]:
    """Everything but the search: sections as frozen dataclasses, with the caller's options applied and checked."""
    merged: dict[str, Any] = {
        k: dict(v) if isinstance(v, Mapping) else v for k, v in without_empty(document.data).items()
    }
    source = merged.get("data", {})
    for file in ("path", "vectors"):
        if folder is not None and source.get(file) and (folder / source[file]).exists():
            source[file] = str(folder / source[file])
    if overrides.study.get("data.path") and "data.simulator_parameters" not in overrides.study:
        source.pop("simulator_parameters", None)
    for key, value in overrides.study.items():
        section, _, rest = key.partition(".")
        if not rest:
            merged[key] = value
            continue
        inner = merged.setdefault(section, {})
        if rest.startswith("simulator_parameters."):
            inner, rest = inner.setdefault("simulator_parameters", {}), rest.partition(".")[2]
        inner[rest] = value
    task = merged.get("task", DEFAULT_TYPES[PROGRAM])
    names_a_class = task in registry.names(FAMILIES[PROGRAM]) and task != DEFAULT_TYPES[PROGRAM]
    if names_a_class:  # what such a study has where it does not say: the defaults of `Study` are for pairs
        merged.setdefault("metric", CLASS_METRIC)
        merged.setdefault("confirmation", {}).setdefault("presets", [])
        merged.setdefault("baselines", list(registry.load(FAMILIES[PROGRAM], task).REFERENCES))
    # the file alone has passed already: whatever is wrong now came with the options
    parsed = _validated(Document(merged, "--set", joint=" "))
    # written out, so that a study says what it was compared with when it was made
    if "all" in parsed.baselines:
        rows = registry.names(registry.load(FAMILIES[PROGRAM], task).BASELINES) if names_a_class else every()
        named = [rows if name == "all" else (name,) for name in parsed.baselines]
        parsed.baselines = list(dict.fromkeys(n for part in named for n in part))
    fields: dict[str, Any] = {}
    hints = get_type_hints(Study)
    for f in dataclasses.fields(Study):
        if f.name in ("base", "dimensions", "known_good", "climb"):
            continue
        hint, value = hints[f.name], getattr(parsed, f.name)
        section_class = dataclasses.is_dataclass(hint) and isinstance(hint, type)
        fields[f.name] = build(hint, value) if section_class else tuple(value) if isinstance(value, list) else value
    return fields


def _compose(
    parsed: Any, document: Document, overrides: Overrides, folder: Path | None
) -> tuple[Layers, list[dict[str, Scalar]]]:
    """Stack the layers of the search; returns them with the known good entries. Raises with every problem."""
    problems: list[str] = []
    layers = Layers()
    if parsed.preset:
        try:
            layers.start(configuration_paths(load_preset(parsed.preset)))
        except InputError as error:
            problems.append(f"{document.place(('preset',))}: {error}")
    spaces: list[Space] = []
    for name in parsed.spaces:
        try:
            spaces.append(load_space(name, folder))
        except ConfigurationError as error:
            problems.extend(error.problems)
        except InputError as error:
            problems.append(f"{document.place(('spaces',))}: {error}")
    space = compose("spaces", spaces)
    fixed = read_fixed(parsed.fixed, ("fixed",), document, problems)
    varied = read_vary(parsed.vary, ("vary",), document, problems)
    base = read_fixed(parsed.base, ("base",), document, problems)
    problems += [
        f"{document.place(('fixed', key))}: varies and is fixed: give one"
        for key in flatten(parsed.fixed)
        if key in parsed.vary
    ]
    settled = {*fixed, *varied, *overrides.fixed, *overrides.vary}
    problems += [
        f"{document.place(('spaces',))}: {key} is {why}: say which in the study's vary or fixed"
        for key, why in space.clashes.items()
        if key not in settled
    ]
    task = overrides.study.get("task", parsed.task)
    if task != DEFAULT_TYPES[PROGRAM]:
        layers.start({f"{PROGRAM}.type": task})
    layers.start(base, f"{document.where}, base")
    layers.fix(space.fixed)
    layers.free(space.vary)
    layers.fix(fixed, f"{document.where}, fixed")
    layers.free(varied)
    layers.fix(overrides.fixed, "--set")
    layers.free(overrides.vary, "--vary", inherit=True)
    wanted = [
        read_fixed(entry, ("known_good", str(i)), document, problems) for i, entry in enumerate(parsed.known_good)
    ]
    if problems:
        raise ConfigurationError(problems)
    return layers, wanted


def _without_effect(layers: Layers, dimensions: tuple[Dimension, ...]) -> list[str]:
    """Keys somebody asked for that can never take effect."""
    problems: list[str] = []
    kept = {dim.path for dim in dimensions}
    for path, who in layers.asked.items():
        if why := layers.unreachable(path):
            problems.append(f"{who} {path}: {why}")
        elif path in layers.vary and path not in kept:
            when = ", ".join(f"{p} in {{{', '.join(map(str, v))}}}" for p, v in layers.vary[path].when)
            problems.append(f"{who} {path}: varies only where {when}, which never holds here")
    return problems


def _misfits(entry: Mapping[str, Scalar], dimensions: tuple[Dimension, ...], where: str) -> list[str]:
    """What a document's own known good entry says that its own search cannot hold."""
    by_path = {dim.path: dim for dim in dimensions}
    problems = []
    for path, value in entry.items():
        if path not in by_path:
            problems.append(f"{where}: {path} does not vary in this study")
        elif problem := domain_problem(by_path[path], value):
            problems.append(f"{where}: {path}: {problem}")
        elif not active(by_path[path], {p: v for p, v in entry.items() if p in by_path}) and by_path[path].when:
            needs = " and ".join(f"{p} = {' or '.join(map(str, v))}" for p, v in by_path[path].when)
            if all(p in entry for p, _ in by_path[path].when):
                problems.append(f"{where}: {path} varies only where {needs}")
    return problems


def _unknown_names(study: Study, document: Document) -> list[str]:
    """Baselines, presets and simulators that do not exist."""
    problems: list[str] = []
    rows = "baselines"
    if study.task != DEFAULT_TYPES[PROGRAM]:
        rows = registry.load(FAMILIES[PROGRAM], study.task).BASELINES
    families = (
        ("baselines", "baseline", study.baselines, registry.names(rows)),
        ("confirmation.presets", "preset", study.confirmation.presets, preset_names()),
        ("data.simulator", "simulator", (study.data.simulator,), registry.names("spectra.simulators")),
    )
    for key, what, names, known in families:
        place = document.place(tuple(key.split(".")))
        problems += [f"{place}: unknown {what} '{name}'{nearest(name, known)}" for name in names if name not in known]
    return problems


def list_studies() -> tuple[tuple[str, str], ...]:
    """Name and description of every bundled study."""
    documents = ((name, read(find("studies", name))) for name in bundled_names("studies"))
    return tuple((name, str(document.data.get("description", ""))) for name, document in documents)
