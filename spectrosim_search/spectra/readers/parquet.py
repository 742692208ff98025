"""Parquet tables. Needs pyarrow."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from spectrosim_search.config.errors import DataError, MissingExtraError
from spectrosim_search.spectra.readers._channels import find_channels
from spectrosim_search.spectra.readers._table import EMPTY, Table, bad_cell

__all__ = ["SUFFIXES", "read_table"]

SUFFIXES = (".parquet", ".pq")

_INDEX = "__index_level_0__"  # what pandas calls an index without a name


def read_table(path: Path) -> Table:
    """Read a Parquet file; rows are counted from 1, as it has no heading line.

    Raises MissingExtraError without pyarrow, DataError naming row and column.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("pyarrow", "formats", f"reading {path.name}") from error
    try:
        # ParquetFile, not read_table: the latter refuses columns of one name, which deserve our own message
        table = pq.ParquetFile(path).read()
    except pa.ArrowInvalid as error:
        raise DataError(f"{path}: is not a Parquet file; write it again or save it as CSV") from error
    header = tuple(str(n) for n in table.column_names)
    channels = find_channels(header, path)
    numeric = channels.columns.tolist()
    values = np.empty((table.num_rows, len(numeric)), np.float32)
    for place, column in enumerate(numeric):
        cells = table.column(column)
        if not (pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type) or pa.types.is_decimal(cells.type)):
            try:
                cells = cells.cast(pa.float64())
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                values[:, place] = _numbers(path, header[column], cells.to_pylist())
                continue
        values[:, place] = cells.cast(pa.float64()).to_numpy()
    kinds = {n: f.type for n, f in zip(header, table.schema, strict=True)}
    if _INDEX in header and (pa.types.is_string(kinds[_INDEX]) or pa.types.is_large_string(kinds[_INDEX])):
        # names of the rows come first, as in a CSV file whose corner is empty; an index of numbers says nothing
        order = [header.index(_INDEX), *(i for i, n in enumerate(header) if n != _INDEX)]
    else:
        order = [i for i, n in enumerate(header) if n != _INDEX]
    header = tuple("" if n == _INDEX else n for n in header)
    texts = [i for i in order if i not in set(numeric)]
    names = [header[i] for i in texts]
    if len(set(names)) < len(names):
        raise DataError(f"{path}: two columns are named '{next(n for n in names if names.count(n) > 1)}'; rename one")
    return Table(
        path=path,
        channels=channels,
        channel_names=tuple(header[i] for i in numeric),
        values=values,
        text={
            header[i]: np.array(["" if v is None else str(v) for v in table.column(i).to_pylist()], dtype=np.str_)
            for i in texts
        },
        rows=np.arange(1, table.num_rows + 1),
    )


def _numbers(path: Path, name: str, cells: list[object]) -> list[float]:
    """Numbers that are kept as text; raises DataError for the first that is none."""
    out = []
    for row, value in enumerate(cells, start=1):
        text = "" if value is None else str(value).strip()
        try:
            out.append(math.nan if text.lower() in EMPTY else float(text))
        except ValueError:
            raise bad_cell(path, row, name, value) from None
    return out
