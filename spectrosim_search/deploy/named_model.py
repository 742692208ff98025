"""A trained model that names the class of a spectrum, as a folder: what identify, classify and generate use.

::

    model.json               facts: kind, task, classes, axis, out-of-fold scores, threshold below which it says unknown
    configuration.yaml       the document it was trained from; `train` takes it again
    weights.safetensors      everything that was learnt; of a committee weights-1.safetensors and so on
    preprocessing.safetensors  fitted preprocessing, likewise
    axis.safetensors         the axis the model knows, float64 (L,)
    README.md                the same for a person to read

``model.json`` names the SHA-256 of every other file but README.md. Nothing is unpickled.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import DataError, InputError
from spectrosim_search.config.registry import load as load_member
from spectrosim_search.deploy._folder_reading import MARKER, read_facts
from spectrosim_search.deploy._trained import Trained, read_trained, write_trained
from spectrosim_search.deploy.alignment import align
from spectrosim_search.deploy.embedding import Part
from spectrosim_search.evaluation.class_committee import votes
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["KIND", "NamedModel", "NamedSpectra", "Prepared", "joined_scores", "load_named", "save_named"]

KIND = "program"
UNKNOWN = ""


@dataclass(frozen=True, eq=False)
class NamedSpectra:
    """What a model says of K spectra over C classes. `known` False: less sure than 95 % of what it named rightly.

    voted: scores are the votes of a committee; a class that nobody voted for is no runner-up.
    """

    sample_ids: NDArray[np.str_]  # (K,)
    class_names: tuple[str, ...]  # (C,)
    scores: NDArray[np.float32]  # (K, C)
    reject_below: float
    warnings: tuple[str, ...] = ()
    voted: bool = False

    @property
    def known(self) -> NDArray[np.bool_]:
        """Whether the best score reaches the threshold ``(K,)``."""
        return np.asarray(self.scores.max(axis=1) >= self.reject_below)

    def rows(self, *, reject: bool = False, best: int = 1) -> list[dict[str, Any]]:
        """One mapping a spectrum: its class (empty where unknown and `reject`), score, runners-up."""
        order = np.argsort(-self.scores, axis=1, kind="stable")
        known = self.known.tolist()
        out = []
        for i, name in enumerate(self.sample_ids.tolist()):
            first = int(order[i, 0])
            kept = not reject or known[i]
            row: dict[str, Any] = {
                "sample_id": name,
                "class": self.class_names[first] if kept else UNKNOWN,
                "score": round(float(self.scores[i, first]), 6),
                "known": known[i],
            }
            for place in range(1, min(best, len(self.class_names))):
                other = int(order[i, place])
                nobodys = self.voted and not self.scores[i, other] > 0
                row[f"class {place + 1}"] = UNKNOWN if nobodys else self.class_names[other]
                row[f"score {place + 1}"] = round(float(self.scores[i, other]), 6)
            out.append(row)
        return out


@dataclass(frozen=True, eq=False)
class Prepared:
    """Spectra as one part of a model takes them: preprocessed ``(K, L')`` over an axis ``(L',)``."""

    part: Part
    spectra: NDArray[np.float32]
    axis: NDArray[np.float64]

    @property
    def configuration(self) -> Configuration:
        """The part's; a program has one."""
        assert self.part.configuration is not None
        return self.part.configuration

    @property
    def parameters(self) -> Mapping[str, NDArray[Any]]:
        """The part's."""
        return self.part.parameters


def joined_scores(scores: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Scores ``(K, C)`` of a model from those of its parts: the one's own, or the votes of several."""
    if len(scores) == 1:
        return scores[0]
    table = np.stack(scores)
    return votes(table.argmax(axis=2), table.max(axis=2), table.shape[2])


@dataclass(frozen=True, eq=False, kw_only=True)
class NamedModel(Trained):
    """A trained program, or a committee of them, with all that is known of it. L channels, C classes.

    `scores`: out-of-fold accuracy and macro F1 with intervals. `reject_below`: threshold on the best score, that 95 %
    of the spectra named rightly out of fold reach; infinite, so that nothing is known, where none was named rightly.
    """

    class_names: tuple[str, ...]
    scores: Mapping[str, Any]
    reject_below: float

    @property
    def task(self) -> str:
        """identify, pretrain or synthesis. Raises DataError where the document holds no program."""
        if not self.document.task:
            raise DataError(f"model '{self.name}' holds no program: verify and embed are for models of batches")
        return self.document.task

    @property
    def program(self) -> ModuleType:
        """The module that knows what to do with the parameters."""
        return load_member("search.programs", self.task)

    def prepare(self, spectra: SpectraSet) -> tuple[list[Prepared], tuple[str, ...]]:
        """What each part is given of spectra over the model's axis, and warnings."""
        values, done = align(spectra, self.axis, self.axis_unit)
        unlike = self.intensities.warnings(values, spectra.name)
        given = [Prepared(p, p.preprocessing.transform(values), p.preprocessing.axis(self.axis)) for p in self.parts]
        return given, (*done, *unlike)

    def identify(self, spectra: SpectraSet) -> NamedSpectra:
        """Name the class of each spectrum; of a committee the scores are its members' votes.

        Raises DataError where the spectra do not cover the model's axis.
        """
        given, told = self.prepare(spectra)
        scores = joined_scores([self.program.predict(p.configuration, p.parameters, p.spectra, p.axis) for p in given])
        voted = len(self.parts) > 1
        return NamedSpectra(spectra.sample_ids, self.class_names, scores, self.reject_below, told, voted)

    def facts(self) -> dict[str, Any]:
        """What ``model.json`` says, without the hashes."""
        own = {
            "task": self.task,
            "classes": list(self.class_names),
            "scores": dict(self.scores),
            "reject_below": self.reject_below if math.isfinite(self.reject_below) else None,
        }
        return self.facts_with(KIND, own)


def save_named(model: NamedModel, path: str | Path, *, force: bool = False) -> NamedModel:
    """Write a model folder in one rename. Raises InputError where something is in the way."""
    path = Path(path)
    write_trained(model, path, model.facts(), _card(model), force=force)
    return replace(model, path=path)


def load_named(path: str | Path, tasks: Sequence[str] = ()) -> NamedModel:
    """Read a model folder, of one of `tasks` where given.

    Raises InputError where `path` is no such folder, DataError where a file is missing, damaged or of another model.
    """
    path = Path(path)
    facts = read_facts(path)
    if facts.get("kind") != KIND:
        raise InputError(f"'{path}' is a model that compares pairs: use verify or embed")
    if tasks and facts.get("task") not in tasks:
        raise InputError(f"'{path}' is a model of task {facts.get('task')}, this command takes {' or '.join(tasks)}")

    try:
        model = NamedModel(
            **read_trained(path, facts),
            class_names=tuple(str(c) for c in facts["classes"]),
            scores=dict(facts["scores"]),
            reject_below=math.inf if facts["reject_below"] is None else float(facts["reject_below"]),
        )
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise DataError(f"'{path / MARKER}' is damaged ({error}): train the model again") from error
    if any(p.preprocessing.channels != len(model.axis) for p in model.parts) or model.task != facts["task"]:
        raise DataError(f"'{path}': the files do not belong together: copy the whole folder or train the model again")
    return model


def _card(model: NamedModel) -> str:
    voting = f", a committee of {len(model.parts)} that vote" if len(model.parts) > 1 else ""
    lines = [
        f"# {model.name}",
        "",
        f"Task {model.task}{voting}: names {len(model.class_names)} classes of spectra over {len(model.axis)} channels "
        f"({model.axis[0]:g} to {model.axis[-1]:g} {model.axis_unit}).".replace(" )", ")"),
        "",
        f"Trained on {model.data['spectra']} spectra of {model.data['name']} ({model.created_at}).",
        "",
        "Out of fold, by models that had not seen the spectra:",
        "",
        *(f"- {name.replace('_', ' ')}: {_number(value)}" for name, value in model.scores.items()),
        "",
        f"Scores below {model.reject_below:.4g} count as unknown: 95 % of the spectra it named rightly score higher."
        if math.isfinite(model.reject_below)
        else "Every spectrum counts as unknown: out of fold it named none rightly.",
        *(line for sentence in model.limits for line in ("", sentence)),
    ]
    lines += ["", "Notes:", "", *(f"- {note}" for note in model.notes)] if model.notes else []
    return "\n".join(lines) + "\n"


def _number(value: Any) -> str:
    if isinstance(value, Mapping) and "low" in value:
        return f"{value['value']:.3f} (95 % interval {value['low']:.3f} to {value['high']:.3f})"
    return f"{value['value']:.3f}" if isinstance(value, Mapping) else str(value)
