"""Each baseline does what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spectrosim_search import baselines
from spectrosim_search.baselines import BaselineInput
from spectrosim_search.evaluation.verification import auc, matched_auc
from spectrosim_search.protocol.pairs import PairSet
from spectrosim_search.spectra.preprocessing import State
from spectrosim_search.spectra.readers import read
from spectrosim_search.spectra.simulators import simulate

Make = Callable[..., BaselineInput]
DATA = Path(__file__).parents[2].parent / "shared" / "data"


def scores(name: str, data: BaselineInput) -> tuple[float, float]:
    out, pairs = baselines.run(name, data), data.pairs[0]
    similarity = out.similarities[0]
    return auc(similarity, pairs.positive), matched_auc(similarity, pairs.positive, pairs.stratum).value


def test_difficulty_of_the_default_simulation(held_out: Make) -> None:
    """Loose bounds on the mean over populations; the exact figures are the benchmark's business."""
    mean = {
        name: np.mean([scores(name, held_out(simulate(seed=s), s))[1] for s in range(8)])
        for name in ("cosine", "linear-metric-tuned", "oracle")
    }
    assert 0.52 < mean["cosine"] < 0.68
    assert mean["linear-metric-tuned"] > mean["cosine"] + 0.1
    assert mean["oracle"] > 0.95


def test_union_find_is_one_half_where_nothing_leaks(held_out: Make, shared: Make) -> None:
    s = simulate(batches=12, channels=96, mz_high=120.0, peaks=10)
    assert scores("union-find", held_out(s))[0] == 0.5
    assert scores("union-find", shared(s))[0] == 0.5


def test_union_find_follows_chains_of_known_pairs() -> None:
    s = simulate(batches=2, batch_size=4, channels=32, mz_high=90.0, peaks=4)
    relation = np.full((8, 8), -1, np.int8)
    for a, b in [(0, 1), (1, 2), (4, 5)]:
        relation[a, b] = relation[b, a] = 1
    left, right = np.array([0, 0, 4, 0]), np.array([2, 3, 5, 4])
    groups = np.repeat([0, 1], 4)
    pairs = PairSet(left, right, groups[left] == groups[right], np.full(4, -1))
    data = BaselineInput(s, np.arange(8), groups, np.zeros(8, np.int64), relation, (pairs,))
    assert baselines.run("union-find", data).similarities[0].tolist() == [1, 0, 1, 0]


def test_plain_cosine_by_hand(held_out: Make) -> None:
    data = held_out(simulate(batches=6, channels=64, mz_high=100.0, peaks=8))
    x = data.spectra.intensities.astype(np.float64)
    left, right = data.pairs[0].left, data.pairs[0].right
    expected = [(x[a] @ x[b]) / np.sqrt((x[a] @ x[a]) * (x[b] @ x[b])) for a, b in zip(left, right, strict=True)]
    np.testing.assert_allclose(baselines.run("cosine", data).similarities[0], expected, atol=1e-6)


@pytest.mark.parametrize("name", ["linear-metric", "linear-metric-tuned"])
def test_exported_parameters_give_the_same_similarities(name: str, held_out: Make) -> None:
    data = held_out(simulate(seed=1))
    out = baselines.run(name, data)
    assert out.preprocessing is not None
    fitted = {k.removeprefix("preprocessing."): v for k, v in out.parameters.items() if k.startswith("preprocessing.")}
    z = State.from_arrays(out.preprocessing, fitted).transform(data.spectra.intensities)
    z = (z - out.parameters["mean"]) @ out.parameters["projection"]
    a, b = z[data.pairs[0].left], z[data.pairs[0].right]
    cosine = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    np.testing.assert_allclose(out.similarities[0], cosine, atol=1e-5)


def test_tuning_finds_the_preprocessing_that_matters(held_out: Make) -> None:
    """Spectra on a strong random offset: without SNV or a derivative there is nothing to see."""
    rng = np.random.default_rng(0)
    s = simulate(
        batches=24, fish_spread=0.1, batch_spread=0.5, fish_residual=0.05, channels=400, mz_high=254.0, peaks=30
    )
    offset = rng.normal(scale=30 * s.intensities.std(), size=(len(s), 1))
    data = held_out(replace(s, intensities=(s.intensities + offset).astype(np.float32)))
    tuned, plain = scores("cosine-tuned", data), scores("cosine", data)
    assert "snv" in baselines.run("cosine-tuned", data).settings
    assert tuned[1] > 0.9 > plain[1] + 0.2


def test_the_metric_asked_for_is_the_one_chosen_by(held_out: Make) -> None:
    data = held_out(simulate(batches=12))
    assert "inner matched-label AUC" in baselines.run("cosine-tuned", data).settings
    assert "inner AUC" in baselines.run("cosine-tuned", replace(data, metric="auc")).settings
    unlabelled = replace(data, labels=np.full(len(data.spectra), -1))
    assert "inner AUC" in baselines.run("cosine-tuned", unlabelled).settings


def test_training_centroid_uses_the_group_of_the_training_spectrum(shared: Make) -> None:
    data = shared(simulate(batches=20, batch_size=6, fish_spread=0.3, seed=2))
    out, pairs = baselines.run("training-centroid", data), data.pairs[0]
    similarity = out.similarities[0]
    for held in np.unique(pairs.left)[:3]:
        mine = pairs.left == held
        for group in np.unique(data.groups[pairs.right[mine]]):
            members = similarity[mine & (data.groups[pairs.right] == group)]
            assert members.size == 5
            assert np.ptp(members) < 1e-6
    assert scores("training-centroid", data)[1] > scores("cosine", data)[1]


def test_oracle_against_densities_written_out() -> None:
    from scipy.stats import multivariate_normal

    s = simulate(batches=4, peaks=6, channels=32, mz_high=90.0, batch_rank=2, fish_rank=2)
    t = s.truth
    k, means, species = 6, t["species_means"][0], t["species"].astype(int)
    batch = t["batch_factor"][0] @ t["batch_factor"][0].T + np.diag(t["batch_variance"][0])
    fish = t["fish_factor"][0] @ t["fish_factor"][0].T + np.diag(t["fish_variance"][0])
    same = np.block([[batch + fish, batch], [batch, batch + fish]])
    different = np.block([[batch + fish, np.zeros((k, k))], [np.zeros((k, k)), batch + fish]])
    groups = np.unique(s.groups, return_inverse=True)[1]
    i, j = np.triu_indices(len(s), 1)
    pairs = PairSet(i, j, groups[i] == groups[j], np.zeros(i.size, np.int64))
    data = BaselineInput(s, np.arange(0), groups, species, None, (pairs,))
    got = baselines.run("oracle", data).similarities[0]
    for p, (a, b) in enumerate(zip(i, j, strict=True)):
        x = np.concatenate([t["latent"][a], t["latent"][b]])
        apart = multivariate_normal(np.concatenate([means[species[a]], means[species[b]]]), different).logpdf(x)
        options = [species[a]] if species[a] == species[b] else [0, 1]
        together = [multivariate_normal(np.concatenate([means[o], means[o]]), same).logpdf(x) for o in options]
        assert got[p] == pytest.approx(np.logaddexp.reduce(together) - np.log(len(options)) - apart, rel=1e-4, abs=1e-3)


def test_large_training_sets_are_tuned_on_whole_groups(held_out: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from spectrosim_search.baselines import _inner

    data = held_out(simulate(batches=60, channels=64, mz_high=100.0, peaks=8))
    monkeypatch.setattr(_inner, "_MOST_SPECTRA", 60)
    monkeypatch.setattr(_inner, "_MOST_NEGATIVES", 50)
    folds = _inner.inner_folds(data)
    rows = np.concatenate([f.judge for f in folds])
    assert 54 <= rows.size <= 60
    for group in np.unique(data.groups[rows]):
        assert np.isin(np.flatnonzero(data.groups == group), rows).all()
    for fold in folds:
        assert not set(data.groups[fold.fit]) & set(data.groups[fold.judge])
        assert (~fold.positive).sum() <= 50
        assert (fold.positive == (data.groups[fold.judge[fold.left]] == data.groups[fold.judge[fold.right]])).all()


BARS = {  # mean over six splits of tuned cosine and tuned linear metric: (AUC, matched-label AUC)
    "maldi-species": ((0.955, 0.756), (0.959, 0.784)),
    "nir-tablets": ((0.948, 0.852), (0.964, 0.868)),
    "desi-swabs": ((0.699, 0.652), (0.851, 0.782)),
}


@pytest.mark.skipif(not DATA.is_dir(), reason="the folder of real spectra is not here")
@pytest.mark.parametrize("name", BARS)
def test_reference_rows_meet_their_bars(name: str, held_out: Make) -> None:
    s = read(DATA / name / "spectra.csv.gz")
    for method, bar in zip(("cosine-tuned", "linear-metric-tuned"), BARS[name], strict=True):
        mean = np.mean([scores(method, held_out(s, seed)) for seed in range(3)], axis=0)
        # two standard errors of a mean over three splits whose spread is near .02 and .07
        assert mean[0] > bar[0] - 0.03
        assert mean[1] > bar[1] - 0.08
