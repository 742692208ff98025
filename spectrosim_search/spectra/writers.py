"""Writing spectra: CSV (also gzipped) for people, NPZ for exactness and the truth of simulated data, MSP for libraries.

Files appear whole or not at all: written beside their place, then renamed.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import InputError
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["write"]


def write(spectra: SpectraSet, path: str | Path) -> None:
    """Write by suffix: ``.csv``, ``.csv.gz``, ``.tsv``, ``.tsv.gz`` or ``.npz``; all read back to the same fingerprint.

    An extra column that has the name of one of the others (``group``) is written as ``extra group``.
    Only NPZ keeps the unit of the axis and the truth of simulated spectra. ``.msp`` (``.msp.gz``) is the form that
    libraries of mass spectra are exchanged in: peaks as they are, without those of intensity 0.

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
    elif lower.endswith((".msp", ".msp.gz")):
        with _atomic(path) as stream:
            if lower.endswith(".gz"):
                with gzip.GzipFile(fileobj=stream, mode="wb", mtime=0, filename="") as packed:
                    _write_msp(spectra, packed)
            else:
                _write_msp(spectra, stream)
    else:
        raise InputError(
            f"{path}: spectra are written as .csv, .csv.gz, .tsv, .tsv.gz, .npz or .msp; choose one of these suffixes"
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


def _extra(spectra: SpectraSet) -> dict[str, NDArray[np.str_]]:
    """Extra columns under names that leave the others theirs."""
    taken = ("sample_id", "group", "label", "split")
    return {f"extra {k}" if k.strip().lower() in taken else k: v for k, v in spectra.extra.items()}


def _write_npz(spectra: SpectraSet, stream: BinaryIO) -> None:
    named: dict[str, Any] = {f"extra_{k}": v for k, v in _extra(spectra).items()}
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
    columns |= _extra(spectra)
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow([*columns, *(repr(a) for a in spectra.axis.tolist())])
    for row in range(len(spectra)):
        # str of float32 is the shortest text that reads back to the same number
        writer.writerow([*(c[row] for c in columns.values()), *spectra.intensities[row].astype(np.str_).tolist()])
    text.flush()
    text.detach()


_INCHIKEY = re.compile(r"^[A-Z]{14}-[A-Z]{10}-[A-Z]$")


def _write_msp(spectra: SpectraSet, stream: BinaryIO | gzip.GzipFile) -> None:
    """One record a spectrum; a group that is an InChIKey is written as one, other groups as ``group``."""
    extra = {k: v for k, v in _extra(spectra).items() if k.lower() not in ("name", "db#", "inchikey", "num peaks")}
    for row in range(len(spectra)):
        group, label = str(spectra.groups[row]), str(spectra.labels[row])
        lines = [f"Name: {label or group or spectra.sample_ids[row]}", f"DB#: {spectra.sample_ids[row]}"]
        if group:
            lines.append(f"InChIKey: {group}" if _INCHIKEY.match(group) else f"group: {group}")
        if label:
            lines.append(f"label: {label}")
        if spectra.split[row]:
            lines.append(f"split: {spectra.split[row]}")
        lines += [f"{k}: {v[row]}" for k, v in extra.items() if v[row]]
        seen = np.flatnonzero(spectra.intensities[row] > 0)
        lines.append(f"Num Peaks: {seen.size}")
        lines += [f"{spectra.axis[i]:.10g} {spectra.intensities[row, i]}" for i in seen]
        stream.write(("\n".join(lines) + "\n\n").encode())
