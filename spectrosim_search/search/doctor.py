"""Checks of the installation that a person would otherwise make by hand: versions, extras, hardware, database."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from pathlib import Path
from typing import TypedDict

from spectrosim_search.config.errors import InputError

__all__ = ["Check", "examine"]

CORE = ("torch", "numpy", "scipy", "scikit-learn", "pandas", "optuna", "ray", "sqlalchemy", "pydantic", "plotly")
EXTRAS = {
    "openpyxl": ("formats", "XLSX files"),
    "pyarrow": ("formats", "Parquet files"),
    "optuna-dashboard": ("dashboard", "the dashboard command"),
    "psycopg": ("postgres", "PostgreSQL"),
    "onnx": ("onnx", "ONNX export"),
    "kaleido": ("static", "static pictures of figures"),
}


class Check(TypedDict):
    """One line: `state` is ok, missing (an optional part) or bad."""

    name: str
    state: str
    detail: str


def examine(storage: str) -> list[Check]:
    """Run every check; nothing is created."""
    checks: list[Check] = [{"name": "python", "state": "ok", "detail": platform.python_version()}]
    for package in CORE:
        version = _version(package)
        checks.append({"name": package, "state": "ok" if version else "bad", "detail": version or "not installed"})
    for package, (extra, purpose) in EXTRAS.items():
        version = _version(package)
        detail = version or f"not installed; {purpose} need(s) pip install 'spectrosim-search[{extra}]'"
        checks.append({"name": package, "state": "ok" if version else "missing", "detail": detail})
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    checks.append({"name": "processor", "state": "ok", "detail": f"{cores} cores, {platform.machine()}"})
    checks += _accelerator()
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    checks.append({"name": "disk", "state": "ok" if free > 1 else "bad", "detail": f"{free:.1f} GiB free here"})
    checks.append(_database(storage))
    return checks


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _accelerator() -> list[Check]:
    if not _version("torch"):
        return []
    import torch

    bf16 = torch.cpu._is_avx512_bf16_supported()
    out: list[Check] = [
        {"name": "bfloat16 on the processor", "state": "ok", "detail": "yes" if bf16 else "no: fp32 is used"}
    ]
    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
        out.append({"name": "gpu", "state": "ok", "detail": names})
    else:
        out.append({"name": "gpu", "state": "missing", "detail": "none seen by torch; training runs on the processor"})
    return out


def _database(storage: str) -> Check:
    from spectrosim_search.search.store import Store, redacted

    shown = redacted(storage)
    if storage.startswith("sqlite:///") and not Path(storage.removeprefix("sqlite:///")).exists():
        return {"name": "database", "state": "ok", "detail": f"{shown}: not there yet, the first run creates it"}
    try:
        with Store(storage, read_only=True) as store:
            count = len(store.studies())
    except InputError as error:
        return {"name": "database", "state": "bad", "detail": str(error)}
    return {"name": "database", "state": "ok", "detail": f"{shown}: {count} studies"}
