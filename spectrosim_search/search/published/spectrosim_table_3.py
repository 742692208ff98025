"""SpectroSim, Table 3: temperatures with a mixture-of-experts Transformer."""

from __future__ import annotations

from spectrosim_search.search.published._common import PAPER_SPLIT, THRESHOLD
from spectrosim_search.search.published._table import PAPER, Figure, Row, Table

__all__ = ["TABLE"]

_PRINTED = ((0.10, 83.8, 95.8), (0.25, 93.8, 96.9), (0.50, 77.5, 95.8), (0.75, 93.8, 99.0), (1.00, 90.6, 94.8))

TABLE = Table(
    title="SpectroSim, Table 3: temperature",
    source=f"{PAPER}, section 6.1, Table 3",
    split=PAPER_SPLIT + " (of the paper; the table prints one figure without spread)",
    pair_split=0.6,
    folds=0,
    stopped_on_test=True,
    study="temperature",
    settings=(),
    made=("the network is that of the study 'temperature': a small mixture-of-experts Transformer", THRESHOLD),
    rows=tuple(
        Row(f"{t:.2f}", f"temperature {t:.2f}", Figure(test, train=train), values=(("objective.temperature", t),))
        for t, test, train in _PRINTED
    ),
    notes=("each figure looks like one run, without spread",),
)
