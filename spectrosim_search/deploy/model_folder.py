"""The model folder: all that verifying needs, in files that hold no code.

::

    model.json               facts: schema version, kind, data, axis unit, intensities, threshold, error rates, versions
    configuration.yaml       the document the model was trained from; `train` takes it again
    weights.safetensors      weights of the network, or mean and projection of a linear metric (PLDA: weight, offset)
    preprocessing.safetensors  fitted preprocessing
    axis.safetensors         the axis the model knows, float64 (L,)
    README.md                the same for a person to read

A committee has ``weights-1.safetensors`` and ``preprocessing-1.safetensors`` for its first member, and so on.

``model.json`` names the SHA-256 of every other file but README.md. Nothing is unpickled. A folder appears complete or
not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from spectrosim_search.config.errors import DataError, InputError
from spectrosim_search.deploy._folder_reading import MARKER, SCHEMA_VERSION, read_facts
from spectrosim_search.deploy._trained import Trained, part_files, read_trained, write_trained
from spectrosim_search.deploy.decision import Decision
from spectrosim_search.deploy.embedding import embed_prepared

__all__ = ["MARKER", "SCHEMA_VERSION", "ModelFolder", "load", "save"]


@dataclass(frozen=True, eq=False, kw_only=True)
class ModelFolder(Trained):
    """A trained model that compares pairs, with all that is known of it. L channels.

    `decision` is None where the data had too few groups to choose and judge a threshold.
    """

    decision: Decision | None

    def facts(self) -> dict[str, Any]:
        """What ``model.json`` says, without the hashes."""
        return self.facts_with(self.document.kind, {"decision": self.decision.to_dict() if self.decision else None})


def save(folder: ModelFolder, path: str | Path, *, force: bool = False) -> ModelFolder:
    """Write a model folder in one rename and return it with its path.

    Raises InputError where something is in the way (a model is replaced with `force` only) or the disk does not take
    it.
    """
    from spectrosim_search.deploy.model_card import model_card

    path = Path(path)
    write_trained(folder, path, folder.facts(), model_card(folder), force=force)
    return replace(folder, path=path)


def load(path: str | Path) -> ModelFolder:
    """Read a model folder.

    Raises InputError where `path` is no model folder or was written by another schema version, DataError where a file
    is missing, damaged or does not fit the others; each message names the file.
    """
    path = Path(path)
    facts = read_facts(path)
    if facts.get("kind") == "program":
        raise InputError(f"'{path}' is a model that names classes: use identify, classify or generate")

    try:
        folder = ModelFolder(
            **read_trained(path, facts),
            decision=Decision.from_dict(facts["decision"]) if facts["decision"] is not None else None,
        )
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise DataError(f"'{path / MARKER}' is damaged ({error}): train the model again") from error
    _check_shapes(folder, facts)
    return folder


def _check_shapes(folder: ModelFolder, facts: Mapping[str, Any]) -> None:
    """Every array must fit the axis; every network must give an embedding for a spectrum of zeros."""
    length = len(folder.axis)
    where = f"'{folder.path}'"
    found = facts["axis"].get("channels")
    wrong = [f"{MARKER} has {found} channels"] if found != length else []
    files = part_files(len(folder.parts))
    for part, (_, name) in zip(folder.parts, files, strict=True):
        if part.preprocessing.channels != length:
            wrong.append(f"{name} has {part.preprocessing.channels} channels")
    if wrong:
        raise DataError(f"{where}: {wrong[0]}, the axis {length}: the files do not belong together")
    if folder.document.kind != facts["kind"]:
        raise DataError(
            f"{where}: configuration.yaml is of kind '{folder.document.kind}', {MARKER} says '{facts['kind']}'"
        )
    for part, (name, _) in zip(folder.parts, files, strict=True):
        zeros = np.zeros((1, part.preprocessing.settings.channels(length)), np.float32)
        try:
            embed_prepared(part, zeros, folder.axis)
        except (RuntimeError, ValueError, KeyError, IndexError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DataError(f"{where}: {name} does not fit the configuration ({reason})") from error
