"""SpectroSim chapter, Other Contrastive Learning Methods: five frameworks with the Transformer."""

from __future__ import annotations

from spectrosim_search.config.configuration import Scalar
from spectrosim_search.search.published._common import CHAPTER_SPLIT, THRESHOLD, figure
from spectrosim_search.search.published._table import PAPER, Figure, Row, Table

__all__ = ["TABLE"]


def _framework(title: str, printed: Figure, objective: str) -> Row:
    values: tuple[tuple[str, Scalar], ...] = (("objective.type", objective),)
    return Row(title.lower().replace(" ", "-"), title, printed, values=values)


TABLE = Table(
    title="SpectroSim chapter: contrastive frameworks with the Transformer",
    source=f"{PAPER} chapter, Other Contrastive Learning Methods",
    split=CHAPTER_SPLIT,
    pair_split=0.0,
    folds=3,
    stopped_on_test=False,
    study="frameworks",
    settings=(
        "positives.source=views",
        "augmentations.shift=true",
        "augmentations.crop-pad=true",
        "augmentations.flip=true",
        "augmentations.permutation=true",
    ),
    made=(
        "one small Transformer for all (study 'frameworks': 40 epochs, rate 1e-3, batch 32), every objective with this "
        "program's settings, the chapter's six augmentations at this program's strengths, positives from views",
        THRESHOLD,
    ),
    rows=(
        _framework("SimCLR", figure(70.8, 9.6, 77.1, 4.9), "nt-xent"),
        _framework("BYOL", figure(51.3, 6.3, 56.3, 3.5), "byol"),
        _framework("MoCo", figure(50.4, 7.7, 54.7, 3.3), "moco"),
        _framework("Barlow Twins", figure(50.0, 0.0, 54.0, 2.8), "barlow-twins"),
        _framework("SimSiam", figure(48.3, 5.1, 54.1, 3.8), "simsiam"),
    ),
    notes=("the text rounds less than the table: BYOL 51.25, MoCo 50.42, SimSiam 48.33 %",),
)
