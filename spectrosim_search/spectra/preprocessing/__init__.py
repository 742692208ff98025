"""Preprocessing of intensities.

Order, and why:

1. **Baseline removal** (each spectrum alone) comes first: it models what the instrument adds to a spectrum, in the
   units and at the resolution in which it was added. A square root or a division taken before would bend it.
2. **Binning** (each spectrum alone) averages neighbouring channels: noise falls and everything after it is cheaper. It
   comes after the baseline, whose edges need the full resolution, and before every transform that is not linear,
   because the square root of a mean is not the mean of square roots.
3. **Intensity** (each spectrum alone; MSC against the mean training spectrum) takes out the amount of sample or the
   path of light and weighs strong peaks against weak ones.
4. **Derivative** (each spectrum alone) follows: normalising a derivative would divide by the noise it amplifies. For
   SNV and MSC the order makes no difference but a constant, because both are linear in a spectrum once their factor
   is known.
5. **Column scaling** (fitted on training spectra) comes last: it sets the sizes that the network sees, and any step
   behind it would undo them.

What stands in one module a member: intensity transforms here (``FITTED``, ``NEEDS_NON_NEGATIVE`` and ``apply``; fitted
ones also ``fit``), baselines in ``_baseline``.
"""

from spectrosim_search.spectra.preprocessing._rowwise import rowwise, rowwise_settings
from spectrosim_search.spectra.preprocessing._state import State, fit
from spectrosim_search.spectra.preprocessing._words import describe

__all__ = ["State", "describe", "fit", "rowwise", "rowwise_settings"]
