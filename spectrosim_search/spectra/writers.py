"""Writing spectra: CSV (also gzipped) for people, NPZ for exactness and for the truth of simulated data.

Files appear whole or not at all: written beside their place, then renamed.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from spectrosim_search.config.errors import InputError
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["write"]


def write(spectra: SpectraSet, path: str | Path) -> None:
    """Write by suffix: ``.csv``, ``.csv.gz``, ``.tsv``, ``.tsv.gz`` or ``.npz``; all read back to the same fingerprint.

    Only NPZ keeps the unit of the axis and the truth of simulated spectra.

    Raises InputError for another suffix and where the file cannot be written (nothing is left behind).
    """
    path = Path(path)
    lower = path.name.lower()
    if lower.endswith(".npz"):
        with _atomic(path) as stream:
            _write_npz(spectra, stream)
    elif lower.endswith((".csv", ".csv.gz", ".tsv", ".tsv.gz")):
        delimiter = "\t" if ".tsv" in lower[-7:] else ","
        with _atomic(path) as stream:
            if lower.endswith(".gz"):
                with gzip.GzipFile(fileobj=stream, mode="wb", mtime=0, filename="") as packed:
                    _write_delimited(spectra, packed, delimiter)
            else:
                _write_delimited(spectra, stream, delimiter)
    else:
        raise InputError(
            f"{path}: spectra are written as .csv, .csv.gz, .tsv, .tsv.gz or .npz; choose one of these suffixes"
        )


@contextmanager
def _atomic(path: Path) -> Iterator[BinaryIO]:
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
        mask = os.umask(0)
        os.umask(mask)
        Path(name).chmod(0o666 & ~mask)  # mkstemp makes files private; this one is an ordinary output
        Path(name).replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error
    finally:
        Path(name).unlink(missing_ok=True)


def _write_npz(spectra: SpectraSet, stream: BinaryIO) -> None:
    named: dict[str, Any] = {f"extra_{k}": v for k, v in spectra.extra.items()}
    named |= {f"truth_{k}": v for k, v in spectra.truth.items()}
    np.savez_compressed(
        stream,
        intensities=spectra.intensities,
        axis=spectra.axis,
        axis_unit=np.array(spectra.axis_unit),
        sample_ids=spectra.sample_ids,
        groups=spectra.groups,
        labels=spectra.labels,
        split=spectra.split,
        **named,
    )


def _write_delimited(spectra: SpectraSet, stream: BinaryIO | gzip.GzipFile, delimiter: str) -> None:
    columns = {"sample_id": spectra.sample_ids, "group": spectra.groups, "label": spectra.labels}
    if (spectra.split != "").any():
        columns["split"] = spectra.split
    columns |= dict(spectra.extra)
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow([*columns, *(repr(a) for a in spectra.axis.tolist())])
    for row in range(len(spectra)):
        # str of float32 is the shortest text that reads back to the same number
        writer.writerow([*(c[row] for c in columns.values()), *spectra.intensities[row].astype(np.str_).tolist()])
    text.flush()
    text.detach()
