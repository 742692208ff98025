from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spectrosim_search.config.configuration import Preprocessing
from spectrosim_search.config.errors import InputError, MissingExtraError
from spectrosim_search.deploy._onnx_preprocessing import PreprocessingGraph
from spectrosim_search.deploy.document import ExportDocument, LinearMetric, document_from_yaml
from spectrosim_search.deploy.model_folder import ModelFolder
from spectrosim_search.deploy.onnx import export_onnx
from spectrosim_search.deploy.retrain import train
from spectrosim_search.deploy.verifier import Verifier
from spectrosim_search.spectra.preprocessing import describe, fit
from spectrosim_search.spectra.spectra_set import SpectraSet

_NEEDED = ("onnx", "onnxscript", "onnxruntime")
_missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
needs_onnx = pytest.mark.skipif(bool(_missing), reason=f"not installed: {', '.join(_missing)}")


def _run(path: Path, intensities: np.ndarray) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"intensities": intensities})[0])


def _linear(preprocessing: Preprocessing, spectra: SpectraSet, path: Path) -> ModelFolder:
    metric = LinearMetric("given", 10, 0.1, preprocessing)
    return train(ExportDocument("linear-metric", linear_metric=metric), spectra, path, seeds=1)


@needs_onnx
@pytest.mark.slow
@pytest.mark.parametrize(
    "preprocessing",
    [
        Preprocessing("none", scale="none"),
        Preprocessing("tic"),
        Preprocessing("sqrt"),
        Preprocessing("log", scale="none"),
        Preprocessing("snv", derivative=1, window=9),
        Preprocessing("msc", derivative=2, window=9, scale="pareto"),
        Preprocessing("msc", scale="centre", baseline="polynomial", baseline_order=1, binning=3),
        Preprocessing("sqrt", baseline="snip", baseline_width=30, binning=2),
        Preprocessing("log", scale="none", baseline="polynomial"),
    ],
    ids=describe,
)
def test_a_linear_metric_with_each_preprocessing(
    preprocessing: Preprocessing, known: SpectraSet, new: SpectraSet, tmp_path: Path
) -> None:
    folder = _linear(preprocessing, known, tmp_path / "m")
    path = export_onnx(folder, tmp_path / "m.onnx")
    expected = Verifier(folder).embed(new)
    np.testing.assert_allclose(_run(path, new.intensities), expected, atol=2e-5)
    np.testing.assert_allclose(_run(path, new.intensities[:1]), expected[:1], atol=2e-5)  # any number of spectra
    assert np.isfinite(_run(path, np.zeros_like(new.intensities))).all()


@needs_onnx
@pytest.mark.slow
@pytest.mark.parametrize("head", ["linear", "mlp", "spectral"])
def test_a_network(head: str, known: SpectraSet, new: SpectraSet, tmp_path: Path) -> None:
    text = (
        "encoder: {type: transformer, patch: 16, width: 16, depth: 1, heads: 2, out: 8}\n"
        f"head: {{type: {head}}}\ntraining: {{epochs: 2, batch_size: 16}}\n"
    )
    folder = train(document_from_yaml(text), known, tmp_path / "m", seeds=1, folds=2)
    path = export_onnx(folder, tmp_path / "m.onnx")
    np.testing.assert_allclose(_run(path, new.intensities), Verifier(folder).embed(new), atol=1e-4)


@needs_onnx
@pytest.mark.slow
def test_a_network_over_binned_spectra(known: SpectraSet, new: SpectraSet, tmp_path: Path) -> None:
    text = (
        "preprocessing: {intensity: msc, binning: 3, baseline: polynomial}\n"
        "encoder: {type: transformer, patch: 8, width: 16, depth: 1, heads: 2, out: 8}\n"
        "head: {type: spectral}\ntraining: {epochs: 2, batch_size: 16}\n"
    )
    folder = train(document_from_yaml(text), known, tmp_path / "m", seeds=1, folds=2)
    path = export_onnx(folder, tmp_path / "m.onnx")
    np.testing.assert_allclose(_run(path, new.intensities), Verifier(folder).embed(new), atol=1e-4)


@pytest.mark.parametrize(
    ("preprocessing", "says"),
    [
        (Preprocessing(baseline="arpls"), "baseline 'arpls' has no counterpart in an ONNX file: use the model folder"),
        (Preprocessing(baseline="snip", baseline_width=1000), "over 1000 channels .* only up to 200"),
    ],
)
def test_steps_without_a_counterpart(preprocessing: Preprocessing, says: str) -> None:
    state = fit(preprocessing, np.random.default_rng(0).gamma(2.0, size=(4, 1200)))
    with pytest.raises(InputError, match=says):
        PreprocessingGraph(state)


@needs_onnx
def test_metadata_and_a_place_that_cannot_be_written(linear: ModelFolder, tmp_path: Path) -> None:
    import onnx

    path = export_onnx(linear, tmp_path / "m.onnx")
    facts = {p.key: p.value for p in onnx.load(path).metadata_props}
    assert linear.decision is not None
    assert float(facts["threshold"]) == linear.decision.threshold
    assert json.loads(facts["axis"]) == linear.axis.tolist()
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]
    with pytest.raises(InputError, match="cannot be written"):
        export_onnx(linear, tmp_path / "nowhere" / "m.onnx")


def test_the_extra_is_named(linear: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec

    def without(name: str, *arguments: Any) -> Any:
        return None if name == "onnxscript" else find(name, *arguments)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    with pytest.raises(MissingExtraError, match=r"spectrosim-search\[onnx\]"):
        export_onnx(linear, tmp_path / "m.onnx")
