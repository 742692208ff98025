"""From a path to a spectra set."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

from spectrosim_search.config import registry
from spectrosim_search.config.errors import InputError, nearest
from spectrosim_search.spectra.readers._assemble import Roles, assemble
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["read", "suffixes"]

_FAMILY = "spectra.readers"


def suffixes() -> dict[str, str]:
    """Every suffix that can be read → the name of its reader; no reader is imported.

    ``SUFFIXES`` is a literal tuple at the top of each reader, read from the source so that listing formats does not
    import pandas.
    """
    found: dict[str, str] = {}
    for name in registry.names(_FAMILY):
        spec = importlib.util.find_spec(f"spectrosim_search.{_FAMILY}.{name.replace('-', '_')}")
        if spec is None or spec.origin is None:
            continue
        for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and any(
                isinstance(t, ast.Name) and t.id == "SUFFIXES" for t in node.targets
            ):
                found.update(dict.fromkeys(ast.literal_eval(node.value), name))
    return found


def _reader_of(path: Path) -> str:
    known = suffixes()
    lower = path.name.lower()
    for suffix in sorted(known, key=len, reverse=True):
        if lower.endswith(suffix):
            return known[suffix]
    given = "".join(path.suffixes[-2:]).lower() or path.name
    raise InputError(f"{path}: no reader for '{given}'{nearest(given, known)}; known: {', '.join(sorted(known))}")


def read(
    path: str | Path,
    *,
    group_column: str = "",
    label_column: str = "",
    id_column: str = "",
    split_column: str = "",
    group_pattern: str = "",
    need_groups: bool = True,
) -> SpectraSet:
    """Read a table of spectra: one row a spectrum, one column an axis value.

    Columns named by numbers (also ``mz_77.04``, ``p0`` or ``mass@time``) are the axis. Column options left empty are
    found by usual names; `group_pattern` is a regular expression on the sample id whose first capture group names the
    group, given instead of `group_column`. Without `need_groups` a table may lack groups: new spectra to be verified.

    Raises InputError for a file or option that cannot be used, DataError (naming file, row and column) for a cell or
    a heading that cannot, MissingExtraError where a format needs an optional package. What could be left out or put
    right (spectra of zeros, an unsorted axis) is counted in `SpectraSet.warnings`.
    """
    path = Path(path)
    if not path.exists():
        siblings = [p.name for p in path.parent.iterdir() if p.is_file()] if path.parent.is_dir() else []
        hint = nearest(path.name, siblings) if len(siblings) <= 1000 else ""
        raise InputError(f"{path}: no such file{hint if 'did you mean' in hint else ''}")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name the file of spectra in it")
    roles = Roles(group_column, label_column, id_column, split_column, group_pattern, need_groups)
    module = registry.load(_FAMILY, _reader_of(path))
    try:
        table = module.read_table(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    return assemble(table, roles)
