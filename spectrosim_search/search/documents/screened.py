"""What a caller's options leave of a study's screening."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from spectrosim_search.config.configuration import Scalar
from spectrosim_search.config.study import Screening
from spectrosim_search.search.documents.options import Overrides

__all__ = ["left_to_screen"]


def left_to_screen(
    screening: Screening, ways: list[tuple[tuple[str, Scalar], ...]], varied: Collection[str], overrides: Overrides
) -> tuple[Screening, list[tuple[tuple[str, Scalar], ...]]]:
    """Screening and the ways on from it, as far as they still mean something.

    A key that an option fixes is not screened. Where a key has lost its meaning (another encoder was fixed), what the
    screening stands on is gone: nothing is screened then, as with ``screening.trials=0``. What an option says of the
    screening itself is taken by its word, right or wrong.
    """
    asked = screening.trials or "screening.trials" in overrides.study
    if not screening.vary or not asked or "screening.vary" in overrides.study:
        return screening, ways
    left = tuple(key for key in screening.vary if screening.means(key, varied))
    explained = all(key in left or screening.means(key, overrides.fixed) for key in screening.vary)
    if not (screening.trials and left and explained):
        return Screening(), []
    return replace(screening, vary=left), ways
