"""What the columns of a table mean, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import DataError, InputError, nearest
from spectrosim_search.spectra._duplicates import count_duplicates
from spectrosim_search.spectra.readers._channels import unit_of
from spectrosim_search.spectra.readers._table import Table
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["Roles", "assemble"]

_GROUP_NAMES = (
    "group",
    "group_id",
    "batch",
    "batch_id",
    "lot",
    "culture",
    "individual",
    "subject",
    "patient",
    "compound",
)
_LABEL_NAMES = ("label", "class", "species", "variety", "category", "type", "instrument")
_ID_NAMES = ("sample_id", "id", "sample", "sample_name", "name", "spectrum", "spectrum_id", "file", "filename")
_SPLIT_NAMES = ("split",)
_UNKNOWN = ("", "na", "n/a", "nan", "null", "none", "<na>")  # cells that say a group, label or split is not known


@dataclass(frozen=True)
class Roles:
    """Columns the user named; empty: found by name."""

    group: str = ""
    label: str = ""
    id: str = ""
    split: str = ""
    group_pattern: str = ""
    need_groups: bool = True


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")


class _Finder:
    """Gives every column at most one role: those the user named first, then the rest by usual names."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.taken: set[str] = set()
        self.warnings: list[str] = []

    def named(self, column: str, option: str) -> str | None:
        if not column:
            return None
        for name in self.table.text:
            if name.strip() == column.strip():
                self.taken.add(name)
                return name
        if column.strip() in self.table.channel_names:
            raise InputError(f"{self.table.path}: {option} '{column}' is a column of the axis; name a column of text")
        known = list(self.table.text)
        raise InputError(f"{self.table.path}: no column '{column}' for {option}{nearest(column, known)}")

    def usual(self, names: Iterable[str], what: str) -> str | None:
        free = {_plain(n): n for n in reversed(tuple(self.table.text)) if n not in self.taken}
        found = [free[n] for n in names if n in free]
        if not found:
            return None
        if len(found) > 1:
            rest = ", ".join(f"'{n}'" for n in found[1:])
            self.warnings.append(f"column '{found[0]}' taken as the {what} (also possible: {rest})")
        self.taken.add(found[0])
        return found[0]


def _known(values: NDArray[np.str_]) -> NDArray[np.str_]:
    stripped = np.char.strip(values)
    return np.where(np.isin(np.char.lower(stripped), _UNKNOWN), "", stripped)


def _ids(table: Table, column: str | None) -> NDArray[np.str_]:
    n = table.values.shape[0]
    if column is None:
        return np.array([f"row{r}" for r in table.rows], dtype=np.str_)
    ids: NDArray[np.str_] = np.char.strip(table.text[column])
    empty = np.flatnonzero(ids == "")
    if empty.size:
        raise DataError(
            f"{table.path}: row {table.rows[empty[0]]}, column '{column}': the sample id is empty; give every row an id"
        )
    if np.unique(ids).size < n:
        first: dict[str, int] = {}
        for row, value in zip(table.rows.tolist(), ids.tolist(), strict=True):
            if value in first:
                raise DataError(
                    f"{table.path}: sample id '{value}' (column '{column}') stands in rows {first[value]} and {row}; "
                    "make ids unique or name another column with --id-column"
                )
            first[value] = row
    return ids


def _groups_by_pattern(table: Table, ids: NDArray[np.str_], pattern: str, warnings: list[str]) -> NDArray[np.str_]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InputError(f"--group-pattern '{pattern}' is not a regular expression: {error}") from error
    if compiled.groups < 1:
        raise InputError(
            f"--group-pattern '{pattern}' has no capture group; put the part that names the group in brackets"
        )
    matches = [compiled.search(i) for i in ids.tolist()]
    groups = np.array([(m.group(1) or "") if m else "" for m in matches], dtype=np.str_)
    missed = int((groups == "").sum())
    if missed == groups.size:
        raise DataError(f"{table.path}: --group-pattern '{pattern}' fits no sample id (the first is '{ids[0]}')")
    if missed:
        warnings.append(
            f"--group-pattern fits {groups.size - missed} of {groups.size} sample ids; the others have no group"
        )
    return groups


def _check_cells(table: Table) -> None:
    # The sum of a block with one NaN or infinity is not finite: one pass without a mask the size of the data.
    with np.errstate(over="ignore", invalid="ignore"):
        suspicious = ~np.isfinite(table.values.sum(axis=1, dtype=np.float64))
    for row in np.flatnonzero(suspicious):
        bad = np.flatnonzero(~np.isfinite(table.values[row]))
        if bad.size:
            where = f"{table.path}: row {table.rows[row]}, column '{table.channel_names[bad[0]]}'"
            more = f" ({bad.size} such cells in this row)" if bad.size > 1 else ""
            if np.isnan(table.values[row, bad[0]]):
                raise DataError(f"{where}: the cell is empty or NaN{more}; fill it or remove the row")
            raise DataError(f"{where}: the value is infinite or above 3.4e38{more}; correct it or remove the row")


def _sorted_axis(table: Table, warnings: list[str]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    axis, values = table.channels.axis.astype(np.float64), table.values
    steps = np.diff(axis)
    if not (steps > 0).all():
        order = np.argsort(axis, kind="stable")
        repeated = np.flatnonzero(np.diff(axis[order]) == 0)
        if repeated.size:
            twins = order[repeated[0]], order[repeated[0] + 1]
            names = " and ".join(f"'{table.channel_names[t]}'" for t in twins)
            raise DataError(
                f"{table.path}: axis value {axis[twins[0]]:g} occurs twice (columns {names}); merge or remove one"
            )
        if not (steps < 0).all():
            warnings.append("the axis was not sorted; columns were put in increasing order")
        axis, values = axis[order], values[:, order]  # a falling axis (wavenumbers) is usual: turned round in silence
    return axis, np.ascontiguousarray(values)


def assemble(table: Table, roles: Roles) -> SpectraSet:
    """Turn a table into a spectra set; see :func:`spectrosim_search.spectra.readers.read` for rules and errors."""
    if table.values.shape[0] == 0:
        raise DataError(f"{table.path}: the table has a heading but no rows")
    if roles.group and roles.group_pattern:
        raise InputError("--group-column and --group-pattern contradict each other; give one of them")
    finder = _Finder(table)
    group_column = finder.named(roles.group, "--group-column")
    label_column = finder.named(roles.label, "--label-column")
    id_column = finder.named(roles.id, "--id-column")
    split_column = finder.named(roles.split, "--split-column")
    if group_column is None and not roles.group_pattern:
        group_column = finder.usual(_GROUP_NAMES, "group")
    if label_column is None:
        label_column = finder.usual(_LABEL_NAMES, "label")
    if split_column is None:
        split_column = finder.usual(_SPLIT_NAMES, "split")
    if id_column is None:
        id_column = finder.usual(_ID_NAMES, "sample id")
        first = next(iter(table.text), "")
        if id_column is None and first not in finder.taken and first in table.text and (not first or unit_of(first)):
            id_column = first  # instrument exports: the corner cell is empty or says what the heading is ('m/z')
            finder.taken.add(first)

    warnings = [*table.warnings, *finder.warnings]
    if table.channels.note:
        warnings.append(table.channels.note)
    ids = _ids(table, id_column)
    n = ids.size
    if group_column is not None:
        groups = _known(table.text[group_column])
    elif roles.group_pattern:
        groups = _groups_by_pattern(table, ids, roles.group_pattern, warnings)
    elif not roles.need_groups:
        groups = np.full(len(ids), "", dtype=np.str_)
    else:
        shown = ", ".join(f"'{c}'" for c in list(table.text)[:8]) or "none"
        raise DataError(
            f"{table.path}: no group column (columns of text: {shown}); name it with --group-column, or with "
            "--group-pattern a regular expression on the sample id"
        )
    if roles.need_groups and (groups == "").all():
        warnings.append("no spectrum has a group: nothing can be searched on these data")
    empty = np.zeros(n, dtype="<U1")
    _check_cells(table)
    axis, values = _sorted_axis(table, warnings)
    spectra = SpectraSet(
        intensities=values,
        axis=axis,
        axis_unit=table.channels.unit,
        sample_ids=ids,
        groups=groups,
        labels=_known(table.text[label_column]) if label_column is not None else empty,
        split=_known(table.text[split_column]) if split_column is not None else empty,
        name=table.path.name.split(".")[0],
        extra={k: v for k, v in table.text.items() if k not in finder.taken},
        truth=table.truth,
        peaks=table.peaks,
    )
    return _leave_out(spectra, table, warnings)


def _leave_out(spectra: SpectraSet, table: Table, warnings: list[str]) -> SpectraSet:
    zero: NDArray[np.bool_] = np.logical_not(spectra.intensities.any(axis=1))
    if zero.all():
        raise DataError(f"{table.path}: every spectrum is zero throughout")
    if zero.any():
        ids = ", ".join(spectra.sample_ids[zero][:3].tolist())
        warnings.append(
            f"left out {int(zero.sum())} spectra that are zero throughout ({ids}{', …' if zero.sum() > 3 else ''})"
        )
        spectra = spectra.select(np.flatnonzero(~zero))
    doubles = count_duplicates(spectra.intensities)
    if doubles:
        warnings.append(
            f"{doubles} spectra repeat another one exactly; copies in one group make it look easier than it is"
        )
    return replace(spectra, warnings=tuple(warnings))
