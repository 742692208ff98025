from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spectrosim_search.config.configuration import Preprocessing
from spectrosim_search.config.errors import DataError, InputError, RunError
from spectrosim_search.deploy import retrain
from spectrosim_search.deploy.document import ExportDocument, LinearMetric, document_from_yaml
from spectrosim_search.deploy.model_folder import ModelFolder, load
from spectrosim_search.deploy.retrain import train
from spectrosim_search.deploy.verifier import Verifier
from spectrosim_search.evaluation.verification import auc
from spectrosim_search.spectra.spectra_set import SpectraSet

_NETWORK = """
preprocessing: {intensity: log, scale: none}
encoder: {type: transformer, patch: 16, width: 16, depth: 1, heads: 2, out: 16, dropout: 0.0}
head: {type: linear, out: 8}
augmentations: {jitter: {strength: 0.05}}
positives: {source: groups}
optimiser: {learning_rate: 5e-3}
training: {epochs: 12, batch_size: 16, precision: fp32}
"""


@pytest.fixture(scope="module")
def document() -> ExportDocument:
    return document_from_yaml(_NETWORK)


@pytest.fixture(scope="module")
def network(document: ExportDocument, known: SpectraSet, tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    return train(document, known, tmp_path_factory.mktemp("models") / "network", seeds=2, folds=2)


def test_a_network_from_document_to_verdict(network: ModelFolder, known: SpectraSet, new: SpectraSet) -> None:
    assert network.path is not None
    verifier = Verifier.load(network.path)
    left, right = np.triu_indices(len(known), 1)
    same = known.groups[left] == known.groups[right]
    assert auc(verifier.verify_pairs(known).similarity, same) > 0.75  # what it was trained on
    rows = verifier.verify_pairs(new).rows()
    assert {row["same"] for row in rows} <= {True, False}
    assert all(0 < row["probability"] < 1 for row in rows)


def test_epochs_are_the_median_of_those_chosen(network: ModelFolder) -> None:
    chosen = network.training["epochs_chosen"]
    assert len(chosen) == 2 * 2 * 2  # folds × seeds × halves
    assert all(0 <= epoch <= 12 for epoch in chosen)
    assert network.training["epochs"] == max(1, round(float(np.median(chosen))))


def test_the_decision_rests_on_out_of_fold_pairs(network: ModelFolder, known: SpectraSet) -> None:
    d = network.decision
    assert d is not None
    assert (d.folds, d.seeds, d.groups) == (2, 2, 16)
    in_one_part = 2 * 2 * 4 * 3  # two folds of two halves of four groups of three: same-group pairs of each seed
    assert d.same_pairs == in_one_part
    assert d.different_pairs < len(known) * (len(known) - 1) // 2
    assert network.data["fingerprint"] == known.fingerprint
    assert network.data["groups"] == 16


def test_the_same_seed_gives_the_same_model(
    document: ExportDocument, network: ModelFolder, known: SpectraSet, tmp_path: Path
) -> None:
    again = train(document, known, tmp_path / "network", seeds=2, folds=2)
    for name, values in network.parts[0].parameters.items():
        np.testing.assert_array_equal(again.parts[0].parameters[name], values)
    assert again.decision == network.decision


def test_the_folder_can_be_trained_again(network: ModelFolder, known: SpectraSet, tmp_path: Path) -> None:
    assert network.path is not None
    again = train(network.path / "configuration.yaml", known, tmp_path / "again", seeds=1, folds=2)
    assert again.document.identity == network.document.identity


def test_damaged_weights_of_a_network(network: ModelFolder, tmp_path: Path) -> None:
    import hashlib
    import json
    import shutil

    from safetensors.numpy import load_file, save_file

    path = Path(shutil.copytree(network.path or "", tmp_path / "network"))
    arrays = load_file(path / "weights.safetensors")
    name = sorted(arrays)[0]
    del arrays[name]
    save_file(arrays, path / "weights.safetensors")
    facts = json.loads((path / "model.json").read_text())
    facts["files"]["weights.safetensors"] = hashlib.sha256((path / "weights.safetensors").read_bytes()).hexdigest()
    (path / "model.json").write_text(json.dumps(facts))
    with pytest.raises(DataError, match=rf"weights\.safetensors does not fit the configuration \(.*'{name}'"):
        load(path)


@pytest.mark.parametrize("settings", ["tuned", "given"])
def test_linear_metrics(settings: str, known: SpectraSet, new: SpectraSet, tmp_path: Path) -> None:
    log = Preprocessing("log", scale="none")
    metric = LinearMetric("tuned") if settings == "tuned" else LinearMetric("given", 15, 0.3, log)
    folder = train(ExportDocument("linear-metric", linear_metric=metric), known, tmp_path / "m", seeds=1)
    assert "k " in str(folder.training["settings"])
    if settings == "given":
        assert folder.parts[0].parameters["projection"].shape == (160, 15)
        assert folder.parts[0].preprocessing.settings == log
    left, right = np.triu_indices(len(new), 1)
    similarity = Verifier.load(tmp_path / "m").verify_pairs(new).similarity
    assert auc(similarity, new.groups[left] == new.groups[right]) > 0.7


def test_the_linear_metric_scores_as_the_reference_row_does(known: SpectraSet, linear: ModelFolder) -> None:
    """What is handed over is the very method the study compared with."""
    from spectrosim_search.baselines import BaselineInput, run
    from spectrosim_search.protocol.pairs import PairSet

    left, right = np.triu_indices(len(known), 1)
    pairs = PairSet(left, right, known.groups[left] == known.groups[right], np.zeros(len(left), np.int64))
    codes = np.unique(known.groups, return_inverse=True)[1].astype(np.int64)
    data = BaselineInput(known, np.arange(len(known)), codes, np.full(len(known), -1), None, (pairs,))
    expected = run("linear-metric", data).similarities[0]
    np.testing.assert_allclose(Verifier(linear).verify_pairs(known).similarity, expected, atol=2e-5)


def test_few_groups_keep_the_configured_epochs(document: ExportDocument, world: SpectraSet, tmp_path: Path) -> None:
    six = world.select(np.isin(world.groups, np.unique(world.groups)[:6]))
    folder = train(document, six, tmp_path / "few", seeds=1)
    assert folder.training["epochs"] == 12
    assert folder.training["epochs_chosen"] == []
    assert any("too few groups to choose the number of epochs" in note for note in folder.notes)
    assert folder.decision is not None  # two folds judge each other's threshold
    assert folder.decision.groups == 6
    three = world.select(np.isin(world.groups, np.unique(world.groups)[:3]))
    with pytest.raises(InputError, match="3 groups of two or more spectra: at least 4"):
        train(document, three, tmp_path / "fewer")
    assert not (tmp_path / "fewer").exists()


def test_spectra_without_a_group_are_left_out_and_counted(known: SpectraSet, tmp_path: Path) -> None:
    groups = known.groups.copy()
    groups[:2] = ""
    pool = replace(known, groups=groups)
    provenance = {"data_fingerprint": pool.fingerprint}
    document = ExportDocument("linear-metric", linear_metric=LinearMetric("fixed"), provenance=provenance)
    folder = train(document, pool, tmp_path / "m", seeds=1)
    assert "chosen by a search on these same spectra" in (tmp_path / "m" / "README.md").read_text()
    assert folder.data["spectra"] == len(known) - 2
    assert "2 spectra without a group were left out" in folder.notes
    with pytest.raises(DataError, match="no spectrum of"):
        train(document, replace(known, groups=np.full(len(known), "")), tmp_path / "n")


def test_wrong_input_is_refused_before_training(
    document: ExportDocument,
    known: SpectraSet,
    linear: ModelFolder,
    linear_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("trained in spite of wrong input")

    monkeypatch.setattr(retrain, "cross_fit_network", never)
    monkeypatch.setattr(retrain, "cross_fit_linear", never)
    with pytest.raises(InputError, match="a model lies in"):
        train(document, known, linear_path)
    with pytest.raises(InputError, match="0 seeds"):
        train(document, known, tmp_path / "m", seeds=0)
    with pytest.raises(InputError, match="cannot be read"):
        train(tmp_path / "none.yaml", known, tmp_path / "m")


def test_intensities_the_preprocessing_cannot_take(document: ExportDocument, known: SpectraSet, tmp_path: Path) -> None:
    below = known.intensities.copy()
    below[5, 7] = -1
    with pytest.raises(DataError, match="cannot take negative intensities"):
        train(document, replace(known, intensities=below), tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_divergence_is_a_failed_run_and_leaves_nothing(known: SpectraSet, tmp_path: Path) -> None:
    wild = document_from_yaml(
        _NETWORK.replace("5e-3", "1.0, gradient_clip: 1e6").replace("intensity: log", "intensity: none")
    )
    huge = replace(known, intensities=known.intensities * np.float32(1e30))
    with pytest.raises(RunError, match="diverged"):
        train(wild, huge, tmp_path / "m", seeds=1)
    assert list(tmp_path.iterdir()) == []


def test_progress_rises_to_one(known: SpectraSet, tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    document = ExportDocument("linear-metric", linear_metric=LinearMetric("fixed"))
    train(document, known, tmp_path / "m", seeds=2, progress=lambda what, share: told.append((what, share)))
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert told[-1] == ("done", 1.0)
