"""What the identification benchmark is made of: its spectra, its configurations, one trained model."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._candidates import CHOSEN, CHOSEN_FEW, FIRST, document, few_document
from spectrosim_search.config.configuration import Component, Configuration, Scalar
from spectrosim_search.search.documents.configurations import configuration_from_mapping
from spectrosim_search.search.programs import ProgramTask, identify
from spectrosim_search.spectra.preprocessing import State, fit
from spectrosim_search.spectra.simulators import simulate
from spectrosim_search.spectra.simulators.class_table import read_table, render
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = [
    "CHALLENGE",
    "CLASSES",
    "COMPOUNDS",
    "FEW",
    "VALIDATION",
    "Drawn",
    "Model",
    "challenge",
    "configured",
    "drawn",
    "templates",
    "train",
]

_NARROW = {"narrow_shift": "8:17,318:17", "narrow_height": "164:0.025,281:0.025,219:0.025,347:0.025"}
VALIDATION = 1_000_000  # added to the seed of validation spectra

CLASSES: Mapping[str, Any] = document(CHOSEN)  # 500 classes of peaks: small enough for a processor
FEW: Mapping[str, Any] = few_document(CHOSEN_FEW, epochs=8)  # of all spectra: 80 passes over five of each class
CHALLENGE: Mapping[str, Any] = {  # few classes, told apart by small peaks, small shifts and small differences of height
    **FIRST,
    "encoder": {"type": "cnn", "width": 16, "stem_kernel": 15, "stem_stride": 8, "regions": 64, "out": 128},
    # without displaced peaks 50 spectra a class are learnt by heart; chosen of five settings by validation spectra
    "augmentations": {"axis-warp": {"probability": 1.0, "strength": 0.006, "knots": 16}},
    "training": {"batch_size": 108, "epochs": 60},
}
COMPOUNDS: Mapping[str, Any] = {  # mass spectra of few compounds: starts as the linear metric
    "preprocessing": {"intensity": "sqrt", "scale": "none"},
    "encoder": {"type": "whitened", "components": 150, "shrinkage": 0.5},
    "head": {"type": "identity"},
    "objective": {"type": "supcon", "temperature": 0.1},
    "augmentations": {"within-group": {}},
    "positives": {"source": "both", "spectra_per_group": 4},
    "optimiser": {"learning_rate": 0.001},
    "training": {"batch_size": 64, "epochs": 20},
}


@dataclass(frozen=True, eq=False)
class Drawn:
    """Training, validation and test spectra of the same classes, as measured; classes are numbered alike."""

    train: SpectraSet
    validation: SpectraSet
    test: SpectraSet

    @staticmethod
    def codes(spectra: SpectraSet) -> NDArray[np.int64]:
        """Class numbers ``(N,)``."""
        return np.asarray(np.unique(spectra.groups, return_inverse=True)[1], dtype=np.int64)


def drawn(table: str, classes: int, spectra: int, seed: int) -> Drawn:
    """The universal benchmark: random training and validation (a fifth as many) spectra, the fixed test grid.

    The exceptions of the published grid hold for the published table alone; without a table there are none.
    """
    common: dict[str, Scalar] = {"table": table, "classes": classes, "seed": seed}
    grid = simulate("class-table", draw="grid", **common, **(_NARROW if table else {}))
    held = (
        simulate("class-table", **{**common, "seed": seed + VALIDATION}, spectra=max(1, spectra // 5))
        if table
        else (_of_drawn_table(common, spectra))
    )
    return Drawn(simulate("class-table", spectra=spectra, **common), held, grid)


def _of_drawn_table(common: Mapping[str, Scalar], spectra: int) -> SpectraSet:
    """Validation spectra where the seed draws the classes too: what is drawn behind the training spectra."""
    more = max(1, spectra // 5)
    every = simulate("class-table", spectra=spectra + more, **common)
    return every.select(np.arange(len(every)) % (spectra + more) >= spectra)


def challenge(table: str, seed: int) -> Drawn:
    """The challenge set: the highest peak keeps its height, six test spectra a class."""
    common: dict[str, Scalar] = {"table": table, "keep_highest": True}
    return Drawn(
        simulate("class-table", seed=seed, **common),
        simulate("class-table", seed=seed + VALIDATION, spectra=10, **common),
        simulate("class-table", draw="triplets", grid_height=0.03, **common),
    )


def templates(table: str, test: SpectraSet, *, power: float) -> NDArray[np.int64]:
    """Class of the nearest ideal spectrum at the three test shifts, by Euclidean distance of intensities^power.

    It knows the table and the shifts, which no training set says.
    """
    shifts = np.array([[0.0], [-30.0], [30.0]])
    known = np.concatenate(
        [
            render(p.position + shifts, np.repeat(p.height[None], 3, axis=0), np.full(3, 2.0), test.axis.size)
            for p in read_table(table)
        ]
    )
    a, b = test.intensities.astype(np.float64) ** power, known.astype(np.float64) ** power
    distance = (b**2).sum(axis=1) - 2 * a @ b.T
    return np.asarray(distance.argmin(axis=1) // 3, dtype=np.int64)


def configured(document: Mapping[str, Any], epochs: int = 0, **settings: Scalar) -> Configuration:
    """A configuration with the program's settings; `epochs` other than 0 replaces the document's."""
    base = configuration_from_mapping(dict(document))
    if epochs:
        base = replace(base, training=replace(base.training, epochs=epochs))
    return replace(base, program=Component.of("identify", **settings))


@dataclass(frozen=True, eq=False)
class Model:
    """A fitted program with its preprocessing."""

    configuration: Configuration
    state: State
    parameters: Mapping[str, NDArray[np.float32]]
    axis: NDArray[np.float64]
    seconds: float  # of the processor, training and gallery

    def embed(self, intensities: NDArray[np.float32]) -> NDArray[np.float32]:
        """Spectra as measured ``(N, L)`` → ``(N, D)``."""
        return identify.embed(self.configuration, self.parameters, self.state.transform(intensities), self.axis)

    def save(self, path: Path) -> None:
        """Write the learnt tensors."""
        np.savez(path, **{k: np.asarray(v) for k, v in self.parameters.items()})  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path, configuration: Configuration, train: SpectraSet) -> Model:
        """Read what :meth:`save` wrote; the preprocessing is fitted again."""
        state = fit(configuration.preprocessing, train.intensities)
        with np.load(path, allow_pickle=False) as stored:
            return cls(configuration, state, dict(stored), state.axis(train.axis), float("nan"))


def train(configuration: Configuration, spectra: SpectraSet, codes: NDArray[np.int64], seed: int, device: str) -> Model:
    """Train on all spectra given; codes ``(N,)`` number their classes from 0."""
    begun = time.process_time()
    state = fit(configuration.preprocessing, spectra.intensities)
    names = np.unique(spectra.groups)
    task = ProgramTask(
        key="benchmark",
        configuration=configuration,
        seed=seed,
        spectra=state.transform(spectra.intensities),
        axis=state.axis(spectra.axis),
        classes=codes,
        class_names=tuple(names.tolist()),
        train=np.arange(len(spectra)),
        judged=np.empty(0, dtype=np.int64),
    )
    parameters = identify.fit(task, device=device)
    return Model(configuration, state, parameters, task.axis, time.process_time() - begun)
