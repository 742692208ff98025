"""Excel workbooks (.xlsx): the first sheet, heading in its first row. Needs openpyxl.

The export usual in mass spectrometry reads as it is: first column headed ``m/z`` with sample names, then one column
per m/z value.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path

import numpy as np

from spectrosim_search.config.errors import DataError, MissingExtraError
from spectrosim_search.spectra.readers._channels import find_channels
from spectrosim_search.spectra.readers._table import EMPTY, Table, bad_cell

__all__ = ["SUFFIXES", "read_table"]

SUFFIXES = (".xlsx", ".xlsm")


def _not_a_workbook(path: Path) -> DataError:
    return DataError(f"{path}: is not an Excel workbook; export it again or save it as CSV")


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _number(value: object, path: Path, row: int, column: str) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    text = _text(value)
    if text.lower() in EMPTY:
        return math.nan
    try:
        return float(text)
    except ValueError:
        raise bad_cell(path, row, column, text) from None


def read_table(path: Path) -> Table:
    """Read the first sheet. Raises MissingExtraError without openpyxl, DataError naming row and column."""
    try:
        import openpyxl
        from openpyxl.utils.exceptions import InvalidFileException
    except ImportError as error:
        raise MissingExtraError("openpyxl", "formats", f"reading {path.name}") from error
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, SyntaxError) as error:  # broken XML is a SyntaxError
        raise _not_a_workbook(path) from error
    warnings: tuple[str, ...] = ()
    try:
        if len(book.sheetnames) > 1:
            warnings = (f"read the first of {len(book.sheetnames)} sheets ('{book.sheetnames[0]}')",)
        sheet = book.worksheets[0]
        sheet.reset_dimensions()  # exporters write sizes that are not true; rows beyond them would be lost in silence
        lines = sheet.iter_rows(values_only=True)
        header = tuple(_text(v) for v in next(lines, ()))
        while header and not header[-1]:
            header = header[:-1]
        if not header:
            raise DataError(f"{path}: the first sheet is empty; its first row must be the heading")
        channels = find_channels(header, path)
        numeric = channels.columns.tolist()
        texts = sorted(set(range(len(header))) - set(numeric))
        names = [header[i] for i in texts]
        if len(set(names)) < len(names):
            raise DataError(
                f"{path}: two columns are named '{next(n for n in names if names.count(n) > 1)}'; rename one"
            )
        values, rows = [], []
        cells: dict[int, list[str]] = {i: [] for i in texts}
        for number, line in enumerate(lines, start=2):
            padded = (*line, *(None,) * (len(header) - len(line)))
            if all(v is None or v == "" for v in padded):
                continue
            values.append(np.array([_number(padded[i], path, number, header[i]) for i in numeric], dtype=np.float32))
            rows.append(number)
            for i in texts:
                cells[i].append(_text(padded[i]))
    except SyntaxError as error:
        raise _not_a_workbook(path) from error
    finally:
        book.close()
    return Table(
        path=path,
        channels=channels,
        channel_names=tuple(header[i] for i in numeric),
        values=np.stack(values) if values else np.empty((0, len(numeric)), np.float32),
        text={header[i]: np.array(cells[i], dtype=np.str_) for i in texts},
        rows=np.array(rows, dtype=np.int64),
        warnings=warnings,
    )
