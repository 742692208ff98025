"""Studies and configurations from the plain form a database keeps: structure only, nothing is judged again.

A record may come from an older version whose limits were others; reading it must not fail and must not import the
components. What a person writes goes through `load_study` and `configuration_from_yaml` instead.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from spectrosim_search.config.configuration import Component, Configuration
from spectrosim_search.config.errors import InputError
from spectrosim_search.config.study import Study

__all__ = ["configuration_from_dict", "study_from_dict"]

T = TypeVar("T")


def study_from_dict(data: Mapping[str, Any]) -> Study:
    """The inverse of `Study.to_dict`, also after a round through JSON. Raises InputError for unknown keys."""
    return _restore(Study, data, "study")


def configuration_from_dict(data: Mapping[str, Any]) -> Configuration:
    """The inverse of `Configuration.to_dict`, also after a round through JSON. Raises InputError."""
    hints = get_type_hints(Configuration)
    values: dict[str, Any] = {}
    for f in dataclasses.fields(Configuration):
        if f.name not in data and f.default is not dataclasses.MISSING:
            continue  # none of the default is written
        if f.name not in data:
            raise InputError(f"stored configuration: '{f.name}' is missing")
        content = data[f.name]
        if f.name == "augmentations":
            values[f.name] = tuple(Component.of(name, **parameters) for name, parameters in sorted(content.items()))
        elif hints[f.name] in (Component, Component | None):
            values[f.name] = Component.from_dict(content)
        else:
            values[f.name] = _restore(hints[f.name], content, f.name)
    return Configuration(**values)


def _restore(cls: type[T], data: Mapping[str, Any], where: str) -> T:
    hints = get_type_hints(cls)
    names = [f.name for f in dataclasses.fields(cls)]  # type: ignore[arg-type]  # called with dataclasses only
    unknown = [key for key in data if key not in names]
    if unknown:
        raise InputError(f"stored {where}: '{unknown[0]}' is unknown to this version: update spectrosim-search")
    try:
        return cls(**{key: _value(hints[key], value, f"{where}.{key}") for key, value in data.items()})
    except TypeError as error:
        raise InputError(f"stored {where}: {error}") from error


def _value(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _restore(hint, value, where)
    if get_origin(hint) is not tuple:
        return float(value) if hint is float else value
    arguments = get_args(hint)
    inner = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
    return tuple(_value(kind, item, where) for kind, item in zip(inner, value, strict=True))
