"""The document that `export` writes and `train` reads: what to train, and where that came from.

Three kinds. ``kind: model`` holds a configuration of a contrastive model, key for key as a configuration file has it;
``kind: committee`` holds a list of such configurations under ``members``, whose similarities are averaged (of a task
that names a class: that vote); ``kind: linear-metric`` holds the settings of a linear metric, compared by cosine or by
PLDA. All may carry a ``provenance`` section. A plain configuration file without `kind` is a model without provenance.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from spectrosim_search.config.configuration import Configuration, Preprocessing, committee_identity
from spectrosim_search.config.errors import ConfigurationError, InputError, nearest
from spectrosim_search.config.fields import content_hash, field, plain

__all__ = [
    "ExportDocument",
    "Kind",
    "LinearMetric",
    "document_from_yaml",
    "document_to_yaml",
    "load_export",
    "simulator_of",
]

Kind = Literal["model", "committee", "linear-metric"]


_DEFAULT = Preprocessing()


@dataclass(frozen=True)
class LinearMetric:
    """PCA, whitening by the within-group covariance with shrinkage: fitted in one step, no training.

    Compared by cosine (the baselines `linear-metric`) or by the log likelihood ratio of PLDA (the baselines `plda`).
    """

    settings: Literal["tuned", "fixed", "given"] = field(
        "tuned",
        "tuned: preprocessing, components and shrinkage are chosen on inner grouped folds of the training spectra, as "
        "the reference row of a study does; fixed: those of the reference row with fixed settings; given: those below",
    )
    components: int = field(20, "principal components kept (settings: given)", low=1, high=100_000)
    shrinkage: float = field(
        0.1, "share of the within-group covariance replaced by its mean diagonal (settings: given)", low=0.0, high=1.0
    )
    preprocessing: Preprocessing = _DEFAULT  # settings: given
    comparison: Literal["cosine", "plda"] = field(
        "cosine", "how two spectra are compared: by cosine, or by the log likelihood ratio of one group against two"
    )

    @property
    def baseline(self) -> str:
        """Name of the reference row with these settings (tuned or fixed)."""
        name = "linear-metric" if self.comparison == "cosine" else "plda"
        return f"{name}-tuned" if self.settings == "tuned" else name

    def to_dict(self) -> dict[str, Any]:
        """Return the YAML form; what is decided elsewhere is left out, and so is the cosine: documents older than the
        choice keep their identity."""
        kept = [f.name for f in dataclasses.fields(self) if self.settings == "given" or f.name == "settings"]
        kept = [name for name in kept if name != "comparison"]
        compared = {} if self.comparison == "cosine" else {"comparison": self.comparison}
        return {**compared, **{name: plain(getattr(self, name)) for name in kept}}


@dataclass(frozen=True)
class ExportDocument:
    """What to train: `configuration` for ``kind: model``, `members` for ``kind: committee`` (two at least),
    `linear_metric` for the third kind; those not meant are empty."""

    kind: Kind
    configuration: Configuration | None = None
    linear_metric: LinearMetric | None = None
    members: tuple[Configuration, ...] = ()
    provenance: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        given = {
            "model": self.configuration is not None,
            "committee": bool(self.members),
            "linear-metric": self.linear_metric is not None,
        }
        if not given[self.kind] or sum(given.values()) != 1:
            raise InputError(f"a document of kind '{self.kind}' holds exactly what that kind needs")
        if self.kind == "committee" and len(self.members) < 2:
            raise InputError("a committee has two members at least: train one configuration as kind 'model'")
        tasks = {c.program.type if c.program is not None else "same-batch" for c in self.members}
        if len(tasks) > 1:
            raise InputError(f"the members of a committee are of several tasks ({', '.join(sorted(tasks))}): give one")
        if tasks == {"synthesis"}:
            raise InputError("made spectra are of one generator: task synthesis has no committee")

    @property
    def configurations(self) -> tuple[Configuration, ...]:
        """What is trained: the one of a model, those of a committee, none of a linear metric."""
        return self.members if self.configuration is None else (self.configuration,)

    @property
    def task(self) -> str:
        """The task that names a class which this document's program is of; empty for models of batches."""
        programs = [c.program.type for c in self.configurations if c.program is not None]
        return programs[0] if programs else ""

    def was_chosen_on(self, fingerprint: str) -> bool:
        """Whether what is trained was chosen on the very spectra of this fingerprint, which flatters it there."""
        return bool(self.provenance.get("data_fingerprint") == fingerprint)

    @property
    def identity(self) -> str:
        """Sixteen hexadecimal digits that name what is trained; the provenance is not part of it."""
        if self.configuration is not None:
            return self.configuration.identity
        if self.members:
            return committee_identity([c.identity for c in self.members])
        return content_hash({"kind": self.kind, "linear_metric": plain(self.linear_metric)})


def document_to_yaml(document: ExportDocument, header: str = "") -> str:
    """Write a document; `header` becomes comment lines at its top."""
    import yaml

    from spectrosim_search.search.documents.configurations import configuration_to_yaml

    lines = [f"# {line}".rstrip() for line in header.splitlines()]
    text = "\n".join(lines) + ("\n\n" if lines else "") + f"kind: {document.kind}\n\n"
    if document.configuration is not None:
        text += configuration_to_yaml(document.configuration)
    elif document.members:
        text += "members:\n" + "\n".join(_item(configuration_to_yaml(c)) for c in document.members)
    else:
        text += yaml.safe_dump({"linear_metric": plain(document.linear_metric)}, sort_keys=False)
    if document.provenance:
        provenance = {"provenance": plain(dict(document.provenance))}
        text += "\n" + yaml.safe_dump(provenance, sort_keys=False, width=110, allow_unicode=True)
    return text


def _item(text: str) -> str:
    """A mapping as an item of a list: its first line after a dash, the rest below it."""
    first, *rest = text.splitlines()
    return "\n".join([f"  - {first}", *(f"    {line}" if line else "" for line in rest)]) + "\n"


def document_from_yaml(text: str, where: str = "document") -> ExportDocument:
    """Read a document; raises ConfigurationError listing every mistake, each with its place."""
    from spectrosim_search.search.documents.configurations import configuration_from_mapping
    from spectrosim_search.search.documents.text import parse_yaml

    data = parse_yaml(text, where).data
    if not isinstance(data, Mapping):
        raise ConfigurationError([f"{where}: a document is a mapping of keys and values"])
    rest = dict(data)
    kind = rest.pop("kind", "model")
    provenance = rest.pop("provenance", None)
    provenance = {} if provenance is None else provenance
    if kind not in get_args(Kind):
        raise ConfigurationError([f"{where}: kind: unknown kind '{kind}'{nearest(str(kind), get_args(Kind))}"])
    if not isinstance(provenance, Mapping):
        raise ConfigurationError([f"{where}: provenance: is not a mapping of keys and values"])
    if kind == "model":
        return ExportDocument("model", configuration=configuration_from_mapping(rest, where), provenance=provenance)
    if kind == "committee":
        return ExportDocument("committee", members=_members(rest, where), provenance=provenance)
    return ExportDocument("linear-metric", linear_metric=_linear_metric(rest, where), provenance=provenance)


def _members(rest: Mapping[str, Any], where: str) -> tuple[Configuration, ...]:
    from spectrosim_search.search.documents.configurations import configuration_from_mapping

    problems = [f"{where}: {key}: unknown key{nearest(str(key), ['members'])}" for key in rest if key != "members"]
    given = rest.get("members")
    if not isinstance(given, list) or len(given) < 2:
        problems.append(f"{where}: members: a committee lists two configurations at least")
        raise ConfigurationError(problems)
    found: list[Configuration] = []
    for number, one in enumerate(given, 1):
        try:
            found.append(configuration_from_mapping(one, f"{where}: member {number}"))
        except ConfigurationError as error:
            problems += error.problems
    if problems:
        raise ConfigurationError(problems)
    return tuple(found)


def _linear_metric(rest: Mapping[str, Any], where: str) -> LinearMetric:
    from pydantic import BaseModel, ValidationError

    from spectrosim_search.search.documents.models import build, model_of, problems_of
    from spectrosim_search.search.documents.text import Document

    unknown = [
        f"{where}: {key}: unknown key{nearest(str(key), ['linear_metric'])}" for key in rest if key != "linear_metric"
    ]
    section = rest.get("linear_metric")
    if section is None:
        section = {}
    model = model_of(LinearMetric)
    try:
        checked = model.model_validate(section)
    except ValidationError as error:
        raise ConfigurationError(
            [*unknown, *problems_of(error, model, Document(section, f"{where}: linear_metric"))]
        ) from error
    found = build(LinearMetric, checked)
    if isinstance(found.preprocessing, BaseModel):  # the nested section is still in its checked form
        found = dataclasses.replace(found, preprocessing=build(Preprocessing, found.preprocessing))
    given = sorted(set(section) - {"settings", "comparison"})
    if found.settings != "given" and given:
        unknown.append(
            f"{where}: linear_metric: {', '.join(given)} only count with settings: given (here: {found.settings})"
        )
    if unknown:
        raise ConfigurationError(unknown)
    return found


def load_export(path: str | Path) -> ExportDocument:
    """Read a document from a file. Raises InputError where there is none, ConfigurationError listing every mistake in
    it."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"'{path}' cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"'{path}' is not a text file (UTF-8)") from error
    return document_from_yaml(text, where=str(path))


def simulator_of(document: ExportDocument) -> dict[str, Any]:
    """Fields of a `DataSource` that simulate what the study was asked of; empty where it read a file."""
    found = document.provenance.get("simulator")
    if not isinstance(found, Mapping) or "simulator" not in found:
        return {}
    rest = tuple(sorted((str(k), v) for k, v in found.items() if k != "simulator"))
    return {"simulator": str(found["simulator"]), "simulator_parameters": rest}
