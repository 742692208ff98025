"""From a configuration's components to code: settings resolved and checked, tensors declared, stacks told apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin, get_type_hints

from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Component, Configuration, Scalar
from spectrosim_search.config.errors import ConfigurationError, InputError, nearest
from spectrosim_search.config.fields import content_hash

__all__ = ["FAMILIES", "resolve", "settings_of", "stack_key", "varying"]

FAMILIES = ("encoders", "heads", "objectives", "augmentations")


def resolve(family: str, mapping: Mapping[str, Any] | Component, package: str = "") -> Component:
    """Return the component with every default filled in.

    `family` is one of :data:`FAMILIES` (singular works too), or any name where the family's `package` is given (dotted
    below ``spectrosim_search``); `mapping` the flat YAML form with its ``type``. Raises
    ConfigurationError with every problem at once: unknown type or setting (nearest name offered), wrong kind of value,
    outside its limits, settings that contradict each other.
    """
    given = mapping.to_dict() if isinstance(mapping, Component) else dict(mapping)
    plural = family if family in FAMILIES else family + "s"
    what = plural.removesuffix("s")
    if plural not in FAMILIES and not package:
        raise ConfigurationError([f"unknown family '{family}'{nearest(family, FAMILIES)}"])
    package = package or "learning." + plural
    if "type" not in given:
        raise ConfigurationError([f"{what}: 'type' is missing (known: {', '.join(registry.names(package))})"])
    name = str(given.pop("type"))
    try:
        module = registry.load(package, name)
    except InputError as error:
        raise ConfigurationError([str(error)]) from error
    fields = {f.name: f for f in dataclasses.fields(module.Settings)}
    hints = get_type_hints(module.Settings)
    problems = [f"{what} {name}: unknown setting '{key}'{nearest(key, fields)}" for key in given if key not in fields]
    values: dict[str, Scalar] = {}
    for key, declared in fields.items():
        value, problem = _coerced(given.get(key, declared.default), hints[key], declared.metadata)
        if problem:
            problems.append(f"{what} {name}: {key} {problem}")
        else:
            values[key] = value
    if not problems and hasattr(module, "check"):
        problems = [f"{what} {name}: {p}" for p in module.check(module.Settings(**values))]
    if problems:
        raise ConfigurationError(problems)
    return Component.of(name, **values)


def _coerced(value: Any, hint: Any, limits: Mapping[str, Any]) -> tuple[Scalar, str]:
    """Return the value in its declared kind, or what is wrong with it."""
    if get_origin(hint) is not None:
        choices = get_args(hint)
        return (value, "") if value in choices else (0, f"is '{value}'{nearest(str(value), map(str, choices))}")
    if hint is bool:
        return (value, "") if isinstance(value, bool) else (0, f"is {value!r}, expected true or false")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0, f"is {value!r}, expected a number"
    if hint is int and value != int(value):
        return 0, f"is {value!r}, expected a whole number"
    value = hint(value)
    low, high = limits["low"], limits["high"]
    if low is not None and not value >= low:
        return 0, f"is {value:g}, below its limit {low:g}"
    if high is not None and not value <= high:
        return 0, f"is {value:g}, above its limit {high:g}"
    return value, ""


def settings_of(family: str, component: Component) -> Any:
    """Return the member's ``Settings`` for a component (defaults filled in, checked)."""
    module = registry.load("learning." + family, component.type)
    return module.Settings(**dict(resolve(family, component).parameters))


def varying(settings: Any) -> dict[str, float]:
    """Return the settings that may differ between the replicates of a stack, by name."""
    return {f.name: float(getattr(settings, f.name)) for f in dataclasses.fields(settings) if not f.metadata["shapes"]}


def _fixed(settings: Any, skip: Iterable[str] = ()) -> dict[str, Any]:
    return {
        f.name: getattr(settings, f.name)
        for f in dataclasses.fields(settings)
        if f.metadata["shapes"] and f.name not in skip
    }


def stack_key(configuration: Configuration, length: int) -> str:
    """Return a name for what can be trained in one stack: equal keys mean equal shapes, operations and step counts.

    Replicates of one key still differ in data, order, and every setting declared without ``shapes=True``. The length of
    an epoch also depends on the training size: :func:`spectrosim_search.learning.engine.train_stack` tells that apart.
    """
    families = {
        "encoders": (configuration.encoder,),
        "heads": (configuration.head,),
        "objectives": (configuration.objective,),
        "augmentations": tuple(sorted(configuration.augmentations, key=lambda a: a.type)),
    }
    parts: dict[str, Any] = {
        family: [[m.type, _fixed(settings_of(family, m))] for m in members] for family, members in families.items()
    }
    parts["positives"] = _fixed(configuration.positives)
    parts["training"] = _fixed(configuration.training)
    return content_hash({**parts, "length": length})
