"""What every folder of a trained model holds and says of itself, whatever the model does with spectra."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Configuration, Preprocessing
from spectrosim_search.config.fields import plain
from spectrosim_search.deploy._folder_reading import MARKER, SCHEMA_VERSION, read_file, unpack
from spectrosim_search.deploy._folder_writing import write_folder
from spectrosim_search.deploy.alignment import IntensityRange
from spectrosim_search.deploy.document import ExportDocument, document_from_yaml, document_to_yaml
from spectrosim_search.deploy.embedding import Part
from spectrosim_search.spectra.preprocessing import State

__all__ = ["Trained", "part_files", "read_trained", "write_trained"]

_DOCUMENT, _AXIS = "configuration.yaml", "axis.safetensors"


_CHOSEN_HERE = (
    "The configuration was chosen by a search on these same spectra, so the rates above are somewhat too good. The "
    "study's own score, corrected for that, is in `configuration.yaml` under provenance."
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Trained:
    """A model of L channels.

    parts: the one model, or the members of a committee in the document's order. data: name, fingerprint and counts of
    what it was trained on. training: seed, what was chosen, seconds. notes: warnings of the training, told to every
    reader.
    """

    name: str
    document: ExportDocument
    parts: tuple[Part, ...]
    axis: NDArray[np.float64]
    axis_unit: str
    intensities: IntensityRange
    data: Mapping[str, Any]
    training: Mapping[str, Any]
    packages: Mapping[str, str]
    created_at: str  # ISO 8601, UTC
    notes: tuple[str, ...] = ()
    path: Path | None = field(default=None)

    @property
    def limits(self) -> tuple[str, ...]:
        """Sentences for the card about what its scores do not say."""
        chosen_here = self.document.was_chosen_on(str(self.data["fingerprint"]))
        return (_CHOSEN_HERE,) if chosen_here else ()

    def facts_with(self, kind: str, own: Mapping[str, Any]) -> dict[str, Any]:
        """What ``model.json`` says, without the hashes; `own` is what this kind of model adds."""
        settings = [plain(part.preprocessing.settings) for part in self.parts]
        return {
            "schema_version": SCHEMA_VERSION,
            "name": self.name,
            "kind": kind,
            "identity": self.document.identity,
            "created_at": self.created_at,
            "axis": {
                "unit": self.axis_unit,
                "channels": len(self.axis),
                "low": float(self.axis[0]),
                "high": float(self.axis[-1]),
            },
            "intensities": self.intensities.to_dict(),
            "preprocessing": settings[0] if len(settings) == 1 else settings,
            **own,
            "data": dict(self.data),
            "training": dict(self.training),
            "packages": dict(self.packages),
            "notes": list(self.notes),
        }


def part_files(count: int) -> list[tuple[str, str]]:
    """Names of the weights and of the preprocessing of each part."""
    ends = [""] if count == 1 else [f"-{i}" for i in range(1, count + 1)]
    return [(f"weights{end}.safetensors", f"preprocessing{end}.safetensors") for end in ends]


def write_trained(model: Trained, path: Path, facts: Mapping[str, Any], card: str, *, force: bool) -> None:
    """Write the folder in one rename: document, axis, arrays of the parts, facts with hashes, `card`.

    Raises InputError where something is in the way (a model is replaced with `force` only) or the disk does not take
    it.
    """
    from safetensors.numpy import save as pack

    content = {
        _DOCUMENT: document_to_yaml(model.document, f"what the model '{model.name}' was trained from").encode(),
        _AXIS: pack({"axis": np.ascontiguousarray(model.axis, dtype=np.float64)}),
    }
    for part, files in zip(model.parts, part_files(len(model.parts)), strict=True):
        for name, values in zip(files, (part.parameters, part.preprocessing.to_arrays()), strict=True):
            content[name] = pack({k: np.ascontiguousarray(v) for k, v in values.items()})
    hashes = {name: hashlib.sha256(part).hexdigest() for name, part in content.items()}
    said = json.dumps({**facts, "files": hashes}, indent=1, ensure_ascii=False, allow_nan=False)
    content[MARKER] = (said + "\n").encode()
    content["README.md"] = card.encode()
    write_folder(path, content, force=force, marker=MARKER)


def read_trained(path: Path, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of :class:`Trained` from a folder, by name.

    Raises DataError for a file that is missing or damaged, KeyError, TypeError or UnicodeDecodeError for facts that
    are.
    """

    def arrays(name: str) -> dict[str, NDArray[Any]]:
        return unpack(read_file(path, name, facts["files"]), path / name)

    text = read_file(path, _DOCUMENT, facts["files"]).decode()
    document = document_from_yaml(text, where=str(path / _DOCUMENT))
    return {
        "name": str(facts["name"]),
        "document": document,
        "parts": _parts(document, facts["preprocessing"], arrays),
        "axis": arrays(_AXIS)["axis"],
        "axis_unit": str(facts["axis"]["unit"]),
        "intensities": IntensityRange(**facts["intensities"]),
        "data": dict(facts["data"]),
        "training": dict(facts["training"]),
        "packages": dict(facts["packages"]),
        "created_at": str(facts["created_at"]),
        "notes": tuple(facts["notes"]),
        "path": path,
    }


def _parts(
    document: ExportDocument, settings: Any, arrays: Callable[[str], dict[str, NDArray[Any]]]
) -> tuple[Part, ...]:
    """The parts a document asks for; `settings` of their preprocessing are one mapping, or a list of them."""
    configurations: tuple[Configuration | None, ...] = document.configurations or (None,)
    given = list(settings) if len(configurations) > 1 else [settings]
    if len(given) != len(configurations):
        raise KeyError(f"{len(given)} preprocessings for {len(configurations)} members")
    parts = tuple(
        Part(configuration, arrays(weights), State.from_arrays(Preprocessing(**one), arrays(prepared)))
        for configuration, one, (weights, prepared) in zip(configurations, given, part_files(len(given)), strict=True)
    )
    metric = document.linear_metric
    if metric is not None and parts[0].own != (metric.comparison == "plda"):
        raise KeyError(f"weights that are not of a linear metric compared by {metric.comparison}")
    return parts
