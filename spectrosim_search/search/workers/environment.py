"""Package versions and hardware of the machine a replicate runs on."""

from __future__ import annotations

import functools
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from spectrosim_search.config.fields import content_hash
from spectrosim_search.search.records import EnvironmentRecord

__all__ = ["environment"]

_PACKAGES = ("spectrosim-search", "torch", "numpy", "scipy", "scikit-learn", "optuna", "ray", "sqlalchemy")


@functools.cache
def environment(device: str = "cpu") -> EnvironmentRecord:
    """The environment of this process; equal environments have equal ids."""
    import torch

    packages = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue  # run from a checkout, or an optional package
    hardware = {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": str(os.cpu_count() or 1),
        "device": torch.cuda.get_device_name() if device.startswith("cuda") else "cpu",
        "threads": str(torch.get_num_threads()),
    }
    return EnvironmentRecord(content_hash([packages, hardware]), packages, hardware)


def _processor() -> str:
    """Model name of the processor."""
    file = Path("/proc/cpuinfo")
    if file.exists():
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
