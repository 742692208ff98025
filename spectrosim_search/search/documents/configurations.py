"""Configurations by dotted path, from YAML and to YAML.

In a configuration's paths an augmentation is a switch, ``augmentations.jitter: true``, with its settings below it,
``augmentations.jitter.strength``; in its YAML form it is a mapping that is there or not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from spectrosim_search.config.configuration import (
    Component,
    Configuration,
    Optimiser,
    Positives,
    Preprocessing,
    Scalar,
    Training,
)
from spectrosim_search.config.errors import ConfigurationError, InputError, nearest
from spectrosim_search.config.presets import preset
from spectrosim_search.search.documents.catalogue import (
    AUGMENTATIONS,
    COMPONENTS,
    DEFAULT_TYPES,
    FAMILIES,
    SECTIONS,
    Place,
    family_of,
    member_names,
    near,
    places,
)
from spectrosim_search.search.documents.text import Document, parse_yaml, scalar_text

__all__ = [
    "configuration_from_mapping",
    "configuration_from_paths",
    "configuration_from_yaml",
    "configuration_paths",
    "configuration_to_yaml",
    "contradictions",
    "flatten",
    "load_preset",
    "place_for",
]


def place_for(path: str, owner: str = "") -> Place | None:
    """The place of a path, of the member `owner` where several members have it; None where there is none."""
    found = places().get(path, ())
    return next((p for p in found if p.owner in ("", owner)), None)


def configuration_paths(configuration: Configuration) -> dict[str, Scalar]:
    """Every dotted path of a configuration with its value; augmentations that are off are left out."""
    found: dict[str, Scalar] = {}
    for section, value in configuration.to_dict().items():
        for name, inner in value.items():
            if section == AUGMENTATIONS:
                found[f"{section}.{name}"] = True
                found.update({f"{section}.{name}.{k}": v for k, v in inner.items()})
            else:
                found[f"{section}.{name}"] = inner
    return found


def configuration_from_paths(values: Mapping[str, Scalar]) -> Configuration:
    """Build a configuration from dotted paths; what is not given has its default.

    Settings of members that are not chosen (``head.width`` with the linear head, ``augmentations.flip.probability``
    with flip off) are ignored: a base may serve several members. Raises ConfigurationError with every problem:
    unknown path, value that does not fit, settings that contradict each other.
    """
    problems: list[str] = []
    types = {family: str(values.get(f"{family}.type", DEFAULT_TYPES[family])) for family in COMPONENTS}
    sections: dict[str, dict[str, Any]] = {name: {} for name in (*SECTIONS, *COMPONENTS)}
    switched = [m for m in member_names(AUGMENTATIONS) if values.get(f"{AUGMENTATIONS}.{m}") is True]
    augmentations: dict[str, dict[str, Any]] = {m: {} for m in switched}
    for path, value in values.items():
        section, _, rest = path.partition(".")
        owner = rest.partition(".")[0] if section == AUGMENTATIONS else types.get(section, "")
        place = place_for(path, owner)
        if place is None:
            if path not in places():
                problems.append(f"{path}: unknown key{near(path)}")
            continue
        if problem := place.problem(value):
            problems.append(f"{path}: {problem}")
        elif section != AUGMENTATIONS:
            sections[section][rest] = place.coerce(value)
        elif "." in rest and owner in augmentations:
            augmentations[owner][rest.partition(".")[2]] = place.coerce(value)
    components: dict[str, Component] = {}
    chosen: list[Component] = []
    if not problems:
        for family in COMPONENTS:
            _resolve(family, {**sections[family], "type": types[family]}, problems, components)
        for name, parameters in augmentations.items():
            resolved: dict[str, Component] = {}
            _resolve(AUGMENTATIONS, {**parameters, "type": name}, problems, resolved)
            chosen.extend(resolved.values())
    if problems:
        raise ConfigurationError(problems)
    configuration = Configuration(
        preprocessing=Preprocessing(**sections["preprocessing"]),
        encoder=components["encoder"],
        head=components["head"],
        objective=components["objective"],
        augmentations=tuple(sorted(chosen, key=lambda a: a.type)),
        positives=Positives(**sections["positives"]),
        optimiser=Optimiser(**sections["optimiser"]),
        training=Training(**sections["training"]),
        program=None if components["program"].type == DEFAULT_TYPES["program"] else components["program"],
    )
    if problems := contradictions(configuration):
        raise ConfigurationError(problems)
    return configuration


def _resolve(family: str, mapping: dict[str, Any], problems: list[str], into: dict[str, Component]) -> None:
    from spectrosim_search.learning.components import resolve  # torch is imported here and not before

    try:
        into[family] = resolve(family, mapping, FAMILIES[family])
    except ConfigurationError as error:
        problems.extend(error.problems)


def contradictions(configuration: Configuration) -> list[str]:
    """Settings that each are allowed and cannot hold together, one line each."""
    found: list[str] = []
    pre, positives, training = configuration.preprocessing, configuration.positives, configuration.training
    if pre.derivative and pre.window % 2 == 0:
        found.append(
            f"preprocessing.window: {pre.window} is even; a Savitzky-Golay window is odd: use {pre.window + 1}"
        )
    if positives.source != "views" and positives.spectra_per_group > training.batch_size:
        found.append(
            f"positives.spectra_per_group: {positives.spectra_per_group} spectra of a group do not fit into "
            f"training.batch_size {training.batch_size}: lower the one or raise the other"
        )
    if configuration.program is not None and configuration.program.type == "identify":
        gallery = "but identify compares embeddings with its gallery by cosine alone"
        if training.comparison != "cosine":
            found.append(f"training.comparison: {training.comparison}, {gallery}: use cosine")
        if training.comparison_neighbours:
            found.append(f"training.comparison_neighbours: {training.comparison_neighbours}, {gallery}: use 0")
    return found


def flatten(mapping: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """Dotted paths of nested or already dotted keys; an augmentation given as a mapping is switched on.

    ``{"encoder": {"width": 64}, "augmentations": {"flip": {}}}`` → ``{"encoder.width": 64, "augmentations.flip":
    True}``.
    """
    found: dict[str, Any] = {}
    for key, value in mapping.items():
        path = f"{where}.{key}" if where else str(key)
        parts = path.split(".")
        is_augmentation = parts[0] == AUGMENTATIONS and len(parts) == 2
        if value is None and is_augmentation:  # ``flip:`` with nothing below it
            found[path] = True
        elif isinstance(value, Mapping) and len(parts) < 3:
            if is_augmentation:
                found[path] = True
            found.update(flatten(value, path))
        else:
            found[path] = value
    return found


def configuration_from_mapping(data: Any, where: str = "configuration") -> Configuration:
    """Validate the plain form of a configuration (as `Configuration.to_dict` gives it; sections may be left out).

    Raises ConfigurationError with every problem at once: unknown sections, keys, members, settings, values outside
    their limits, contradictions.
    """
    return _from_document(Document(data, where))


def configuration_from_yaml(text: str, where: str = "configuration") -> Configuration:
    """Read a configuration from YAML. Raises ConfigurationError with every problem, each with its line."""
    return _from_document(parse_yaml(text, where))


def _from_document(document: Document) -> Configuration:
    data = document.data
    if not isinstance(data, Mapping):
        raise ConfigurationError(
            [f"{document.where}: a configuration is a mapping with the sections {', '.join(_ORDER)}"]
        )
    problems: list[str] = []
    values: dict[str, Any] = {}
    for section, content in data.items():
        place = document.place((section,))
        if section not in _ORDER:
            problems.append(f"{place}: unknown section{nearest(str(section), _ORDER)}")
        elif section == AUGMENTATIONS and content is None:
            continue
        elif not isinstance(content, Mapping):
            problems.append(f"{place}: is not a mapping of keys and values")
        else:
            values.update(flatten(content, str(section)))
    types = {family: values.get(f"{family}.type", DEFAULT_TYPES[family]) for family in COMPONENTS}
    for path, value in values.items():
        if problem := _misplaced(path, value, types):
            problems.append(f"{document.place(tuple(path.split('.')))}: {problem}")
    if problems:
        raise ConfigurationError(problems)
    try:
        return configuration_from_paths(values)
    except ConfigurationError as error:
        raise ConfigurationError([f"{document.where}: {problem}" for problem in error.problems]) from error


def _misplaced(path: str, value: Any, types: Mapping[str, Any]) -> str:
    """What is wrong with one entry of a configuration document, where no setting may be idle."""
    family = family_of(path)
    parts = path.split(".")
    if family == AUGMENTATIONS and len(parts) == 2:
        if parts[1] not in member_names(family):
            return f"unknown augmentation{nearest(parts[1], member_names(family))}"
        return (
            "" if value is True else "is not a mapping of keys and values (leave an augmentation out to switch it off)"
        )
    if family == AUGMENTATIONS and parts[1] not in member_names(family):
        return ""  # said once, at the augmentation itself
    owner = parts[1] if family == AUGMENTATIONS else str(types.get(family, ""))
    if family in COMPONENTS and parts[-1] != "type" and owner not in member_names(family):
        return ""  # said once, at the type
    place = place_for(path, owner)
    if place is None:
        siblings = [
            p.rsplit(".", 1)[1]
            for p in places()
            if p.rsplit(".", 1)[0] == path.rsplit(".", 1)[0] and place_for(p, owner)
        ]
        whose = f" of {family.removesuffix('s')} {owner}" if family else ""
        return f"unknown key{whose}{nearest(parts[-1], siblings)}"
    return place.problem(value)


_ORDER = tuple(f.name for f in dataclasses.fields(Configuration))


def configuration_to_yaml(configuration: Configuration, header: str = "") -> str:
    """Write a configuration with meaning and unit of every key; reading it back gives an equal one, hash included."""
    lines = [f"# {line}".rstrip() for line in header.splitlines()]
    for section, content in configuration.to_dict().items():
        lines.append("")
        lines.append(f"{section}:" if content else f"{section}: {{}}")
        if section == AUGMENTATIONS:
            for name, parameters in content.items():
                lines.append(f"  {name}:" if parameters else f"  {name}: {{}}")
                lines.extend(_entries(parameters, f"{section}.{name}", name, "    "))
        else:
            lines.extend(_entries(content, section, str(content.get("type", "")), "  "))
    return "\n".join(lines).lstrip("\n") + "\n"


def _entries(values: Mapping[str, Scalar], prefix: str, owner: str, indent: str) -> list[str]:
    lines = []
    for name, value in sorted(values.items(), key=lambda item: item[0] != "type"):
        place = place_for(f"{prefix}.{name}", owner)
        unit = f" [{place.unit}]" if place and place.unit else ""
        comment = f"  # {place.description}{unit}" if place and place.description else ""
        lines.append(f"{indent}{name}: {scalar_text(value)}{comment}")
    return lines


def load_preset(name: str) -> Configuration:
    """A published setting as a configuration. Raises InputError with the nearest known name."""
    try:
        return configuration_from_mapping(preset(name), f"preset {name}")
    except ConfigurationError as error:
        raise InputError(f"preset '{name}' no longer fits this version: {error}") from error
