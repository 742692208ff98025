"""YAML text to plain data and scalars back to text.

Documents are read by a safe loader with the core schema of YAML 1.2 in place of PyYAML's 1.1: ``1e-3`` is a number,
``on`` and ``no`` are words, dates stay text, ``010`` is ten. A key that stands twice in one mapping is an error.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from spectrosim_search.config.errors import ConfigurationError, InputError

__all__ = ["Document", "parse_scalar", "parse_yaml", "scalar_text"]

_RESOLVERS: tuple[tuple[str, str, str], ...] = (
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("tag:yaml.org,2002:int", r"[-+]?[0-9]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "tag:yaml.org,2002:float",
        r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+0123456789.",
    ),
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", "~nN\0"),
    ("tag:yaml.org,2002:merge", r"<<", "<"),
)
_PLAIN_TEXT = re.compile(r"[A-Za-z][A-Za-z0-9_./+-]*")
_WORDS_OF_OTHER_TYPES = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


class _Loader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2 scalars; constructs nothing but dict, list, str, int, float, bool and None."""


_Loader.yaml_implicit_resolvers = {}  # none of YAML 1.1's
for _tag, _pattern, _first in _RESOLVERS:
    # resolvers are looked up by the first character; the empty scalar has the key ""
    _keys = [c if c != "\0" else "" for c in _first]
    _Loader.add_implicit_resolver(_tag, re.compile(rf"^(?:{_pattern})$"), _keys)


def _construct_int(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    return int(text, 16) if text.lower().startswith("0x") else int(text)


def _construct_float(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    text = str(loader.construct_scalar(node)).lower()
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _construct_float)


@dataclass(frozen=True)
class Document:
    """Plain data of one YAML text with the line each key stands in, so that messages can say where."""

    data: Any
    where: str
    lines: dict[tuple[str | int, ...], int] = field(default_factory=dict, compare=False)
    joint: str = ", "  # between the parts of a place

    def place(self, location: tuple[str | int, ...]) -> str:
        """Return ``file, line 12, a.b``: the file, the nearest known line and the dotted path."""
        line = next((self.lines[location[:n]] for n in range(len(location), 0, -1) if location[:n] in self.lines), 0)
        dotted = ".".join(str(part) for part in location)
        return self.joint.join(part for part in (self.where, f"line {line}" if line else "", dotted) if part)


def parse_yaml(text: str, where: str) -> Document:
    """Read one YAML document. Raises ConfigurationError for broken YAML (with its line) and repeated keys (all)."""
    loader: _Loader | None = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return Document(None, where)
        lines: dict[tuple[str | int, ...], int] = {}
        problems: list[str] = []
        _walk(node, (), where, lines, problems, set())
        if problems:
            raise ConfigurationError(problems)
        return Document(loader.construct_document(node), where, lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise ConfigurationError([f"{where}{line}: not valid YAML: {error.problem or error.context}"]) from error
    except yaml.reader.ReaderError as error:
        raise ConfigurationError([f"{where}: not valid YAML: {error.reason} at character {error.position}"]) from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise ConfigurationError([f"{where}: not valid YAML: {error}"]) from error
    finally:
        if loader is not None:
            loader.dispose()


def _walk(
    node: yaml.Node,
    location: tuple[str | int, ...],
    where: str,
    lines: dict[tuple[str | int, ...], int],
    problems: list[str],
    open_nodes: set[int],
) -> None:
    """Note the line of every key, refuse repeated keys, keys that are not scalars, and anchors."""
    if id(node) in open_nodes:
        problems.append(f"{where}, line {node.start_mark.line + 1}: aliases (*name) are not supported here")
        return
    open_nodes.add(id(node))
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                problems.append(f"{where}, line {line}: a key has to be one word")
                continue
            if key.value in seen:
                dotted = ".".join(str(part) for part in (*location, key.value))
                problems.append(f"{where}, line {line}: '{dotted}' stands twice (first in line {seen[key.value]})")
                continue
            seen[key.value] = line
            lines[(*location, key.value)] = line
            _walk(value, (*location, key.value), where, lines, problems, open_nodes)
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            lines[(*location, i)] = value.start_mark.line + 1
            _walk(value, (*location, i), where, lines, problems, open_nodes)


def parse_scalar(text: str, where: str) -> Any:
    """Read the value of a command-line option the way YAML reads it: ``1e-3``, ``true``, ``mlp``, ``[1, 3]``."""
    return parse_yaml(text, where).data


def scalar_text(value: bool | int | float | str) -> str:
    """Write one scalar so that :func:`parse_scalar` gives back exactly the same value and type."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InputError(f"{value} cannot stand in a document: every number has to be finite")
        digits, e, exponent = repr(value).partition("e")
        # 1e-05 is a text to readers of YAML 1.1; 1.0e-05 is a number to all of them
        return f"{digits}{'' if '.' in digits else '.0'}e{exponent}" if e else digits
    if _PLAIN_TEXT.fullmatch(value) and value.lower() not in _WORDS_OF_OTHER_TYPES:
        return value
    # what does not print is escaped the way YAML escapes it, also beyond the first 65,536 characters
    return '"' + "".join(c if c.isprintable() and c not in '\\"' else f"\\U{ord(c):08x}" for c in value) + '"'
