"""Reading the files of a model folder: every one by its hash, none of them code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import DataError, InputError

__all__ = ["MARKER", "SCHEMA_VERSION", "read_facts", "read_file", "unpack"]

SCHEMA_VERSION = 1
MARKER = "model.json"


def read_facts(path: Path) -> dict[str, Any]:
    """What ``model.json`` says. Raises InputError where there is none or of another version, DataError if damaged."""
    if not path.is_dir():
        raise InputError(f"'{path}' is not a model folder: `train` makes one")
    file = path / MARKER
    if not file.is_file():
        raise InputError(f"'{path}' is not a model folder: {MARKER} is missing")
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"'{file}' cannot be read ({error}): train the model again") from error
    if not isinstance(facts, dict) or "schema_version" not in facts:
        raise DataError(f"'{file}' is damaged (no schema_version): train the model again")
    if facts["schema_version"] != SCHEMA_VERSION:
        raise InputError(
            f"'{path}' has schema version {facts['schema_version']}, this program reads {SCHEMA_VERSION}: "
            "train the model again, or use the version of the program that wrote it"
        )
    if not isinstance(facts.get("files"), dict):
        raise DataError(f"'{file}' is damaged (no files): train the model again")
    return facts


def read_file(path: Path, name: str, hashes: Mapping[str, str]) -> bytes:
    """One file, if it is the one that was written. Raises DataError."""
    try:
        content = (path / name).read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"'{path / name}' is missing: copy the whole model folder, or train the model again") from error
    except OSError as error:
        raise DataError(f"'{path / name}' cannot be read: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != hashes.get(name):
        raise DataError(f"'{path / name}' was changed or damaged since the model was trained: copy or train it again")
    return content


def unpack(content: bytes, file: Path) -> dict[str, NDArray[Any]]:
    """Arrays of a safetensors file; all finite. Raises DataError."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays: dict[str, NDArray[Any]] = load(content)
    except SafetensorError as error:
        raise DataError(f"'{file}' is damaged ({error}): copy or train the model again") from error
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            raise DataError(f"'{file}' is damaged ('{name}' holds values that are not finite): train the model again")
    return arrays
