"""SpectroSim, Table 4: batch sizes with a mixture-of-experts Transformer."""

from __future__ import annotations

from spectrosim_search.search.published._common import PAPER_SPLIT, THRESHOLD
from spectrosim_search.search.published._table import PAPER, Figure, Row, Table

__all__ = ["TABLE"]

_PRINTED = ((16, 96.9, 99.0), (32, 84.4, 99.0), (64, 90.6, 96.9), (128, 90.6, 96.9), (256, 84.4, 94.8))

TABLE = Table(
    title="SpectroSim, Table 4: batch size",
    source=f"{PAPER}, section 6, Table 4",
    split=PAPER_SPLIT + " (of the paper; the table prints one figure without spread)",
    pair_split=0.6,
    folds=0,
    stopped_on_test=True,
    study="batch-size",
    settings=(),
    made=("the network is that of the study 'batch-size': a small mixture-of-experts Transformer", THRESHOLD),
    rows=tuple(
        Row(str(size), f"batch of {size}", Figure(test, train=train), values=(("training.batch_size", size),))
        for size, test, train in _PRINTED
    ),
    notes=("each figure looks like one run, without spread, and is a whole 32nd, which 1,023 test pairs hardly give",),
)
