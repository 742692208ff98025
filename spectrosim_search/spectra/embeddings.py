"""Embeddings of spectra in a file."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import InputError
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["write_embeddings"]


def write_embeddings(spectra: SpectraSet, embeddings: NDArray[np.float32], path: Path) -> None:
    """Write ``(N, D)`` embeddings beside the sample ids: .csv (one row a spectrum) or .npz.

    Raises InputError for another suffix.
    """
    if path.suffix == ".npz":
        np.savez_compressed(path, sample_ids=spectra.sample_ids, embeddings=embeddings)
        return
    if path.suffix != ".csv":
        raise InputError(f"{path}: embeddings are written as .csv or .npz")
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(["sample_id", "group", *(f"z{i}" for i in range(embeddings.shape[1]))])
        for name, group, row in zip(spectra.sample_ids.tolist(), spectra.groups.tolist(), embeddings.tolist()):
            writer.writerow([name, group, *(f"{v:.7g}" for v in row)])
