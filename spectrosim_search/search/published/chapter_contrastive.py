"""SpectroSim chapter, Overall Results, third table: networks in the SimCLR framework."""

from __future__ import annotations

from spectrosim_search.search.published._common import CHAPTER_SPLIT, ENCODER_SIZES, THRESHOLD, contrastive, figure
from spectrosim_search.search.published._table import PAPER, Row, Table

__all__ = ["TABLE"]

TABLE = Table(
    title="SpectroSim chapter: contrastive learning",
    source=f"{PAPER} chapter, Overall Results, third table",
    split=CHAPTER_SPLIT,
    pair_split=0.0,
    folds=3,
    stopped_on_test=False,
    study="encoders",
    settings=(
        "positives.source=views",
        "objective.temperature=0.07",
        "augmentations.shift=true",
        "augmentations.scale=true",
        "augmentations.crop-pad=true",
        "augmentations.flip=true",
        "augmentations.permutation=true",
    ),
    made=(
        ENCODER_SIZES + "; temperature .07, batch 16, the chapter's six augmentations at this program's strengths, "
        "positives from views: no network sees a batch",
        THRESHOLD,
    ),
    rows=(
        contrastive("transformer", "Transformer", figure(70.8, 9.6, 77.1, 4.9), "transformer"),
        contrastive("moe-transformer", "MoE", figure(70.4, 10.4, 77.6, 5.6), "moe-transformer"),
        contrastive(
            "ensemble-transformer", "Ensemble Transformer", figure(67.9, 12.8, 77.4, 7.0), "ensemble-transformer"
        ),
        contrastive("cnn", "CNN", figure(50.6, 12.4, 56.6, 3.1), "cnn"),
        contrastive("resnet", "ResNet", figure(50.0, 8.5, 55.9, 3.3), "resnet"),
        contrastive("kan", "KAN", figure(50.0, 0.0, 55.7, 2.4), "kan"),
        contrastive("vae", "VAE", figure(50.0, 0.0, 51.1, 2.1), "vae"),
        contrastive("mamba", "Mamba", figure(50.6, 4.7, 55.4, 2.8), "mamba"),
        Row(
            "preset-contrastive",
            "Transformer, preset, contrastive",
            figure(70.8, 9.6, 77.1, 4.9),
            preset="spectrosim-chapter",
            note="the training that the chapter prints (preset spectrosim-chapter: rate 1e-5, patience 5) on a "
            "Transformer of 20 tokens",
        ),
    ),
    notes=("the first paper prints 98.02 % for the Transformer that has 70.8 % here",),
)
