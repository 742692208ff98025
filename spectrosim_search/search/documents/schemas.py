"""JSON Schemas of the documents, for editors: completion, meanings, limits.

They are made from the same dataclasses, settings and models that validate. After a component was added:
``python -m spectrosim_search.search.documents schemas``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from spectrosim_search.search.documents.catalogue import (
    AUGMENTATIONS,
    COMPONENTS,
    DEFAULT_TYPES,
    SECTIONS,
    Place,
    member_names,
    places,
)
from spectrosim_search.search.documents.spaces import SpaceDocument
from spectrosim_search.search.documents.studies import study_document_model

__all__ = ["schema_text", "schemas", "write_schemas"]

Schema = dict[str, Any]
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_KINDS = {"bool": "boolean", "int": "integer", "float": "number", "str": "string"}


def schemas() -> dict[str, Schema]:
    """File name → schema of ``study``, ``space`` and ``configuration`` documents."""
    return {
        "study.schema.json": _study(),
        "space.schema.json": _space(),
        "configuration.schema.json": _configuration(),
    }


def schema_text(schema: Schema) -> str:
    """The text that is written to disk."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def write_schemas(folder: Path) -> list[Path]:
    """Write all schemas and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, schema in schemas().items():
        (folder / name).write_text(schema_text(schema), encoding="utf-8")
        written.append(folder / name)
    return written


def _place(place: Place) -> Schema:
    unit = f" [{place.unit}]" if place.unit else ""
    schema: Schema = {"type": _KINDS[place.kind], "description": place.description + unit, "default": place.default}
    if place.options:
        schema["enum"] = list(place.options)
    if place.low is not None:
        schema["minimum"] = place.low
    if place.high is not None:
        schema["maximum"] = place.high
    return schema


def _values() -> dict[str, Schema]:
    """Every dotted key with what may stand there; the union where several members share it."""
    found: dict[str, Schema] = {}
    for path, shared in places().items():
        forms = [_place(place) for place in shared]
        found[path] = forms[0] if all(form == forms[0] for form in forms) else {"anyOf": forms}
    return found


def _object(properties: dict[str, Schema], description: str = "", **more: Any) -> Schema:
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False, **more}
    return {"description": description, **schema} if description else schema


def _member(prefix: str, owner: str) -> dict[str, Schema]:
    """Settings of one member, by name."""
    return {
        path.rsplit(".", 1)[1]: _place(place)
        for path, shared in places().items()
        if path.rsplit(".", 1)[0] == prefix
        for place in shared
        if place.owner == owner and owner
    }


def _component(family: str) -> Schema:
    if family == "program":  # a study's task says which
        members = [_object({"type": {"const": name}, **_member(family, name)}) for name in member_names(family)]
        return {"description": places()[f"{family}.type"][0].description, "anyOf": members}
    members = [
        _object({"type": {"const": name}, **_member(family, name)}, required=["type"]) for name in member_names(family)
    ]
    default = _object(_member(family, DEFAULT_TYPES[family]), f"without a type: {DEFAULT_TYPES[family]}")
    return {"description": places()[f"{family}.type"][0].description, "anyOf": [*members, default]}


def _sections() -> dict[str, Schema]:
    sections: dict[str, Schema] = {}
    for name, cls in SECTIONS.items():
        inner = {p.split(".")[1]: _place(found[0]) for p, found in places().items() if p.startswith(f"{name}.")}
        sections[name] = _object(inner, (cls.__doc__ or "").splitlines()[0])
    for family in COMPONENTS:
        sections[family] = _component(family)
    augmentations = {
        name: {**_object(_member(f"{AUGMENTATIONS}.{name}", name)), "type": ["object", "null"]}
        for name in member_names(AUGMENTATIONS)
    }
    sections[AUGMENTATIONS] = {
        **_object(augmentations, "augmentations that make views; leave one out to switch it off"),
        "type": ["object", "null"],
    }
    return {name: sections[name] for name in _ORDER}


_ORDER = (
    "preprocessing",
    "encoder",
    "head",
    "objective",
    "augmentations",
    "positives",
    "optimiser",
    "training",
    "program",
)


def _configuration() -> Schema:
    return {"$schema": _DIALECT, "title": "Configuration", **_object(_sections())}


def _assignments(description: str) -> Schema:
    """Values by dotted or nested key: what ``base``, ``fixed`` and ``known_good`` hold."""
    return {"description": description, "$ref": "#/$defs/Assignments"}


def _vary(description: str) -> Schema:
    entry: Schema = {"$ref": "#/$defs/Vary"}
    return _object(
        {path: {"description": found[0].description, **entry} for path, found in places().items()}, description
    )


def _shared(schema: Schema) -> None:
    """Put what several keys refer to into the schema's definitions."""
    schema["$defs"]["Vary"] = {
        "anyOf": [
            {"$ref": "#/$defs/VaryEntry"},
            {"type": "string", "description": "low..high, low..high:log, low..high:step=2, a|b|c or {a,b,c}"},
            {"type": "array", "items": {"type": ["boolean", "number", "string"]}, "minItems": 1},
        ]
    }
    schema["$defs"]["Assignments"] = _object({**_values(), **_sections()})


def _trimmed(schema: Schema) -> Schema:
    """Take pydantic's generated titles out; they repeat the keys."""

    def walk(node: Any, inside_properties: bool = False) -> Any:
        if isinstance(node, dict):
            return {
                k: walk(v, k in ("properties", "$defs") and not inside_properties)
                for k, v in node.items()
                if inside_properties or not (k == "title" and isinstance(v, str))
            }
        return [walk(item) for item in node] if isinstance(node, list) else node

    trimmed: Schema = walk(schema)
    return trimmed


def _space() -> Schema:
    schema = _trimmed(SpaceDocument.model_json_schema())
    _shared(schema)
    properties = schema["properties"]
    properties["vary"] = _vary(properties["vary"]["description"])
    properties["fixed"] = _assignments(properties["fixed"]["description"])
    return {"$schema": _DIALECT, "title": "Search space", **schema}


def _study() -> Schema:
    schema = _trimmed(study_document_model().model_json_schema())
    _shared(schema)
    properties = schema["properties"]
    properties["vary"] = _vary(properties["vary"]["description"])
    for key in ("base", "fixed"):
        properties[key] = _assignments(properties[key]["description"])
    properties["known_good"]["items"] = _assignments("one configuration")
    properties["climb"]["items"] = _assignments("one way on")
    return {"$schema": _DIALECT, "title": "Study", **schema}
