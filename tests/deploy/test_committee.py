"""A committee on its way out: document, training, model folder, verifier, ONNX."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spectrosim_search.config.errors import ConfigurationError, DataError, InputError, RunError
from spectrosim_search.deploy.cross_fit import CrossFit, averaged
from spectrosim_search.deploy.decision import OutOfFold
from spectrosim_search.deploy.document import ExportDocument, document_from_yaml, document_to_yaml
from spectrosim_search.deploy.embedding import embed_parts
from spectrosim_search.deploy.model_folder import ModelFolder, load
from spectrosim_search.deploy.retrain import train
from spectrosim_search.deploy.verifier import Verifier
from spectrosim_search.spectra.spectra_set import SpectraSet
from tests.deploy.test_model_folder import _rewrite_hash
from tests.deploy.test_onnx import _run, needs_onnx

DOCUMENT = """
kind: committee
members:
  - preprocessing: {intensity: log, scale: none}
    encoder: {type: whitened, components: 15, shrinkage: 0.1}
    training: {epochs: 0, similarity: encoder}
  - preprocessing: {intensity: sqrt, scale: standard}
    encoder: {type: whitened, components: 8, shrinkage: 0.1}
    training: {epochs: 0, similarity: encoder}
  - preprocessing: {intensity: tic, scale: none, binning: 2}
    encoder: {type: transformer, patch: 16, width: 16, depth: 1, heads: 2, out: 16}
    head: {type: linear, out: 8}
    training: {epochs: 2, batch_size: 16}
"""


@pytest.fixture(scope="module")
def committee(known: SpectraSet, tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    heard: list[tuple[str, float]] = []
    folder = train(
        document_from_yaml(DOCUMENT),
        known,
        tmp_path_factory.mktemp("models") / "committee",
        seeds=1,
        progress=lambda what, share: heard.append((what, share)),
    )
    assert [share for _, share in heard] == sorted(share for _, share in heard)
    assert any(what == "cross-validation, member 3 of 3" for what, _ in heard)
    return folder


@pytest.fixture
def path(committee: ModelFolder, tmp_path: Path) -> Path:
    assert committee.path is not None
    return Path(shutil.copytree(committee.path, tmp_path / "committee"))


def test_document_round_trip() -> None:
    document = replace(document_from_yaml(DOCUMENT), provenance={"study": "größe", "members": [{"trial": 3}]})
    text = document_to_yaml(document, "what it is")
    assert text.startswith("# what it is\n\nkind: committee\n\nmembers:\n  - preprocessing:\n")
    assert "  # " in text, "the meaning of every key stands beside it"
    again = document_from_yaml(text)
    assert again == document
    assert again.identity == document.identity
    fewer = replace(document, members=document.members[:2])
    assert fewer.identity != document.identity


def test_all_mistakes_at_once() -> None:
    text = "kind: committee\nother: 1\nmembers:\n  - encodr: {}\n  - {}\n  - training: {epochs: -1}\n"
    with pytest.raises(ConfigurationError) as error:
        document_from_yaml(text, "my.yaml")
    said = error.value.problems
    assert len(said) == 3
    assert "other: unknown key" in said[0]
    assert said[1].startswith("my.yaml: member 1")
    assert "did you mean 'encoder'" in said[1]
    assert said[2].startswith("my.yaml: member 3")


@pytest.mark.parametrize("text", ["members: 3", "members: [{}]", "members: []", "membrs: []"])
def test_a_committee_lists_members(text: str) -> None:
    with pytest.raises(ConfigurationError, match="lists two configurations at least"):
        document_from_yaml(f"kind: committee\n{text}\n")
    with pytest.raises(InputError, match="two members at least"):
        ExportDocument("committee", members=document_from_yaml(DOCUMENT).members[:1])


def test_similarity_is_the_mean_over_the_members(committee: ModelFolder, new: SpectraSet) -> None:
    verifier = Verifier(committee)
    z = verifier.embed(new)
    np.testing.assert_allclose((z**2).sum(axis=1), 1.0, atol=1e-5)
    each = [embed_parts([part], new.intensities, committee.axis) for part in committee.parts]
    np.testing.assert_allclose(z @ z.T, np.mean([e @ e.T for e in each], axis=0), atol=1e-5)
    verdicts = verifier.verify_pairs(new)
    assert committee.decision is not None
    assert verdicts.same is not None
    assert verdicts.threshold == committee.decision.threshold
    assert len({(e @ e.T)[0, 1] for e in each}) == 3


def test_threshold_and_errors_come_from_the_mean_out_of_fold() -> None:
    left, right = np.arange(4), np.arange(4) + 4
    positive, stratum = np.array([True, False, True, False]), np.zeros(4, dtype=np.int64)

    def fit(*values: float) -> CrossFit:
        part = OutOfFold(0, 0, left, right, positive, stratum, np.array(values, np.float32))
        return CrossFit((part,), (3, 5))

    mean = averaged([fit(0.8, 0.2, 0.4, 0.0), fit(0.4, 0.0, 0.0, 0.4)])
    np.testing.assert_allclose(mean.parts[0].similarity, [0.6, 0.1, 0.2, 0.2])
    other = fit(0.1, 0.2, 0.3, 0.4)
    moved = CrossFit((replace(other.parts[0], left=left + 1),), ())
    with pytest.raises(ValueError, match="not scored on the same pairs"):
        averaged([other, moved])


def test_folder_round_trip(committee: ModelFolder, path: Path, new: SpectraSet) -> None:
    again = load(path)
    assert again.facts() == committee.facts()
    assert again.document == committee.document
    np.testing.assert_array_equal(Verifier(again).embed(new), Verifier(committee).embed(new))
    names = {p.name for p in path.iterdir()}
    numbered = {f"{what}-{i}.safetensors" for what in ("weights", "preprocessing") for i in (1, 2, 3)}
    assert names == {"model.json", "configuration.yaml", "README.md", "axis.safetensors", *numbered}
    card = (path / "README.md").read_text()
    assert "a committee of 3 contrastive models, whose similarities are averaged" in card
    assert re.search(r"epochs of the members: 0, 0, \d", card)
    assert not re.search(r"\bnan\b", card)


def test_training_twice_gives_the_same_files(committee: ModelFolder, known: SpectraSet, tmp_path: Path) -> None:
    train(document_from_yaml(DOCUMENT), known, tmp_path / "committee", seeds=1)
    assert committee.path is not None
    for file in sorted(committee.path.glob("*.safetensors")):
        assert file.read_bytes() == (tmp_path / "committee" / file.name).read_bytes(), file.name
    assert load(tmp_path / "committee").decision == committee.decision


def test_a_member_that_cannot_be_trained_is_named(known: SpectraSet, tmp_path: Path) -> None:
    text = DOCUMENT.replace("intensity: tic, scale: none, binning: 2", "intensity: none, scale: none")
    text += "    optimiser: {learning_rate: 1.0, gradient_clip: 1.0e+6}\n"
    huge = replace(known, intensities=known.intensities * np.float32(1e30))
    with pytest.raises(RunError, match="member 3 of the committee: training diverged in every fold"):
        train(document_from_yaml(text), huge, tmp_path / "m", seeds=1)
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("name", ["weights-2.safetensors", "preprocessing-3.safetensors"])
def test_a_missing_or_changed_member_is_named(path: Path, name: str) -> None:
    content = (path / name).read_bytes()
    (path / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DataError, match=rf"{name}' was changed or damaged"):
        load(path)
    (path / name).unlink()
    with pytest.raises(DataError, match=rf"{name}' is missing"):
        load(path)


def test_members_that_changed_places_are_found_out(path: Path) -> None:
    one, three = path / "weights-1.safetensors", path / "weights-3.safetensors"
    first, third = one.read_bytes(), three.read_bytes()
    one.write_bytes(third)
    three.write_bytes(first)
    for file in (one, three):
        _rewrite_hash(path, file.name)
    with pytest.raises(DataError, match=r"weights-1\.safetensors does not fit the configuration"):
        load(path)


@pytest.mark.parametrize("change", [lambda p: p[:2], lambda p: p[0]])
def test_facts_of_other_members(path: Path, change: object) -> None:
    facts = json.loads((path / "model.json").read_text())
    facts["preprocessing"] = change(facts["preprocessing"])  # type: ignore[operator]  # a function
    (path / "model.json").write_text(json.dumps(facts))
    with pytest.raises(DataError, match=r"model\.json' is damaged"):
        load(path)


@needs_onnx
@pytest.mark.slow
def test_onnx_is_one_graph(committee: ModelFolder, new: SpectraSet, tmp_path: Path) -> None:
    from spectrosim_search.deploy.onnx import export_onnx

    file = export_onnx(committee, tmp_path / "m.onnx")
    np.testing.assert_allclose(_run(file, new.intensities), Verifier(committee).embed(new), atol=2e-5)
