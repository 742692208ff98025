"""Every place a configuration has, by dotted path: type, default, limits, unit and meaning.

The places of preprocessing, positives, optimiser and training come from the dataclasses in `config.configuration`;
those of encoders, heads, objectives and augmentations from the ``Settings`` beside their code, found through the
registry. One path can belong to several members of a family (``head.out`` is a setting of every head), each with
its own limits.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Optimiser, Positives, Preprocessing, Scalar, Training

__all__ = [
    "AUGMENTATIONS",
    "COMPONENTS",
    "DEFAULT_TYPES",
    "FAMILIES",
    "SECTIONS",
    "Place",
    "family_of",
    "field_place",
    "match",
    "member_names",
    "near",
    "places",
]

SECTIONS: Mapping[str, type] = {
    "preprocessing": Preprocessing,
    "positives": Positives,
    "optimiser": Optimiser,
    "training": Training,
}
COMPONENTS: Mapping[str, str] = {
    "encoder": "learning.encoders",
    "head": "learning.heads",
    "objective": "learning.objectives",
    "program": "search.programs",
}
AUGMENTATIONS = "augmentations"
FAMILIES: Mapping[str, str] = {**COMPONENTS, AUGMENTATIONS: "learning.augmentations"}
DEFAULT_TYPES: Mapping[str, str] = {
    "encoder": "transformer",
    "head": "mlp",
    "objective": "nt-xent",
    "program": "same-batch",
}

_MEANING_OF_TYPE = {
    "encoder": "what turns a spectrum into an embedding",
    "head": "projection head between the encoder and the objective",
    "objective": "contrastive objective",
    "program": "what is trained and judged; the study's task",
}


@dataclass(frozen=True)
class Place:
    """One place of a configuration. `owner` is the member of the family it belongs to, empty where it always exists."""

    path: str
    kind: Literal["bool", "int", "float", "str"]
    default: Scalar
    description: str = ""
    unit: str = ""
    low: float | None = None
    high: float | None = None
    options: tuple[str, ...] = ()  # the only values of a text, empty: any
    owner: str = ""
    shapes: bool = False  # part of the architecture: trials that differ in it cannot train in one stack

    def problem(self, value: object) -> str:
        """Say in a few words what is wrong with `value` here; empty where it fits."""
        if self.kind == "bool":
            return "" if isinstance(value, bool) else f"{value!r} is not true or false"
        if self.kind == "str":
            return self._text_problem(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return f"{value!r} is not a number"
        if value != value or value in (float("inf"), float("-inf")):
            return f"{value} is not a finite number"
        if self.kind == "int" and value != int(value):
            return f"{value:g} is not a whole number"
        if self.low is not None and value < self.low:
            return f"{value:g} is below the smallest value {self.low:g}"
        if self.high is not None and value > self.high:
            return f"{value:g} is above the largest value {self.high:g}"
        return ""

    def _text_problem(self, value: object) -> str:
        from spectrosim_search.config.errors import nearest

        if not isinstance(value, str):
            return f"{value!r} is not one of {', '.join(self.options)}" if self.options else f"{value!r} is not text"
        if self.options and value not in self.options:
            return f"'{value}' is unknown{nearest(value, self.options)}"
        return ""

    def coerce(self, value: Scalar) -> Scalar:
        """Give a fitting value the exact type of the place, so that 1 and 1.0 name one configuration."""
        if self.kind == "float":
            return float(value)
        return int(value) if self.kind == "int" else value


def field_place(path: str, field: dataclasses.Field[Any], hint: Any, owner: str = "") -> Place:
    """Describe one dataclass field made by `config.fields.field`. Raises TypeError for a type no document can hold."""
    options: tuple[str, ...] = ()
    if get_origin(hint) is Literal:
        options = get_args(hint)
        hint = str
    if hint not in (bool, int, float, str):
        raise TypeError(f"{path}: a setting is bool, int, float, str or a Literal of texts, not {hint}")
    meta = field.metadata
    return Place(
        path=path,
        kind=typing.cast(Literal["bool", "int", "float", "str"], hint.__name__),
        default=typing.cast(Scalar, field.default),
        description=str(meta.get("description", "")),
        unit=str(meta.get("unit", "")),
        low=meta.get("low"),
        high=meta.get("high"),
        options=options,
        owner=owner,
        shapes=bool(meta.get("shapes")),
    )


def _fields(cls: type, prefix: str, owner: str = "") -> Iterable[Place]:
    hints = get_type_hints(cls)
    for field in dataclasses.fields(cls):
        yield field_place(f"{prefix}.{field.name}", field, hints[field.name], owner)


def member_names(family: str) -> tuple[str, ...]:
    """Names of the members of ``encoder``, ``head``, ``objective`` or ``augmentations``."""
    return registry.names(FAMILIES[family])


def family_of(path: str) -> str:
    """The family a path belongs to, empty for the other sections."""
    section = path.split(".", 1)[0]
    return section if section in FAMILIES else ""


@functools.cache
def places() -> Mapping[str, tuple[Place, ...]]:
    """All places by path, in the order of a configuration; where members share one, the default member's first."""
    found: dict[str, list[Place]] = {}

    def add(items: Iterable[Place]) -> None:
        for place in items:
            found.setdefault(place.path, []).append(place)

    add(_fields(Preprocessing, "preprocessing"))
    for family, package in COMPONENTS.items():
        members = sorted(registry.names(package), key=lambda name: (name != DEFAULT_TYPES[family], name))
        add(
            [
                Place(
                    f"{family}.type",
                    "str",
                    DEFAULT_TYPES[family],
                    _MEANING_OF_TYPE[family],
                    options=tuple(members),
                    shapes=True,
                )
            ]
        )
        for member in members:
            add(_fields(registry.load(package, member).Settings, family, member))
    for member in registry.names(FAMILIES[AUGMENTATIONS]):
        module = registry.load(FAMILIES[AUGMENTATIONS], member)
        switch = f"{AUGMENTATIONS}.{member}"
        add([Place(switch, "bool", False, f"whether views are changed by {member}", shapes=True)])
        add(_fields(module.Settings, switch, member))
    for section in ("positives", "optimiser", "training"):
        add(_fields(SECTIONS[section], section))
    return types.MappingProxyType({path: tuple(items) for path, items in found.items()})


def near(path: str) -> str:
    """``" (did you mean …?)"`` for an unknown dotted key: the closest key, or one with the closest last part."""
    options = list(places())
    close = difflib.get_close_matches(path, options, n=1, cutoff=0.7)
    if not close:
        by_leaf = {option.rsplit(".", 1)[-1]: option for option in reversed(options)}
        leaves = difflib.get_close_matches(path.rsplit(".", 1)[-1], list(by_leaf), n=1, cutoff=0.7)
        close = [by_leaf[leaf] for leaf in leaves]
    if close:
        return f" (did you mean '{close[0]}'?)"
    return f" (keys start with {', '.join(dict.fromkeys(option.split('.')[0] for option in options))})"


def match(key: str, known: Iterable[str]) -> tuple[str, ...]:
    """Paths a short key can mean: the path itself, or every path that ends in it; dashes and underscores are one.

    What a program calls as another section does is written in full (``program.batch_size``).
    """
    options = tuple(known)
    if key in options:
        return (key,)
    wanted = key.replace("_", "-")
    exact = tuple(path for path in options if path.replace("_", "-") == wanted)
    ending = tuple(path for path in options if path.replace("_", "-").endswith("." + wanted))
    return exact or tuple(path for path in ending if not path.startswith("program.")) or ending
