"""SpectroSim chapter, Overall Results, second table: networks as binary classifiers of the difference vector."""

from __future__ import annotations

from spectrosim_search.search.published._common import CHAPTER_SPLIT, THRESHOLD, figure
from spectrosim_search.search.published._table import PAPER, Row, Table

__all__ = ["TABLE"]

TABLE = Table(
    title="SpectroSim chapter: direct binary classification",
    source=f"{PAPER} chapter, Overall Results, second table",
    split=CHAPTER_SPLIT,
    pair_split=0.0,
    folds=3,
    stopped_on_test=False,
    study="encoders",
    settings=(),
    made=(
        "networks and their training are those of docs/baselines.md on x1 - x2: small, a fixed number of epochs",
        THRESHOLD,
    ),
    rows=(
        Row("transformer", "Transformer", figure(61.5, 7.1, 97.6, 7.4), baseline="binary-transformer"),
        Row("moe-transformer", "MoE", figure(62.5, 7.4, 99.9, 0.5), baseline="binary-moe-transformer"),
        Row(
            "ensemble-transformer",
            "Ensemble Transformer",
            figure(60.8, 7.4, 99.7, 1.1),
            baseline="binary-ensemble-transformer",
        ),
        Row("cnn", "CNN", figure(52.3, 5.7, 50.0, 1.4), baseline="binary-cnn"),
        Row("resnet", "ResNet", figure(51.2, 2.9, 50.2, 1.3), baseline="binary-resnet"),
        Row("kan", "KAN", figure(50.4, 2.5, 49.8, 1.9), baseline="binary-kan"),
        Row("vae", "VAE", figure(50.0, 0.0, 50.0, 0.0), baseline="binary-vae"),
        Row("mamba", "Mamba", figure(51.3, 7.7, 50.0, 1.2), baseline="binary-mamba"),
    ),
    notes=(
        "the chapter's classical methods have the figures of the paper's Table 2: they stand there",
        "the chapter's introduction says that no binary classifier passes 60 %, this table has three that do",
    ),
)
