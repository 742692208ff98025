"""PLDA as something to take away: baseline, folder, verifier and ONNX file say the same number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spectrosim_search.baselines import BaselineInput, plda, run
from spectrosim_search.config.configuration import Preprocessing
from spectrosim_search.config.errors import ConfigurationError, DataError
from spectrosim_search.deploy.document import ExportDocument, LinearMetric, document_from_yaml, document_to_yaml
from spectrosim_search.deploy.embedding import row_similarity
from spectrosim_search.deploy.model_folder import ModelFolder, load
from spectrosim_search.deploy.retrain import train
from spectrosim_search.deploy.verifier import Verifier
from spectrosim_search.protocol.pairs import PairSet
from spectrosim_search.spectra.spectra_set import SpectraSet
from tests.deploy.test_onnx import needs_onnx

TUNED = LinearMetric(comparison="plda")
FIXED = LinearMetric("fixed", comparison="plda")
GIVEN = LinearMetric("given", 8, 0.5, Preprocessing("log", scale="none"), "plda")


def _baseline(metric: LinearMetric, known: SpectraSet, new: SpectraSet, world: SpectraSet) -> np.ndarray:
    """What the baseline, fitted on the known spectra, says of all pairs of new ones."""
    rows = {name: row for row, name in enumerate(world.sample_ids.tolist())}
    train_rows = np.array([rows[name] for name in known.sample_ids.tolist()])
    judged = np.array([rows[name] for name in new.sample_ids.tolist()])
    left, right = (judged[side] for side in np.triu_indices(len(new), 1))
    groups = np.unique(world.groups, return_inverse=True)[1].astype(np.int64)
    nothing = np.zeros(left.size, np.int64)
    pairs = PairSet(left, right, groups[left] == groups[right], nothing)
    labels = np.unique(world.labels, return_inverse=True)[1].astype(np.int64)
    data = BaselineInput(world, train_rows, groups, labels, None, (pairs,))
    if metric.settings == "given":
        out = plda.with_settings(data, metric.preprocessing, metric.components, metric.shrinkage, "")
    else:
        out = run(metric.baseline, data)
    return out.similarities[0]


def _folder(metric: LinearMetric, known: SpectraSet, path: Path) -> ModelFolder:
    return train(ExportDocument("linear-metric", linear_metric=metric), known, path, seeds=1)


@pytest.fixture(scope="module")
def folder(known: SpectraSet, tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    return _folder(FIXED, known, tmp_path_factory.mktemp("models") / "plda")


@pytest.mark.parametrize("metric", [TUNED, FIXED, GIVEN], ids=lambda m: m.settings)
def test_a_model_says_what_the_baseline_says(
    metric: LinearMetric, known: SpectraSet, new: SpectraSet, world: SpectraSet, tmp_path: Path
) -> None:
    model = _folder(metric, known, tmp_path / "m")
    assert model.decision is not None and model.decision.auc.value > 0.6
    expected = _baseline(metric, known, new, world)
    assert np.ptp(expected) > 1
    again = Verifier.load(tmp_path / "m")
    found = again.verify_pairs(new).similarity
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    np.testing.assert_array_equal(found, Verifier(model).verify_pairs(new).similarity)
    gallery = again.verify_gallery(new, new)
    assert gallery.mean_similarity.shape == (len(new), 8)


def test_one_spectrum_or_many(folder: ModelFolder, new: SpectraSet) -> None:
    verifier = Verifier(folder)
    z = verifier.embed(new)
    np.testing.assert_allclose(verifier.embed(new.select(np.arange(len(new)) == 4))[0], z[4], rtol=1e-6, atol=1e-6)


def test_the_card_says_what_the_number_is(folder: ModelFolder) -> None:
    assert folder.path is not None
    card = (folder.path / "README.md").read_text()
    assert "compared by probabilistic linear discriminant analysis" in card
    assert "a log likelihood ratio of one group against two as PLDA's normal distributions have it" in card
    assert "between -1 and 1" not in card


@needs_onnx
@pytest.mark.slow
def test_onnx(folder: ModelFolder, new: SpectraSet, tmp_path: Path) -> None:
    import onnx
    import onnxruntime

    from spectrosim_search.deploy.onnx import export_onnx

    file = export_onnx(folder, tmp_path / "m.onnx")
    assert {p.key: p.value for p in onnx.load(file).metadata_props}["similarity"] == "dot and own terms"
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    z = np.asarray(session.run(None, {"intensities": new.intensities})[0])
    expected = Verifier(folder).verify_pairs(new).similarity
    found = row_similarity(z, *np.triu_indices(len(new), 1), True)
    np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max())


@pytest.mark.parametrize("metric", [TUNED, FIXED, GIVEN], ids=lambda m: m.settings)
def test_documents(metric: LinearMetric) -> None:
    document = ExportDocument("linear-metric", linear_metric=metric)
    assert document_from_yaml(document_to_yaml(document)) == document
    cosine = LinearMetric(metric.settings, metric.components, metric.shrinkage, metric.preprocessing)
    assert document.identity != ExportDocument("linear-metric", linear_metric=cosine).identity
    assert "comparison" not in document_to_yaml(ExportDocument("linear-metric", linear_metric=cosine))


def test_identities_older_than_the_choice() -> None:
    tuned = ExportDocument("linear-metric", linear_metric=LinearMetric())
    given = ExportDocument("linear-metric", linear_metric=LinearMetric("given", 7, 0.5))
    assert (tuned.identity, given.identity) == ("164ec439985d6b6e", "8ed21dc2ac089d21")


def test_wrong_input(folder: ModelFolder, linear: ModelFolder, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="comparison"):
        document_from_yaml("kind: linear-metric\nlinear_metric: {comparison: pldaa}\n")
    with pytest.raises(ConfigurationError, match="only count with settings: given"):
        document_from_yaml("kind: linear-metric\nlinear_metric: {comparison: plda, components: 9}\n")
    import hashlib
    import json
    import shutil

    assert folder.path is not None and linear.path is not None
    mixed = Path(shutil.copytree(folder.path, tmp_path / "mixed"))
    weights = (linear.path / "weights.safetensors").read_bytes()  # of a metric compared by cosine
    (mixed / "weights.safetensors").write_bytes(weights)
    facts = json.loads((mixed / "model.json").read_text())
    facts["files"]["weights.safetensors"] = hashlib.sha256(weights).hexdigest()
    (mixed / "model.json").write_text(json.dumps(facts))
    with pytest.raises(DataError, match="compared by plda"):
        load(mixed)
