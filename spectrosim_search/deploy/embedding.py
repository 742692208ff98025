"""From preprocessed spectra to unit vectors whose dot product is the similarity, for both kinds of model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from spectrosim_search.deploy.model_folder import ModelFolder

__all__ = ["embed_prepared", "unit_rows"]

_ROWS_AT_ONCE = 4096


def embed_prepared(folder: ModelFolder, prepared: NDArray[np.float32], device: str = "cpu") -> NDArray[np.float32]:
    """Embed spectra ``(N, C)`` that have gone through the folder's preprocessing; float32 ``(N, D)`` of unit rows.

    The similarity of two spectra is the dot product of their rows (cosine). Raises KeyError or ValueError where the
    arrays of a linear metric do not fit the spectra, RuntimeError where those of a network do not.
    """
    configuration = folder.document.configuration
    if configuration is not None:
        from spectrosim_search.learning.engine import embed

        axis = folder.preprocessing.axis(folder.axis)
        raw = embed(configuration, folder.parameters, prepared, axis, device=device)
        return unit_rows(raw)
    mean, projection = folder.parameters["mean"], folder.parameters["projection"]
    out = np.empty((len(prepared), projection.shape[1]), np.float32)
    for start in range(0, len(prepared), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        out[rows] = (prepared[rows] - mean) @ projection
    return unit_rows(out)


def unit_rows(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of ``(N, D)`` divided by their Euclidean norm; a row of zeros stays zero (similarity 0 to everything)."""
    norm = np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
    return (x / np.where(norm > 0, norm, 1.0)).astype(np.float32)
