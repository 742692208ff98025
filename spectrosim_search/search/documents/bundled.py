"""Where studies, search spaces and schemas lie: inside the installed package, or in the checkout."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal

from spectrosim_search.config.errors import InputError, nearest
from spectrosim_search.search.documents.text import Document, parse_yaml

__all__ = ["Kind", "bundled_directory", "bundled_names", "find", "read"]

Kind = Literal["studies", "search_spaces", "schemas"]
_SUFFIXES = (".yaml", ".yml")
_SINGULAR = {"studies": "study", "search_spaces": "search space", "schemas": "schema"}


def bundled_directory(kind: Kind) -> Traversable:
    """The folder of bundled documents: in a wheel ``spectrosim_search/bundled``, in a checkout the repository root."""
    installed = files("spectrosim_search") / "bundled" / kind
    return installed if installed.is_dir() else Path(__file__).resolve().parents[3] / kind


def bundled_names(kind: Kind) -> tuple[str, ...]:
    """Names of the bundled documents of one kind, sorted."""
    directory = bundled_directory(kind)
    if not directory.is_dir():
        return ()
    return tuple(sorted(f.name.removesuffix(".yaml") for f in directory.iterdir() if f.name.endswith(".yaml")))


def find(kind: Kind, name: str, beside: Path | None = None) -> Traversable:
    """Find a document by bundled name or by path.

    A path is anything with a separator or a YAML suffix; a folder stands for the ``study.yaml`` in it. Names are
    looked for near the document that mentions them first (`beside` is its folder: in its ``search_spaces``, the sibling
    of that name, the folder itself), then among the bundled ones. Raises InputError with the nearest known name.
    """
    looks_like_path = name.endswith(_SUFFIXES) or "/" in name or "\\" in name
    if looks_like_path or Path(name).is_dir():
        path = Path(name).expanduser()
        if beside is not None and not path.is_absolute():
            path = beside / path
        if path.is_dir():
            path = path / "study.yaml"
        if not path.is_file():
            raise InputError(f"no file '{path}': give the path of a YAML document or a bundled name{_known(kind)}")
        return path
    if beside is not None:
        for folder in (beside / kind, beside.parent / kind, beside):  # a study and a space may share a name
            own = folder / f"{name}.yaml"
            if own.is_file():
                return own
    if name in bundled_names(kind):
        return bundled_directory(kind) / f"{name}.yaml"
    raise InputError(f"unknown {_SINGULAR[kind]} '{name}'{nearest(name, bundled_names(kind))}")


def _known(kind: Kind) -> str:
    known = bundled_names(kind)
    return f" ({', '.join(known)})" if known else ""


def read(source: Traversable) -> Document:
    """Read a YAML document. Raises InputError where it cannot be read or is not UTF-8."""
    where = str(source)
    try:
        text = source.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not UTF-8 text (byte {error.start}): save it as UTF-8") from error
    except OSError as error:
        raise InputError(f"{where}: cannot be read: {error.strerror or error}") from error
    return parse_yaml(text, Path(where).name if isinstance(source, Path) else source.name)
