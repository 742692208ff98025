"""What the tables of one paper share."""

from __future__ import annotations

from spectrosim_search.config.configuration import Scalar
from spectrosim_search.search.published._table import Figure, Row

__all__ = ["CHAPTER_SPLIT", "ENCODER_SIZES", "PAPER_SPLIT", "THRESHOLD", "contrastive", "figure"]

PAPER_SPLIT = (
    "60/40 on the 2,556 pairs of 72 fish, same share of positives in both; 30 runs; epochs chosen 'based on test data'"
)
CHAPTER_SPLIT = (
    "stratified k-fold (neither k nor what is dealt, pairs or fish, is printed), 30 runs; epochs chosen on validation "
    "data, patience 5"
)
THRESHOLD = (
    "the chapter takes the threshold from training pairs and the paper prints no rule; ours comes from pairs that "
    "neither trained the model nor are judged by it"
)
ENCODER_SIZES = "networks are this program's small ones (study 'encoders': 40 epochs, rate 1e-3), not the papers' sizes"


def figure(mean: float, sd: float, train: float = 100.0, train_sd: float = 0.0) -> Figure:
    """A figure of the paper's Table 2; training accuracy is 100.00 ± 0.00 where nothing else is given."""
    return Figure(mean, sd, train, train_sd)


def contrastive(name: str, title: str, printed: Figure, encoder: str, note: str = "") -> Row:
    """A row whose encoder was trained contrastively."""
    values: tuple[tuple[str, Scalar], ...] = (("encoder.type", encoder),)
    return Row(f"{name}-contrastive", f"{title}, contrastive", printed, values=values, note=note)
