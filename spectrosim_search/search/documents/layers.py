"""Composing a search from its layers: what is fixed, what varies, and under which conditions.

From weakest to strongest: preset, the study's ``base``, its spaces, the study's ``fixed`` and ``vary``, ``--set``
and ``--vary``. A layer that fixes a key removes its dimension, a layer that varies it frees it again. Changing a
member (``head.type``) drops the weaker layers' settings of the old one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from spectrosim_search.config.configuration import Scalar
from spectrosim_search.config.study import Dimension
from spectrosim_search.search.documents.catalogue import AUGMENTATIONS, COMPONENTS, DEFAULT_TYPES, family_of, places
from spectrosim_search.search.documents.configurations import place_for
from spectrosim_search.search.documents.dimensions import domain_problem, owners, switch_of

__all__ = ["Layers", "active", "complete", "order"]


@dataclass
class Layers:
    """The search while it is being composed."""

    base: dict[str, Scalar] = field(default_factory=dict)
    vary: dict[str, Dimension] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)  # keys that must take effect: who asked for them

    def start(self, values: Mapping[str, Scalar], who: str = "") -> None:
        """Give starting values; a key that also varies starts there."""
        self._settle(values, who)
        self.base.update(values)

    def fix(self, values: Mapping[str, Scalar], who: str = "") -> None:
        """Fix keys: they no longer vary."""
        self.start(values, who)
        for path in values:
            self.vary.pop(path, None)

    def free(self, dims: Mapping[str, Dimension], who: str = "", inherit: bool = False) -> None:
        """Vary keys; with `inherit` the conditions of the dimension that is replaced stay."""
        for path, dim in dims.items():
            old = self.vary.get(path)
            self.vary[path] = replace(dim, when=old.when) if inherit and old and not dim.when else dim
            self.asked.pop(path, None)
            if who:
                self.asked[path] = who

    def _settle(self, values: Mapping[str, Scalar], who: str) -> None:
        for family in COMPONENTS:
            switch = f"{family}.type"
            if switch in values and values[switch] != self.value(switch):
                for path in [p for p in self.base if p.startswith(f"{family}.")]:
                    del self.base[path]
                    self.asked.pop(path, None)
        for path in values:
            self.asked.pop(path, None)
            if who:
                self.asked[path] = who

    def value(self, path: str) -> Scalar:
        """The value of a key where it does not vary: from the base, or its default."""
        if path in self.base:
            return self.base[path]
        family = family_of(path)
        if family in COMPONENTS:
            owner = str(self.base.get(f"{family}.type", DEFAULT_TYPES[family]))
            place = place_for(path, owner) or places()[path][0]
        else:
            place = places()[path][0]
        return place.default

    def members(self, switch: str) -> tuple[Scalar, ...]:
        """Values a switch can take: its choices, or the one it has."""
        dim = self.vary.get(switch)
        return dim.choices if dim else (self.value(switch),)

    def needed(self, path: str) -> tuple[Scalar, ...]:
        """Values of a key's switch under which the key exists; empty where it never does."""
        switch = switch_of(path)
        wanted: Iterable[Scalar] = (True,) if family_of(path) == AUGMENTATIONS else owners(path)
        return tuple(member for member in self.members(switch) if member in tuple(wanted))

    def unreachable(self, path: str) -> str:
        """Why a key can never take effect; empty where it can."""
        switch = switch_of(path)
        if not switch or self.needed(path):
            return ""
        if family_of(path) == AUGMENTATIONS:
            return f"{switch} is off: switch it on ({switch}=true) or leave this out"
        chosen = ", ".join(str(member) for member in self.members(switch))
        return f"{switch} is {chosen}, which has no such setting (it belongs to {', '.join(owners(path))})"


def order(layers: Layers, problems: list[str]) -> tuple[Dimension, ...]:
    """Dimensions in an order in which conditions come after what they depend on.

    A setting that belongs to some members only becomes conditional on its member. Conditions on keys that do not
    vary are decided here: they fall away, or the dimension does.
    """
    done: dict[str, Dimension | None] = {}

    def visit(path: str, trail: tuple[str, ...]) -> Dimension | None:
        if path in done:
            return done[path]
        if path in trail:
            problems.append(
                f"{path}: its condition depends on itself: {' → '.join((*trail[trail.index(path) :], path))}"
            )
            return None
        dim = layers.vary[path]
        left = _conditions(dim, layers, lambda parent: visit(parent, (*trail, path)))
        done[path] = None if left is None else replace(dim, when=left)
        return done[path]

    for path in layers.vary:
        visit(path, ())
    return tuple(dim for dim in done.values() if dim is not None)


def _conditions(
    dim: Dimension, layers: Layers, parent_of: Callable[[str], Dimension | None]
) -> tuple[tuple[str, tuple[Scalar, ...]], ...] | None:
    """The conditions that are left to decide while searching; None where the dimension can never apply."""
    asked: dict[str, tuple[Scalar, ...]] = dict(dim.when)
    switch = switch_of(dim.path)
    if switch:
        needed = layers.needed(dim.path)
        asked[switch] = tuple(v for v in asked.get(switch, needed) if v in needed)
    left: list[tuple[str, tuple[Scalar, ...]]] = []
    for path, allowed in asked.items():
        parent = parent_of(path) if path in layers.vary else None
        if parent is None:
            if layers.value(path) not in allowed:
                return None
            continue
        inside = tuple(v for v in allowed if not domain_problem(parent, v))
        if not inside:
            return None
        if parent.kind == "categorical" and len(inside) == len(parent.choices) and not parent.when:
            continue
        left.append((path, inside))
    return tuple(left)


def active(dim: Dimension, values: Mapping[str, Scalar]) -> bool:
    """Whether a dimension applies, given the values of the dimensions before it."""
    return all(path in values and values[path] in allowed for path, allowed in dim.when)


def complete(dimensions: Iterable[Dimension], wanted: Mapping[str, Scalar], layers: Layers) -> dict[str, Scalar]:
    """Parameters of one enqueued trial: what is wanted, else what the base has, moved into each dimension's domain."""
    found: dict[str, Scalar] = {}
    for dim in dimensions:
        if active(dim, found):
            value = wanted.get(dim.path, _start(dim, found, layers))
            found[dim.path] = value if not domain_problem(dim, value) else _closest(dim, value)
    return found


def _start(dim: Dimension, found: Mapping[str, Scalar], layers: Layers) -> Scalar:
    """The base's value or, for a setting of a chosen member, that member's default."""
    if dim.path in layers.base:
        return layers.base[dim.path]
    switch = switch_of(dim.path)
    family = family_of(dim.path)
    owner = str(found.get(switch, layers.value(switch))) if family in COMPONENTS and switch else ""
    place = place_for(dim.path, owner)
    return place.default if place else layers.value(dim.path)


def _closest(dim: Dimension, value: Scalar) -> Scalar:
    if dim.kind == "categorical":
        return dim.choices[0]
    number = min(max(float(value), dim.low), dim.high) if not isinstance(value, str) else dim.low
    if dim.step:
        number = min(dim.low + round((number - dim.low) / dim.step) * dim.step, dim.high)
    return round(number) if dim.kind == "int" else number
