"""How often pairs can be matched by label under a design: whether matched-label AUC is a score there at all."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from spectrosim_search.protocol.pairs import PairSet

__all__ = ["matched_parts"]


def matched_parts(parts: Iterable[PairSet]) -> float:
    """Share of the parts in which some positive pair has a negative pair of the same two labels; NaN without parts."""
    found = [
        bool(np.isin(p.stratum[p.positive & (p.stratum >= 0)], p.stratum[~p.positive]).any()) for p in parts if len(p)
    ]
    return float(np.mean(found)) if found else float("nan")
