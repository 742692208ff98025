"""Frozen dataclasses to JSON text and back, by their type hints.

Floats keep every digit; NaN and infinities are written as JavaScript does, since the text is read by this module
only. Arrays do not belong in JSON: fields named in `without` are left out and handed back by the caller.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import types
import typing
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

__all__ = ["from_json", "to_json"]

T = TypeVar("T")


def to_json(value: Any, without: Collection[str] = ()) -> str:
    """Return JSON text; `without` names fields of the outermost dataclass that are left out."""
    if without:
        names = [f.name for f in dataclasses.fields(value) if f.name not in without]
        data = {name: _encode(getattr(value, name)) for name in names}
    else:
        data = _encode(value)
    return json.dumps(data, separators=(",", ":"), sort_keys=True)


def from_json(cls: type[T], text: str, **given: Any) -> T:
    """Build `cls` from its JSON text; `given` supplies the fields that were left out.

    Fields unknown to this version are refused with a ValueError, absent ones take their defaults.
    """
    data = json.loads(text)
    value: T = _decode_dataclass(cls, data, given) if dataclasses.is_dataclass(cls) else _decode(cls, data)
    return value


def _encode(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): _encode(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [_encode(v) for v in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be stored as JSON")


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _decode_dataclass(cls: Any, data: Mapping[str, Any], given: Mapping[str, Any]) -> Any:
    hints = _hints(cls)
    unknown = sorted(set(data) - set(hints))
    if unknown:
        raise ValueError(f"{cls.__name__} has no field {', '.join(unknown)}")
    return cls(**{k: _decode(hints[k], v) for k, v in data.items() if k not in given}, **given)


def _decode(hint: Any, data: Any) -> Any:
    if data is None:
        return None
    if dataclasses.is_dataclass(hint):
        return _decode_dataclass(hint, data, {})
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_decode(arguments[0], v) for v in data)
        return tuple(_decode(a, v) for a, v in zip(arguments, data, strict=True))
    if origin in (typing.Union, types.UnionType):
        inner = [a for a in arguments if a is not type(None)]
        return _decode(inner[0], data) if len(inner) == 1 else data
    if isinstance(origin, type) and issubclass(origin, Mapping):
        key, item = arguments
        return {(int(k) if key is int else k): _decode(item, v) for k, v in data.items()}
    if hint is float and isinstance(data, int):
        return float(data)
    return data
