"""Settings of the program pretrain."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

from spectrosim_search.baselines.classifiers._linear import AXES, SHRINKAGE
from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import ConfigurationError, nearest
from spectrosim_search.config.fields import field

__all__ = ["KINDS", "Settings", "check", "settings_of"]

KINDS = ("noise", "offset", "multiplication", "horizontal_flip", "vertical_flip", "permutation")


@dataclass(frozen=True)
class Settings:
    """Settings of pretraining and fine-tuning."""

    pretext: Literal["transformations", "contrastive", "none"] = field(
        "transformations",
        "transformations: recognise how a spectrum was changed; contrastive: the configuration's objective; none: the "
        "encoder as it starts",
    )
    noise: bool = field(True, "show spectra with Gaussian noise")
    offset: bool = field(True, "show spectra moved up or down")
    multiplication: bool = field(True, "show spectra multiplied by a factor")
    horizontal_flip: bool = field(True, "show spectra mirrored at their mean")
    vertical_flip: bool = field(True, "show spectra reversed along the axis")
    permutation: bool = field(True, "show spectra with their segments exchanged")
    noise_strength: float = field(
        0.1, "standard deviation of the noise", unit="sd of the training spectra", low=0.0, high=10.0
    )
    offset_strength: float = field(0.1, "largest offset", unit="sd of the training spectra", low=0.0, high=10.0)
    multiplication_strength: float = field(0.1, "the factor lies in 1 ± this", low=0.0, high=0.95)
    segments: int = field(4, "segments that are exchanged", unit="segments", low=2, high=64)
    weight_raw: float = field(1.0, "weight of the head for unchanged spectra", low=0.0, high=100.0)
    weight_noise: float = field(1.0, "weight of the head for noise", low=0.0, high=100.0)
    weight_offset: float = field(1.0, "weight of the head for offsets", low=0.0, high=100.0)
    weight_multiplication: float = field(1.0, "weight of the head for multiplication", low=0.0, high=100.0)
    weight_horizontal_flip: float = field(1.0, "weight of the head for the horizontal flip", low=0.0, high=100.0)
    weight_vertical_flip: float = field(1.0, "weight of the head for the vertical flip", low=0.0, high=100.0)
    weight_permutation: float = field(1.0, "weight of the head for permutation", low=0.0, high=100.0)
    versions: int = field(2, "versions of a spectrum shown in an epoch of pretraining (7: all)", low=1, high=7)
    features: int = field(
        0, "block of the encoder behind which the classifier (and the pretext) reads; 0: the embedding", low=0, high=10
    )
    trainable: Literal["all", "from-block", "last-block", "head"] = field(
        "all", "what fine-tuning changes beside the classifier: every block, those from `from_block` on, the last, none"
    )
    from_block: int = field(2, "first block that fine-tuning changes (trainable from-block)", low=1, high=10)
    epochs: int = field(40, "epochs of fine-tuning; pretraining has those of `training`", low=1, high=10000)
    learning_rate: float = field(1e-3, "peak of fine-tuning's one-cycle schedule", low=1e-6, high=1.0)
    batch_size: int = field(32, "spectra in a batch of fine-tuning", low=2, high=4096)
    hidden: int = field(64, "features of the two hidden layers of classifier and pretext heads", low=2, high=4096)
    dropout: float = field(0.5, "share of those features dropped while training", low=0.0, high=0.9)
    augment: bool = field(False, "fine-tuning sees spectra changed by the configuration's augmentations")
    label_fraction: float = field(
        1.0, "share of the training spectra, class by class, whose class is known", low=0.001, high=1.0
    )
    branch: Literal["none", "discriminant", "alone"] = field(
        "none",
        "discriminant: the network's probabilities are averaged with those of a linear discriminant analysis of the "
        "preprocessed spectra, fitted on the same labelled spectra; alone: the analysis answers, no network is trained",
    )
    branch_axes: int = field(AXES, "principal axes that the analysis reads", low=1, high=2000)
    branch_shrinkage: float = field(
        SHRINKAGE, "of the analysis's covariance inside classes, towards equal variances", low=1e-6, high=1.0
    )
    transductive: bool = field(False, "pretraining also sees the judged spectra, without their classes")


def check(settings: Settings) -> list[str]:
    """Return what contradicts itself."""
    if settings.pretext == "transformations" and not any(getattr(settings, kind) for kind in KINDS):
        return ["no transformation is left to recognise: switch one on, or set pretext to none"]
    return []


def settings_of(configuration: Configuration) -> Settings:
    """The program's settings. Raises ConfigurationError, all problems at once."""
    given = dict(configuration.program.parameters) if configuration.program is not None else {}
    known = {f.name for f in dataclasses.fields(Settings)}
    problems = [f"program pretrain: unknown setting '{key}'{nearest(key, known)}" for key in given if key not in known]
    if problems:
        raise ConfigurationError(problems)
    settings = Settings(**given)  # type: ignore[arg-type]  # values were coerced where the document was read
    if problems := check(settings):
        raise ConfigurationError([f"program pretrain: {p}" for p in problems])
    return settings
