"""Validation of plain data against frozen dataclasses: pydantic models made from their fields, all problems at once.

The dataclasses in `config` know nothing of pydantic. Each becomes a model that forbids unknown keys, takes no value
of another type (``"3"`` is not 3, ``true`` is not 1) and checks the limits that stand in the field's metadata.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import typing
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    Strict,
    ValidationError,
    WithJsonSchema,
    create_model,
)
from pydantic_core import PydanticCustomError

from spectrosim_search.config.errors import nearest
from spectrosim_search.search.documents.text import Document

__all__ = ["StrictScalar", "build", "model_of", "problems_of", "strict"]

T = TypeVar("T")

StrictBool = Annotated[bool, Strict()]
StrictInt = Annotated[int, Strict()]
StrictFloat = Annotated[float, Strict(), Field(allow_inf_nan=False)]
StrictText = Annotated[str, Strict()]


def _scalar(value: Any) -> Any:
    if not isinstance(value, (bool, int, float, str)) or value != value:
        raise PydanticCustomError("scalar", "is not a number, a text, true or false")
    return value


# one rule instead of a union of four, so that a mistake is told once
StrictScalar = Annotated[Any, AfterValidator(_scalar), WithJsonSchema({"type": ["boolean", "number", "string"]})]
_STRICT: Mapping[Any, Any] = {bool: StrictBool, int: StrictInt, float: StrictFloat, str: StrictText}
_WORDS = {
    "missing": "is missing",
    "invalid_key": "is no key: keys are words",
    "scalar": "is not a number, a text, true or false",
    "int_type": "is not a whole number",
    "int_from_float": "is not a whole number",
    "float_type": "is not a number",
    "bool_type": "is not true or false",
    "string_type": "is not text (put it in quotes if it should be)",
    "list_type": "is not a list",
    "tuple_type": "is not a list",
    "dict_type": "is not a mapping of keys and values",
    "model_type": "is not a mapping of keys and values",
    "model_attributes_type": "is not a mapping of keys and values",
    "finite_number": "is not a finite number",
}


def strict(hint: Any) -> Any:
    """The strict form of a type hint: scalars without conversion, tuples as lists, dataclasses as models."""
    if hint in _STRICT:
        return _STRICT[hint]
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return model_of(hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        inner = arguments[0]
        if get_origin(inner) is tuple:  # pairs of (name, value): a mapping in a document
            return dict[StrictText, StrictScalar]
        return list[strict(inner)]  # type: ignore[misc]  # built at run time from the dataclass's own hint
    return hint


@functools.cache
def model_of(cls: type) -> type[BaseModel]:
    """Make the pydantic model of a frozen dataclass whose fields carry limits, units and descriptions."""
    hints = get_type_hints(cls)
    definitions: dict[str, Any] = {}
    for f in dataclasses.fields(cls):
        meta = f.metadata
        unit = f" [{meta['unit']}]" if meta.get("unit") else ""
        default: Any = f.default if f.default is not dataclasses.MISSING else ...
        if get_origin(hints[f.name]) is tuple:
            inner = get_args(hints[f.name])[0]
            default = dict(default) if get_origin(inner) is tuple else list(default)
        definitions[f.name] = (
            strict(hints[f.name]),
            Field(
                default,
                description=f"{meta.get('description', '')}{unit}" or None,
                ge=meta.get("low"),
                le=meta.get("high"),
            ),
        )
    return create_model(
        cls.__name__, __config__=ConfigDict(extra="forbid"), __doc__=(cls.__doc__ or "").splitlines()[0], **definitions
    )


def build(cls: type[T], model: BaseModel) -> T:
    """Turn a validated model into its frozen dataclass: lists to tuples, mappings to sorted pairs."""
    values: dict[str, Any] = {}
    for f in dataclasses.fields(typing.cast(Any, cls)):
        value = getattr(model, f.name)
        if isinstance(value, dict):
            value = tuple(sorted(value.items()))
        elif isinstance(value, list):
            value = tuple(value)
        values[f.name] = value
    return cls(**values)


def problems_of(error: ValidationError, model: type[BaseModel], document: Document) -> list[str]:
    """One line a mistake: place, what is wrong, the nearest known name."""
    lines: list[str] = []
    for problem in error.errors(include_url=False):
        location = tuple(problem["loc"])
        line = f"{document.place(_document_location(location, document.data))}: {_words(problem, model, location)}"
        if line not in lines:
            lines.append(line)
    return lines


def _document_location(location: Sequence[str | int], data: Any) -> tuple[str | int, ...]:
    """The part of pydantic's location that exists in the document: it adds the names of union members."""
    found: list[str | int] = []
    for i, part in enumerate(location):
        inside = (isinstance(data, Mapping) and part in data) or (
            isinstance(data, list) and isinstance(part, int) and part < len(data)
        )
        if inside:
            found.append(part)
            data = data[part]
        elif i == len(location) - 1 and isinstance(data, Mapping):
            found.append(part)
    return tuple(found)


def _words(problem: Any, model: type[BaseModel], location: tuple[str | int, ...]) -> str:
    kind, value, context = problem["type"], problem["input"], problem.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key{nearest(str(location[-1]), _known_keys(model, location[:-1]))}"
    if kind == "literal_error":
        options = [part.strip(" '") for part in str(context["expected"]).replace(" or ", ", ").split(",")]
        return f"{value!r} is unknown{nearest(str(value), options)}"
    if kind in ("greater_than_equal", "greater_than"):
        return f"{value} is below the smallest value {context.get('ge', context.get('gt')):g}"
    if kind in ("less_than_equal", "less_than"):
        return f"{value} is above the largest value {context.get('le', context.get('lt')):g}"
    if kind == "missing":
        return _WORDS[kind]
    return f"{value!r} {_WORDS[kind]}" if kind in _WORDS else f"{value!r}: {problem['msg']}"


def _known_keys(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    """Keys of the model that stands at `location`."""
    current: Any = model
    for part in location:
        candidates = _models_in(current.model_fields[part].annotation) if _has(current, part) else []
        if not candidates:
            # a mapping's key or a list's index: the annotation found last already names the model inside
            continue
        current = candidates[0]
    return list(current.model_fields)


def _has(model: Any, part: str | int) -> bool:
    return isinstance(part, str) and part in getattr(model, "model_fields", {})


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) is Literal:
        return []
    return [found for argument in get_args(annotation) for found in _models_in(argument)]
