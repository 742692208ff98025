"""A small world of simulated spectra: some batches to train on, others that no model has seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spectrosim_search.deploy.document import ExportDocument, LinearMetric
from spectrosim_search.deploy.model_folder import ModelFolder
from spectrosim_search.deploy.retrain import train
from spectrosim_search.spectra.simulators import simulate
from spectrosim_search.spectra.spectra_set import SpectraSet


@pytest.fixture(scope="session")
def world() -> SpectraSet:
    return simulate("reims", batches=24, channels=160, seed=3)


def _batches(world: SpectraSet, first: int, last: int) -> SpectraSet:
    names = np.unique(world.groups)[first:last]
    return world.select(np.isin(world.groups, names))


@pytest.fixture(scope="session")
def known(world: SpectraSet) -> SpectraSet:
    return _batches(world, 0, 16)


@pytest.fixture(scope="session")
def new(world: SpectraSet) -> SpectraSet:
    return _batches(world, 16, 24)


@pytest.fixture(scope="session")
def linear(known: SpectraSet, tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    document = ExportDocument("linear-metric", linear_metric=LinearMetric(settings="fixed"))
    return train(document, known, tmp_path_factory.mktemp("models") / "linear", seeds=2)


@pytest.fixture
def linear_path(linear: ModelFolder, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    import shutil

    assert linear.path is not None
    return Path(shutil.copytree(linear.path, tmp_path / "linear"))
