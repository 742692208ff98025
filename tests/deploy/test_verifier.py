from __future__ import annotations

import json
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spectrosim_search.config.errors import DataError, InputError
from spectrosim_search.deploy.model_folder import ModelFolder, save
from spectrosim_search.deploy.verifier import OutsideTrainingWarning, Verifier
from spectrosim_search.evaluation.verification import auc
from spectrosim_search.spectra import writers
from spectrosim_search.spectra.spectra_set import SpectraSet


@pytest.fixture
def verifier(linear: ModelFolder) -> Verifier:
    return Verifier(linear)


def test_embedding_is_unit_rows_and_similarity_their_dot_product(verifier: Verifier, new: SpectraSet) -> None:
    z = verifier.embed(new)
    assert z.dtype == np.float32
    assert z.shape == (len(new), verifier.folder.parts[0].parameters["projection"].shape[1])
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, atol=1e-5)
    result = verifier.verify_pairs(new)
    left, right = np.triu_indices(len(new), 1)
    np.testing.assert_allclose(result.similarity, (z @ z.T)[left, right], atol=1e-5)
    assert len(result) == len(new) * (len(new) - 1) // 2


def test_it_tells_batches_apart_that_no_model_has_seen(verifier: Verifier, new: SpectraSet) -> None:
    result = verifier.verify_pairs(new)
    left, right = np.triu_indices(len(new), 1)
    truth = new.groups[left] == new.groups[right]
    assert auc(result.similarity, truth) > 0.7
    assert result.same is not None
    assert result.same[truth].mean() > result.same[~truth].mean() + 0.3


def test_rows_are_plain_values(verifier: Verifier, new: SpectraSet) -> None:
    result = verifier.verify_pairs(new, prior=0.1)
    rows = json.loads(json.dumps(result.rows(), allow_nan=False))
    assert rows[0]["left"] == new.sample_ids[0]
    assert rows[0]["right"] == new.sample_ids[1]
    assert rows[0]["prior"] == 0.1
    decision = verifier.folder.decision
    assert decision is not None
    for row in rows:
        assert row["same"] == (row["similarity"] >= decision.threshold)
        odds = np.exp(row["log_likelihood_ratio"]) * 0.1 / 0.9
        assert row["probability"] == pytest.approx(odds / (1 + odds))


def test_named_pairs(verifier: Verifier, new: SpectraSet) -> None:
    ids = new.sample_ids.tolist()
    by_name = verifier.verify_pairs(new, [(ids[3], ids[0]), (ids[1], ids[1])])
    by_row = verifier.verify_pairs(new, np.array([[3, 0], [1, 1]]))
    np.testing.assert_array_equal(by_name.similarity, by_row.similarity)
    assert by_name.rows()[0]["left"] == ids[3]
    assert by_name.similarity[1] == pytest.approx(1, abs=1e-5)
    assert len(verifier.verify_pairs(new, [])) == 0
    with pytest.raises(InputError, match="no sample 'unknown'"):
        verifier.verify_pairs(new, [(ids[0], "unknown")])
    with pytest.raises(InputError, match="outside 0 to"):
        verifier.verify_pairs(new, np.array([[0, len(new)]]))
    with pytest.raises(InputError, match="two columns"):
        verifier.verify_pairs(new, np.array([[0, 1, 2]]))
    twice = replace(new, sample_ids=np.array([ids[0], ids[0], *ids[2:]]))
    with pytest.raises(DataError, match="occurs more than once"):
        verifier.verify_pairs(twice, [(ids[0], ids[2])])


@pytest.mark.parametrize("prior", [0.0, 1.0, -0.2, float("nan")])
def test_a_prior_is_a_probability(verifier: Verifier, new: SpectraSet, prior: float) -> None:
    with pytest.raises(InputError, match="strictly between 0 and 1"):
        verifier.verify_pairs(new, prior=prior)


def test_gallery(verifier: Verifier, new: SpectraSet) -> None:
    first = np.r_[True, new.groups[1:] != new.groups[:-1]]
    queries, gallery = new.select(first), new.select(~first)
    result = verifier.verify_gallery(queries, gallery)
    names = result.groups.tolist()
    assert names == sorted(set(gallery.groups.tolist()))
    right = np.array([names[b] for b in result.best]) == queries.groups
    assert right.mean() >= 0.5  # one of eight by chance
    z, known = verifier.embed(queries), verifier.embed(gallery)
    for q in range(len(queries)):  # the obvious twin
        for g, name in enumerate(names):
            similarity = known[gallery.groups == name] @ z[q]
            assert result.mean_similarity[q, g] == pytest.approx(similarity.mean(), abs=1e-5)
            assert result.highest_similarity[q, g] == pytest.approx(similarity.max(), abs=1e-5)
    rows = json.loads(json.dumps(result.rows(), allow_nan=False))
    assert rows[0]["groups"][0]["group"] == rows[0]["best_group"]
    similarities = [g["mean_similarity"] for g in rows[0]["groups"]]
    assert similarities == sorted(similarities, reverse=True)
    assert sum(g["spectra"] for g in rows[0]["groups"]) == len(gallery)
    with pytest.raises(InputError, match="no spectrum of the gallery"):
        verifier.verify_gallery(queries, replace(gallery, groups=np.full(len(gallery), "")))


def test_gallery_leaves_out_spectra_without_a_group(verifier: Verifier, new: SpectraSet) -> None:
    groups = new.groups.copy()
    groups[0] = ""
    result = verifier.verify_gallery(new, replace(new, groups=groups))
    assert int(result.group_sizes.sum()) == len(new) - 1


def test_a_model_without_threshold_gives_similarities(linear: ModelFolder, new: SpectraSet, tmp_path: Path) -> None:
    verifier = Verifier.load(save(replace(linear, decision=None), tmp_path / "bare").path or "")
    assert "Unknown" in (tmp_path / "bare" / "README.md").read_text()
    row = verifier.verify_pairs(new).rows()[0]
    assert row["same"] is None and row["probability"] is None and row["log_likelihood_ratio"] is None
    assert -1 <= row["similarity"] <= 1
    gallery = json.loads(json.dumps(verifier.verify_gallery(new, new).rows(), allow_nan=False))
    assert gallery[0]["same"] is None


def test_spectra_like_the_training_data_do_not_warn(verifier: Verifier, known: SpectraSet) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        verifier.embed(known)
    assert verifier.check(known) == ()


def test_another_intensity_scale_warns_with_a_count(verifier: Verifier, new: SpectraSet) -> None:
    louder = replace(new, intensities=new.intensities * np.float32(1e5))
    with pytest.warns(OutsideTrainingWarning, match=f"{len(new)} of {len(new)} spectra") as caught:
        z = verifier.embed(louder)
    assert all(w.filename == __file__ for w in caught)
    np.testing.assert_allclose(z, verifier.embed(new), atol=1e-4)  # the square root of tic takes the scale away


def test_another_axis_warns_and_hardly_changes_the_answer(verifier: Verifier, new: SpectraSet) -> None:
    axis = np.linspace(new.axis[0], new.axis[-1], 5 * len(new.axis) - 4)
    fine = np.stack([np.interp(axis, new.axis, x) for x in new.intensities]).astype(np.float32)
    with pytest.warns(OutsideTrainingWarning, match="interpolated onto it"):
        z = verifier.embed(replace(new, axis=axis, intensities=fine))
    assert (z * verifier.embed(new)).sum(axis=1).min() > 0.999


def test_an_axis_that_falls_short_is_refused(verifier: Verifier, new: SpectraSet) -> None:
    with pytest.raises(DataError, match="the model needs"):
        verifier.embed(replace(new, axis=new.axis[:100], intensities=new.intensities[:, :100]))


def test_no_spectra(verifier: Verifier, new: SpectraSet) -> None:
    none = new.select(np.zeros(len(new), bool))
    assert verifier.embed(none).shape[0] == 0
    assert verifier.verify_pairs(none).rows() == []


_ISOLATED = """
import sys

class Blocked:
    names = {"ray", "optuna", "sqlalchemy", "alembic", "sklearn", "plotly", "typer", "rich", "psycopg"}
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.names:
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocked())
from spectrosim_search.deploy.verifier import Verifier
from spectrosim_search.spectra.readers import read
rows = Verifier.load(sys.argv[1]).verify_pairs(read(sys.argv[2])).rows()
print(len(rows), "torch" in sys.modules)
"""


def test_it_needs_no_ray_optuna_or_database(linear: ModelFolder, new: SpectraSet, tmp_path: Path) -> None:
    """A linear metric does without torch, too: its answer comes in the time of importing numpy and pandas."""
    writers.write(new, tmp_path / "new.npz")
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", _ISOLATED, str(linear.path), str(tmp_path / "new.npz")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(len(new) * (len(new) - 1) // 2), "False"]
