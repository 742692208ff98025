"""Preprocessing of intensities: one module an intensity transform, plus derivative and scaling.

Order: intensity transform (each spectrum alone) → Savitzky-Golay derivative (each spectrum alone) → scaling of channels
(fitted on training spectra). A transform module declares ``apply(x (N, L) float64) -> (N, L) float64`` and
``NEEDS_NON_NEGATIVE``.
"""

from spectrosim_search.spectra.preprocessing._state import State, fit, rowwise

__all__ = ["State", "fit", "rowwise"]
