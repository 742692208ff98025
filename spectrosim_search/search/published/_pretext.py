"""What the tables of the NIR pretext paper share."""

from __future__ import annotations

from functools import partial

from spectrosim_search.search.published._class_table import ClassTable, Printed
from spectrosim_search.search.published._table import Figure

__all__ = ["KINDS", "MADE", "PAPER", "accuracy", "four", "pretext_table"]

PAPER = "Zhao et al., Anal. Methods 17, 1090 (2025), doi:10.1039/d4ay01970a"
SPLIT = "5-fold cross-validation after one random shuffle of the spectra; nothing is kept apart"
SETS = ("tea", "mango", "tablet", "coal")
KINDS = ("noise", "offset", "multiplication", "horizontal_flip", "vertical_flip", "permutation")
PLAIN, DISJOINT, NOTHING = "plain folds", "whole groups held out", "no groups"
REFERENCES = ("majority", "lda")
# All that MADE says is set here: the study itself starts at discriminant analyses, with no network.
SETTINGS = (
    "protocol.folds=5",
    "preprocessing.intensity=snv",
    "preprocessing.scale=standard",
    "encoder.type=block-cnn",
    "encoder.width=16",
    "encoder.blocks=3",
    "training.epochs=15",
    "program.branch=none",
    "program.features=3",
    "program.epochs=40",
)
MADE = (
    "the network is this program's (study 'pretrain': three blocks of 16, 32 and 64 features, 15 epochs of "
    "pretraining, 40 of fine-tuning, two versions of a spectrum an epoch, after SNV), not the paper's of 32, 64 and "
    "128 features, 100 and 250 epochs; nothing was searched",
    "classifiers choose preprocessing and settings on inner folds of the training spectra",
)

pretext_table = partial(
    ClassTable,
    split=SPLIT,
    study="pretrain",
    settings=SETTINGS,
    plain=PLAIN,
    disjoint=DISJOINT,
    nothing=NOTHING,
    references=REFERENCES,
)


def four(metric: str, *percent: float) -> tuple[Printed, ...]:
    """Figures in the order of :data:`SETS`, in percent."""
    return tuple(Printed(metric, where, Figure(value)) for where, value in zip(SETS, percent, strict=True))


def accuracy(where: str, percent: float) -> tuple[Printed, ...]:
    """One printed accuracy."""
    return (Printed("accuracy", where, Figure(percent)),)
