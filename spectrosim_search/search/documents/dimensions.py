"""From what a document says of one key to a `Dimension`: kind, limits, conditions; the short form of ``--vary``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Strict, Tag, WithJsonSchema
from pydantic_core import PydanticCustomError

from spectrosim_search.config.configuration import Scalar
from spectrosim_search.config.errors import ConfigurationError
from spectrosim_search.config.study import Dimension
from spectrosim_search.search.documents.catalogue import AUGMENTATIONS, COMPONENTS, Place, family_of, near, places
from spectrosim_search.search.documents.models import StrictBool, StrictScalar, StrictText
from spectrosim_search.search.documents.text import parse_scalar

__all__ = ["VaryEntry", "VarySection", "dimension", "domain_problem", "owners", "same_range", "short_form", "switch_of"]

Number = int | float
Finite = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Step = Annotated[float, Strict(), Field(allow_inf_nan=False, gt=0)]


_ALLOWED = {"type": ["boolean", "number", "string", "array"], "items": {"type": ["boolean", "number", "string"]}}


def _allowed(value: Any) -> Any:
    """The values of a condition: one, or a list of them."""
    if not all(isinstance(item, (bool, int, float, str)) for item in (value if isinstance(value, list) else [value])):
        raise PydanticCustomError("scalar", "is not a value or a list of values")
    return value


class VaryEntry(BaseModel):
    """What may vary at one place: a list of choices, or a range."""

    model_config = ConfigDict(extra="forbid")

    choices: Annotated[list[StrictScalar] | None, Field(description="the values to choose from", min_length=1)] = None
    low: Annotated[Finite | None, Field(description="smallest value")] = None
    high: Annotated[Finite | None, Field(description="largest value, included")] = None
    log: Annotated[StrictBool, Field(description="search on a logarithmic scale")] = False
    step: Annotated[Step | None, Field(description="distance of neighbouring values")] = None
    when: Annotated[
        dict[str, Annotated[Any, AfterValidator(_allowed), WithJsonSchema(_ALLOWED)]],
        Field(description="varies only where the keys named here have one of the values given"),
    ] = Field(default_factory=dict)
    description: Annotated[StrictText, Field(description="what the key does and why this range")] = ""


def _form(value: Any) -> str:
    return "short" if isinstance(value, str) else "list" if isinstance(value, list) else "entry"


# told apart by form, so that a mistake is judged by the form it was written in
VarySection = dict[
    str,
    Annotated[
        Annotated[VaryEntry, Tag("entry")]
        | Annotated[StrictText, Tag("short")]
        | Annotated[list[StrictScalar], Tag("list"), Field(min_length=1)],
        Discriminator(_form),
    ],
]


def short_form(text: str, where: str) -> VaryEntry:
    """Read ``0.02..1:log``, ``1..4``, ``8..64:step=8``, ``{a,b}``, ``a|b``. Raises ConfigurationError."""
    text = text.strip()
    if (text.startswith("{") and text.endswith("}")) or (text.startswith("[") and text.endswith("]")):
        return VaryEntry(choices=[_choice(part, where) for part in _parts(text[1:-1], ",", where)])
    if ".." not in text:
        return VaryEntry(choices=[_choice(part, where) for part in _parts(text, "|", where)])
    low_text, _, rest = text.partition("..")
    high_text, *options = rest.split(":")
    values: dict[str, Any] = {"low": _number(low_text, where), "high": _number(high_text, where)}
    for option in options:
        name, _, value = option.partition("=")
        if name.strip() == "log" and not value:
            values["log"] = True
        elif name.strip() == "step" and value:
            values["step"] = _number(value, where)
        else:
            raise ConfigurationError([f"{where}: unknown option ':{option}' (known: :log, :step=NUMBER)"])
    if "step" in values and values["step"] <= 0:
        raise ConfigurationError([f"{where}: a step has to be above 0"])
    return VaryEntry(**values)


def _parts(text: str, separator: str, where: str) -> list[str]:
    parts = [part.strip() for part in text.split(separator)]
    if not all(parts):
        raise ConfigurationError(
            [f"{where}: an empty choice in '{text}': write low..high, low..high:log, a|b|c or {{a,b,c}}"]
        )
    return parts


def _choice(text: str, where: str) -> Scalar:
    value = parse_scalar(text, where)
    if not isinstance(value, (bool, int, float, str)) or value != value:
        raise ConfigurationError([f"{where}: the choice '{text}' is not a number, a text, true or false"])
    return value


def _number(text: str, where: str) -> Number:
    value = parse_scalar(text.strip(), where)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value - value != 0:
        raise ConfigurationError([f"{where}: '{text.strip()}' is not a number: write low..high, e.g. 0.02..1:log"])
    return value


def owners(path: str) -> tuple[str, ...]:
    """Members of a family that have this setting; empty for places that always exist."""
    return tuple(place.owner for place in places().get(path, ()) if place.owner)


def switch_of(path: str) -> str:
    """The path that decides whether this one exists: ``head.type``, ``augmentations.jitter``; empty: it always does."""
    family = family_of(path)
    if family in COMPONENTS:
        return "" if path == f"{family}.type" else f"{family}.type"
    if family == AUGMENTATIONS and path.count(".") == 2:
        return path.rpartition(".")[0]
    return ""


def dimension(path: str, entry: VaryEntry, where: str) -> Dimension:
    """Make the dimension of one place. Raises ConfigurationError with every problem of this entry."""
    known = places().get(path)
    if not known:
        raise ConfigurationError([f"{where}: unknown key '{path}'{near(path)}"])
    found = sorted(known, key=lambda p: not _meant(p, entry))  # members may share a name and not its kind
    place = found[0]
    when = tuple(
        (key, tuple(allowed) if isinstance(allowed, list) else (allowed,)) for key, allowed in entry.when.items()
    )
    problems = [f"{where}: when: unknown key '{key}'{near(key)}" for key, _ in when if key not in places()]
    problems += [
        f"{where}: when {key}: {problem}"
        for key, allowed in when
        if key in places()
        for value in allowed
        if (problem := places()[key][0].problem(value))
    ]
    ranged = entry.low is not None or entry.high is not None
    if entry.choices is not None and (ranged or entry.log or entry.step is not None):
        problems.append(f"{where}: has choices and a range: give one of them")
    elif entry.choices is not None:
        problems += _choice_problems(entry.choices, found, where)
    elif entry.low is None or entry.high is None:
        problems.append(f"{where}: needs choices, or low and high")
    else:
        problems += _range_problems(entry, entry.low, entry.high, found, where)
    if problems:
        raise ConfigurationError(problems)
    description = entry.description or place.description
    if entry.choices is not None:
        choices = tuple(place.coerce(value) for value in entry.choices)
        return Dimension(path, "categorical", choices=choices, when=when, description=description)
    return Dimension(
        path,
        "int" if place.kind == "int" else "float",
        low=float(entry.low or 0.0),
        high=float(entry.high or 0.0),
        log=entry.log,
        step=float(entry.step or 0.0),
        when=when,
        description=description,
    )


def _meant(place: Place, entry: VaryEntry) -> bool:
    """Whether an entry has the form that a place takes."""
    if entry.choices is not None:
        return not any(place.problem(value) for value in entry.choices)
    return place.kind in ("int", "float")


def _fits_one(value: Scalar, found: Sequence[Place]) -> str:
    """Why a value fits no member that has the place; empty where it fits one."""
    problems = [place.problem(value) for place in found]
    return "" if "" in problems else problems[0]


def _choice_problems(choices: Sequence[Scalar], found: Sequence[Place], where: str) -> list[str]:
    problems = [f"{where}: {problem}" for value in choices if (problem := _fits_one(value, found))]
    if not problems:
        coerced = [found[0].coerce(value) for value in choices]
        problems += [f"{where}: the choice {v} stands twice" for i, v in enumerate(coerced) if v in coerced[:i]]
    return problems


def _range_problems(entry: VaryEntry, low: float, high: float, found: Sequence[Place], where: str) -> list[str]:
    kind = found[0].kind
    if kind in ("bool", "str"):
        known = ", ".join(found[0].options) or "true, false"
        return [f"{where}: takes no range: give choices ({known})"]
    problems = [f"{where}: {problem}" for value in (low, high) if (problem := _fits_one(value, found))]
    if low > high:
        problems.append(f"{where}: low {low:g} is above high {high:g}")
    if entry.log and low <= 0:
        problems.append(f"{where}: a logarithmic range has to start above 0, not at {low:g}")
    if entry.log and entry.step is not None:
        problems.append(f"{where}: a logarithmic range has no step: leave one of them out")
    if entry.step is not None and kind == "int" and entry.step != int(entry.step):
        problems.append(f"{where}: the step {entry.step:g} is not a whole number")
    if entry.step is not None and not problems:
        count = (high - low) / entry.step
        if abs(count - round(count)) > 1e-9:
            problems.append(f"{where}: {high:g} cannot be reached from {low:g} in steps of {entry.step:g}")
    return problems


def same_range(a: Dimension, b: Dimension) -> bool:
    """Whether two dimensions ask for the same; descriptions may differ."""
    return replace(a, description="") == replace(b, description="")


def domain_problem(dim: Dimension, value: Scalar) -> str:
    """Why a value lies outside a dimension; empty where it lies inside."""
    if dim.kind == "categorical":
        return (
            ""
            if any(type(c) is type(value) and c == value for c in dim.choices)
            else (f"{value!r} is not among {', '.join(map(str, dim.choices))}")
        )
    number = float(value) if not isinstance(value, str) else float("nan")
    if not dim.low <= number <= dim.high:
        return f"{value} lies outside {dim.low:g}..{dim.high:g}"
    if dim.step and abs((number - dim.low) / dim.step - round((number - dim.low) / dim.step)) > 1e-9:
        return f"{value} is no step of {dim.step:g} from {dim.low:g}"
    return ""
