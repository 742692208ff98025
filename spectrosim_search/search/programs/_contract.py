"""What a program is given and what it gives back.

Shapes: N spectra of the whole set, L channels, C classes, n training spectra, m judged spectra. Row numbers point into
the whole set.

A program is a module of this package with

``Settings``
    frozen dataclass of its parameters, the ``program`` section of a configuration;
``BASELINES``
    the family whose members are its reference rows, dotted below ``spectrosim_search``;
``REFERENCES``
    the rows that a study has where it names none;
``ROWS_DRAW`` (optional)
    whether a fit of any reference row depends on its seed, whatever the member says of itself;
``label_share(configuration) -> float`` (optional)
    share of the training spectra whose class is known; without it all of them;
``counterpart(configuration) -> tuple[str, Configuration] | None`` (with ``label_share``)
    what a curve over labels sets a configuration against, with its title;
``trains_encoder(configuration) -> bool`` (optional)
    whether the configuration's encoder has a part in it; without it always;
``prepare(spectra) -> SpectraSet`` (optional)
    what becomes of the spectra before anything is split, near-duplicates put into one block for instance;
``side(study, spectra, class_names) -> Mapping[str, NDArray[np.float32]]`` (optional)
    what the study gives beside the spectra;
``run(task, *, device="cpu", on_epoch=None) -> ProgramResult``
    trains on the training rows and predicts the class of every judged row, once, by the final state;
``fit(task, *, device="cpu") -> Mapping[str, NDArray[np.float32]]``
    trains as :func:`run` and returns everything that was learnt, by name (safetensors hold it);
``predict(configuration, parameters, spectra, axis) -> NDArray[np.float32]``
    ``(K, L)`` preprocessed spectra → ``(K, C)`` scores, the largest is the answer;
``mirrored(task, truth) -> Mirrored | None`` (optional)
    spectra it made beside judged ones, whose classes are `truth` ``(m,)``, for a figure;
``baseline(name, given, configuration) -> ClassOutput``
    one fit of a reference row; `configuration` is the study's base.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Configuration

__all__ = ["OnEpoch", "ProgramResult", "ProgramTask", "trains_encoder"]

OnEpoch = Callable[[int, float], bool]  # (epoch, training loss) → whether to stop


@dataclass(frozen=True, eq=False)
class ProgramTask:
    """One training run. Classes are -1 off the labelled training rows: of judged spectra nothing can be read here."""

    key: str
    configuration: Configuration
    seed: int  # keys every random stream of this run
    spectra: NDArray[np.float32]  # (N, L) preprocessed; anything fitted was fitted on training rows
    axis: NDArray[np.float64]  # (L,)
    classes: NDArray[np.int64]  # (N,) 0 to C - 1 on training rows whose class is known, else -1
    class_names: tuple[str, ...]  # (C,)
    train: NDArray[np.int64]  # (n,) rows
    judged: NDArray[np.int64]  # (m,) rows
    side: Mapping[str, NDArray[np.float32]] = field(
        default_factory=dict
    )  # given beside the spectra, e.g. class vectors
    mixtures: Mapping[int, NDArray[np.float32]] = field(
        default_factory=dict
    )  # number of components → (M, L) preprocessed mixtures of judged spectra to take apart (task identify)
    mix: Callable[[NDArray[np.int64]], NDArray[np.float32]] | None = None  # training rows (M, k) → preprocessed (M, L)


@dataclass(frozen=True, eq=False)
class ProgramResult:
    """What one training run gave."""

    status: Literal["finished", "stopped", "diverged"]
    reason: str
    predicted: NDArray[np.int64]  # (m,) class of each judged row
    confidence: NDArray[np.float32]  # (m,) higher = surer
    loss: NDArray[np.float32]  # (E,) mean training loss of each epoch
    train_seconds: float
    metrics: Mapping[str, float] = field(default_factory=dict)  # beside accuracy and macro F1, by name
    components: Mapping[int, NDArray[np.int64]] = field(default_factory=dict)  # k → (M, k) classes of the mixtures


def trains_encoder(configuration: Configuration) -> bool:
    """Whether a configuration's encoder has a part in what its program does; without a program it has."""
    if configuration.program is None:
        return True
    program = registry.load("search.programs", configuration.program.type)
    asked: Callable[[Configuration], bool] | None = getattr(program, "trains_encoder", None)
    return asked is None or asked(configuration)
