"""Declaring configuration fields: default, meaning, unit and limits stand beside each other.

Every configuration in this project is a frozen dataclass whose fields are made by :func:`field`. The metadata serve
the JSON Schemas, `--help`, the documentation and validation. A field with ``shapes=True`` fixes tensor shapes
or the number of steps: configurations that differ elsewhere only can be trained in one stack.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

__all__ = ["canonical_json", "content_hash", "field", "plain"]


def field(
    default: Any,
    description: str,
    *,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    shapes: bool = False,
) -> Any:
    """Declare one configuration field.

    `low` and `high` are inclusive limits; `unit` is printed behind the value in documentation.
    """
    metadata = {"description": description, "unit": unit, "low": low, "high": high, "shapes": shapes}
    if isinstance(default, (dict, list)):
        raise TypeError("configuration defaults are immutable: use a tuple or a frozen dataclass")
    return dataclasses.field(default=default, metadata=metadata)


def plain(value: Any) -> Any:
    """Turn a configuration object into dicts, lists and scalars (the YAML form)."""
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(v) for v in value]
    return value


def canonical_json(value: Any) -> str:
    """One text for one meaning: sorted keys, no spaces, shortest float form."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def content_hash(value: Any, length: int = 16) -> str:
    """Hexadecimal SHA-256 of the canonical JSON, cut to `length` digits."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:length]
