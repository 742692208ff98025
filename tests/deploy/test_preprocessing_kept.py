"""A model that was written and read says the same, whatever its preprocessing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spectrosim_search.config.configuration import Preprocessing
from spectrosim_search.deploy.document import ExportDocument, LinearMetric, document_from_yaml, document_to_yaml
from spectrosim_search.deploy.estimator import SpectroSim
from spectrosim_search.deploy.retrain import train
from spectrosim_search.deploy.verifier import Verifier
from spectrosim_search.spectra.preprocessing import describe
from spectrosim_search.spectra.spectra_set import SpectraSet


@pytest.mark.parametrize(
    "asked",
    [
        Preprocessing("none", scale="centre", binning=7),
        Preprocessing("tic", scale="pareto", baseline="snip", baseline_width=20),
        Preprocessing("sqrt", baseline="arpls", baseline_width=40),
        Preprocessing("log", scale="none", baseline="polynomial", baseline_order=3),
        Preprocessing("snv", 1, 9, binning=2),
        Preprocessing("msc", 2, 9, baseline="polynomial", binning=3),
    ],
    ids=describe,
)
def test_a_linear_metric(asked: Preprocessing, known: SpectraSet, new: SpectraSet, tmp_path: Path) -> None:
    document = ExportDocument("linear-metric", linear_metric=LinearMetric("given", 10, 0.1, asked))
    assert document_from_yaml(document_to_yaml(document)) == document
    folder = train(document, known, tmp_path / "m", seeds=1)
    again = Verifier.load(tmp_path / "m")
    assert again.folder.parts[0].preprocessing.settings == asked
    assert again.folder.parts[0].parameters["mean"].shape == (asked.channels(160),)
    found = again.embed(new)
    np.testing.assert_array_equal(found, Verifier(folder).embed(new))
    np.testing.assert_array_equal(again.embed(new.select(np.arange(len(new)) == 4))[0], found[4])
    assert describe(asked) in (tmp_path / "m" / "README.md").read_text(encoding="utf-8")
    moved = replace(new, axis=new.axis + 0.3 * (new.axis[1] - new.axis[0]))  # interpolated over the measured axis
    with pytest.warns(UserWarning, match="interpolated"):
        assert again.embed(moved).shape == found.shape


@pytest.mark.parametrize("encoder", ["transformer", "one-token-transformer"])
def test_a_network_over_bins(encoder: str, known: SpectraSet, new: SpectraSet, tmp_path: Path) -> None:
    size = (
        "patch: 8, width: 16, depth: 1, heads: 2, out: 8" if encoder == "transformer" else "width: 16, depth: 1, out: 8"
    )
    text = (
        "preprocessing: {intensity: msc, binning: 3, baseline: snip, baseline_width: 30, scale: pareto}\n"
        f"encoder: {{type: {encoder}, {size}}}\nhead: {{type: linear}}\n"
        "training: {epochs: 2, batch_size: 16}\n"
    )
    folder = train(document_from_yaml(text), known, tmp_path / "m", seeds=1, folds=2)
    again = Verifier.load(tmp_path / "m")
    assert len(again.folder.axis) == 160
    assert len(again.folder.parts[0].preprocessing.axis(again.folder.axis)) == 54
    np.testing.assert_array_equal(again.embed(new), Verifier(folder).embed(new))


def test_the_estimator_takes_every_setting(known: SpectraSet) -> None:
    model = SpectroSim(
        encoder_parameters={"patch": 8, "width": 16, "depth": 1, "heads": 2, "out": 8},
        intensity="msc",
        scale="pareto",
        preprocessing_parameters={"binning": 4, "baseline": "polynomial"},
        epochs=1,
        random_state=0,
    ).fit(known.intensities, groups=known.groups)
    assert model.configuration_.preprocessing == Preprocessing("msc", 0, 11, "pareto", "polynomial", binning=4)
    np.testing.assert_allclose(model.transform(known.intensities), model.embedding_, atol=1e-6)
