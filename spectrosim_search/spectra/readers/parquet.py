"""Parquet tables. Needs pyarrow."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spectrosim_search.config.errors import DataError, MissingExtraError
from spectrosim_search.spectra.readers._channels import find_channels
from spectrosim_search.spectra.readers._table import Table, bad_cell

__all__ = ["SUFFIXES", "read_table"]

SUFFIXES = (".parquet", ".pq")


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
                row, value = _first_text(cells.to_pylist())
                raise bad_cell(path, row, header[column], value) from None
        values[:, place] = cells.cast(pa.float64()).to_numpy()
    texts = [i for i in range(len(header)) if i not in set(numeric) and header[i] != "__index_level_0__"]
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


def _first_text(cells: list[object]) -> tuple[int, object]:
    for row, value in enumerate(cells, start=1):
        try:
            float(str(value))
        except ValueError:
            return row, value
    return 1, cells[0]
