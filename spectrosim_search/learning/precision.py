"""In what precision a stack computes, and on how many threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Literal

import torch

__all__ = ["Precision", "compute_dtype", "master_dtype", "single_thread"]

Precision = Literal["auto", "fp32", "bf16", "fp64"]

_SMALLEST_WIDTH = 32  # token widths from here on gain from bfloat16 on a CPU that has it (benchmarks/engine.py)


@cache
def _processor_has_bf16() -> bool:
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return False
    flags = next((line for line in info.read_text().splitlines() if line.startswith("flags")), "")
    return bool({"avx512_bf16", "amx_bf16"} & set(flags.split()))


def compute_dtype(precision: Precision, device: torch.device, width: int) -> torch.dtype:
    """Return the type of the encoder's weights and activations; `width` is the encoder's token width.

    "auto" is bfloat16 on a GPU, on a CPU where the processor multiplies it natively and the encoder is wide enough to
    gain, float32 elsewhere: a function of hardware and configuration, never of a timing, so that runs repeat.
    """
    if precision == "auto":
        if device.type == "cuda":
            fast = torch.cuda.is_bf16_supported(including_emulation=False)
        else:
            fast = width >= _SMALLEST_WIDTH and _processor_has_bf16()
        precision = "bf16" if fast else "fp32"
    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp64": torch.float64}[precision]


def master_dtype(precision: Precision) -> torch.dtype:
    """Return the type of parameters, optimiser state, heads, losses and scores; "fp64" serves tests."""
    return torch.float64 if precision == "fp64" else torch.float32


@contextmanager
def single_thread() -> Iterator[None]:
    """Run torch on one thread inside the context: what reproducible scores and several workers a machine need."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
