"""Models that do not compare by cosine: engine, folder, verifier, estimator and ONNX file say the same number."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from spectrosim_search.deploy.document import document_from_yaml
from spectrosim_search.deploy.embedding import embed_parts, row_similarity, similarity_matrix
from spectrosim_search.deploy.estimator import SpectroSim
from spectrosim_search.deploy.model_folder import ModelFolder, load
from spectrosim_search.deploy.retrain import train
from spectrosim_search.deploy.verifier import Verifier
from spectrosim_search.learning.engine import train_stack
from spectrosim_search.learning.tasks import EvaluationPairs, ReplicateTask, TrainingData
from spectrosim_search.spectra.spectra_set import SpectraSet
from tests.deploy.test_onnx import needs_onnx

DOCUMENT = """
kind: committee
members:
  - preprocessing: {intensity: log, scale: none}
    encoder: {type: whitened, components: 15, shrinkage: 0.1}
    training: {epochs: 0, similarity: encoder, comparison: plda, comparison_shrinkage: 0.5, comparison_neighbours: 2}
  - preprocessing: {intensity: sqrt, scale: standard}
    encoder: {type: whitened, components: 8, shrinkage: 0.1}
    training: {epochs: 0, similarity: encoder}
  - preprocessing: {intensity: sqrt, scale: none}
    encoder: {type: whitened, components: 8, shrinkage: 0.1}
    training: {epochs: 0, similarity: encoder, comparison_neighbours: 3, comparison_locality: 0.5}
  - preprocessing: {intensity: tic, scale: none, binning: 2}
    encoder: {type: transformer, patch: 16, width: 16, depth: 1, heads: 2, out: 16}
    head: {type: linear, out: 8}
    training: {epochs: 2, batch_size: 16, members: 2, comparison: euclidean}
  - preprocessing: {intensity: snv, scale: pareto}
    encoder: {type: whitened, components: 8, shrinkage: 0.1}
    training: {epochs: 0, similarity: encoder, comparison: plda, comparison_rounds: 2, comparison_rounds_shrinkage: 0.3}
"""


@pytest.fixture(scope="module")
def committee(known: SpectraSet, tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    return train(document_from_yaml(DOCUMENT), known, tmp_path_factory.mktemp("models") / "mixed", seeds=1)


def _pairs(count: int) -> tuple[np.ndarray, np.ndarray]:
    return np.triu_indices(count, 1)


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4])
def test_a_part_says_what_the_engine_scores(
    committee: ModelFolder, known: SpectraSet, new: SpectraSet, number: int
) -> None:
    part = committee.parts[number]
    configuration = part.configuration
    assert configuration is not None
    both = np.concatenate([known.intensities, new.intensities])
    groups = np.unique(np.concatenate([known.groups, new.groups]), return_inverse=True)[1].astype(np.int64)
    left, right = _pairs(len(new))
    first = len(known)
    none = np.zeros(len(left), dtype=np.int64)
    data = TrainingData(part.preprocessing.transform(both), part.preprocessing.axis(known.axis), groups)
    epochs = committee.training["epochs"][number]
    task = ReplicateTask(
        key="all",
        configuration=configuration,
        seed=committee.training["seed"],
        data="all",
        train=np.arange(first),
        halves=None,
        test=EvaluationPairs(left + first, right + first, groups[left + first] == groups[right + first], none),
        epochs=epochs,
    )
    (result,) = train_stack([task], {"all": data})
    z = embed_parts([part], new.intensities, committee.axis)
    np.testing.assert_allclose(row_similarity(z, left, right, part.own), result.similarities[0], atol=1e-5)


def test_similarity_is_the_mean_over_members_that_compare_differently(committee: ModelFolder, new: SpectraSet) -> None:
    verifier = Verifier(committee)
    z = verifier.embed(new)
    each = []
    for part in committee.parts:
        rows = embed_parts([part], new.intensities, committee.axis)
        each.append(similarity_matrix(rows, rows, part.own))
    mean = np.mean(each, axis=0)
    np.testing.assert_allclose(similarity_matrix(z, z, True), mean, atol=1e-5)
    np.testing.assert_allclose(verifier.verify_pairs(new).similarity, mean[_pairs(len(new))], atol=1e-5)
    gallery = verifier.verify_gallery(new, new)
    inside = new.groups == gallery.groups[0]
    np.testing.assert_allclose(gallery.mean_similarity[:, 0], mean[:, inside].mean(axis=1), atol=1e-5)


def test_members_of_a_committee_are_of_one_scale(committee: ModelFolder, known: SpectraSet) -> None:
    different = known.groups[:, None] != known.groups
    for part in committee.parts:
        rows = embed_parts([part], known.intensities, committee.axis)
        found = similarity_matrix(rows, rows, part.own)[different]
        if part.own:  # a network's cosines about the origin keep the narrow range they have
            assert 0.05 < found.std() < 1
            assert part.configuration is not None
            if not part.configuration.training.comparison_neighbours:  # what is taken off lowers all pairs alike
                assert abs(found.mean()) < 0.2


def test_folder_and_card(committee: ModelFolder, new: SpectraSet) -> None:
    assert committee.path is not None and committee.decision is not None
    again = load(committee.path)
    np.testing.assert_array_equal(Verifier(again).embed(new), Verifier(committee).embed(new))
    card = (committee.path / "README.md").read_text()
    near = "less its mean with the nearest training groups"
    assert (
        f"the mean of a log likelihood ratio of one group against two (PLDA) {near}, a cosine, a cosine {near}" in card
    )
    assert "(PLDA) of embeddings whitened within groups and brought to length one, on the scale of cosines" in card
    assert "between -1 and 1" not in card


@needs_onnx
@pytest.mark.slow
def test_onnx(committee: ModelFolder, new: SpectraSet, tmp_path: Path) -> None:
    import onnx
    import onnxruntime

    from spectrosim_search.deploy.onnx import export_onnx

    file = export_onnx(committee, tmp_path / "m.onnx")
    facts = {p.key: p.value for p in onnx.load(file).metadata_props}
    assert facts["similarity"] == "dot and own terms"
    assert len(json.loads(facts["axis"])) == len(new.axis)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    z = np.asarray(session.run(None, {"intensities": new.intensities})[0])
    expected = Verifier(committee).verify_pairs(new).similarity
    np.testing.assert_allclose(row_similarity(z, *_pairs(len(new)), True), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("comparison", "rounds", "neighbours"),
    [("euclidean", 0, 0), ("plda", 0, 0), ("plda", 0, 3), ("cosine", 0, 3), ("cosine", 1, 0), ("plda", 2, 0)],
)
def test_the_estimator_compares_that_way(
    comparison: str, rounds: int, neighbours: int, known: SpectraSet, new: SpectraSet
) -> None:
    settings = {"encoder_parameters": {"components": 12}, "similarity": "encoder", "epochs": 0, "intensity": "log"}
    model = SpectroSim(
        encoder="whitened",
        comparison=comparison,
        comparison_rounds=rounds,
        comparison_neighbours=neighbours,
        random_state=0,
        **settings,
    )
    model.fit(known.intensities, groups=known.groups)
    z = model.transform(new.intensities)
    assert z.shape == (len(new), 13)
    assert len(model.get_feature_names_out()) == 13
    found = model.score_pairs(new.intensities)
    np.testing.assert_array_equal(found, row_similarity(z, *_pairs(len(new)), True))
    cosine = SpectroSim(encoder="whitened", random_state=0, **settings).fit(known.intensities, groups=known.groups)
    assert not np.allclose(found, cosine.score_pairs(new.intensities))
