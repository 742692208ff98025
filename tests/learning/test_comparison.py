from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from spectrosim_search.baselines._plda import fit_plda
from spectrosim_search.config.configuration import Configuration, Optimiser
from spectrosim_search.config.errors import DataError
from spectrosim_search.learning.comparison import Comparison, compared_rows, joined_rows, pair_similarity
from spectrosim_search.learning.components import resolve, stack_key
from spectrosim_search.learning.engine import embed, single_thread, train_stack
from spectrosim_search.learning.metric import principal, whitening, within_covariance
from spectrosim_search.learning.scores import auc
from tests.learning.problems import all_pairs, configuration, grouped, task

CPU = torch.device("cpu")
PLAIN = ("euclidean", "plda")
LOCAL = ("cosine less 3", "euclidean less 1", "plda less 2")
ROUND = ("cosine after 1", "cosine after 2", "plda after 1", "plda after 2 less 2")
KINDS = PLAIN + LOCAL + ROUND
Floats = NDArray[np.float64]


@pytest.fixture(autouse=True)
def one_thread():
    with single_thread():
        yield


def compared_by(kind: str, shrinkage: float = 0.1, **training: object) -> Configuration:
    """`kind` with or without " after R" rounds on the sphere and " less K" of so many neighbours."""
    rest, _, neighbours = kind.partition(" less ")
    name, _, rounds = rest.partition(" after ")
    own = {"comparison": name, "comparison_neighbours": int(neighbours or 0), "comparison_shrinkage": shrinkage}
    own |= {"comparison_rounds": int(rounds or 0), "comparison_rounds_shrinkage": shrinkage}
    return configuration(training={**own, "epochs": 2, **training})


def embeddings(groups: int = 9, size: int = 4, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Five numbers for each spectrum of groups of unequal sizes, correlated within groups, far from the origin."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(groups), size)[rng.permutation(groups * size)[: groups * size - 5]]
    mixing = rng.normal(size=(5, 5))
    own = rng.normal(size=(codes.size, 5)) @ mixing * 0.5
    return rng.normal(size=(groups, 5))[codes] * (3, 2, 1, 0.5, 0) + own + (4, -2, 0, 1, 3), codes


def similarities(
    kind: str, shrinkage: float, x: NDArray[np.float64], codes: NDArray[np.int64], z: Floats, locality: float = 1.0
) -> Floats:
    one = compared_by(kind, shrinkage, comparison_locality=locality)
    fitted = Comparison([one], [np.arange(codes.size)], [codes], CPU).fit(torch.from_numpy(x)[None])
    rows = compared_rows(fitted, torch.from_numpy(z)[None], one.training.comparison_neighbours)[0].numpy()
    return np.asarray(rows[:, :-1] @ rows[:, :-1].T + rows[:, -1:] + rows[:, -1])


def explicit_ratio(x: Floats, codes: NDArray[np.int64], shrinkage: float, z: Floats) -> Floats:
    """log p(u, v | same) - log p(u, v | different) from the densities themselves; B cut to where it is positive."""
    scipy_stats = pytest.importorskip("scipy.stats")
    size = x.shape[1]
    covariance = within_covariance(x, codes)
    w = (1 - shrinkage) * covariance + shrinkage * np.trace(covariance) / size * np.eye(size)
    kinds, counts = np.unique(codes, return_counts=True)
    means = np.array([x[codes == k].mean(axis=0) for k in kinds]) - x.mean(axis=0)
    m = (means.T * counts) @ means / (kinds.size - 1)
    b = (m - w) / ((codes.size - (counts**2).sum() / codes.size) / (kinds.size - 1))
    root = whitening(covariance, shrinkage)
    value, vector = np.linalg.eigh(root @ b @ root)
    back = np.linalg.inv(root) @ vector
    b = (back * np.maximum(value, 0)) @ back.T
    same = scipy_stats.multivariate_normal(np.tile(x.mean(axis=0), 2), np.block([[b + w, b], [b, b + w]]))
    alone = scipy_stats.multivariate_normal(x.mean(axis=0), b + w)
    pairs = np.array([[np.concatenate([u, v]) for v in z] for u in z])
    single = alone.logpdf(z)
    return np.asarray(same.logpdf(pairs) - single[:, None] - single)


@pytest.mark.parametrize("shrinkage", [0.0, 0.1, 1.0])
def test_plda_is_the_ratio_of_two_gaussians_on_a_line(shrinkage):
    x, codes = embeddings()
    z = embeddings(seed=1)[0][:12]
    got, expected = similarities("plda", shrinkage, x, codes, z), explicit_ratio(x, codes, shrinkage, z)
    slope, intercept = np.polyfit(expected.ravel(), got.ravel(), 1)
    assert slope > 0
    np.testing.assert_allclose(got, slope * expected + intercept, atol=1e-9 * np.abs(got).max())


def test_euclidean_is_minus_the_squared_distance_on_a_line():
    x, codes = embeddings()
    z = embeddings(seed=1)[0][:12]
    expected = -((z[:, None] - z) ** 2).sum(axis=-1)
    got = similarities("euclidean", 0.1, x, codes, z)
    slope, intercept = np.polyfit(expected.ravel(), got.ravel(), 1)
    assert slope > 0
    np.testing.assert_allclose(got, slope * expected + intercept, atol=1e-10)


def on_sphere(x: Floats, codes: NDArray[np.int64], rounds: int, shrinkage: float, z: Floats) -> tuple[Floats, Floats]:
    """Training embeddings and others after so many rounds, by the definition (Bousquet et al. 2012)."""
    for _ in range(rounds):
        centre, white = x.mean(axis=0), whitening(within_covariance(x, codes), shrinkage)
        x, z = ((v - centre) @ white for v in (x, z))
        x, z = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (x, z))
    return x, z


@pytest.mark.parametrize("rounds", [1, 2, 3])
@pytest.mark.parametrize("rest", ["cosine", "plda", "plda less 2", "cosine less 3"])
def test_what_is_compared_after_rounds_is_what_is_compared_of_points_on_the_sphere(rest, rounds):
    x, codes = embeddings()
    z = embeddings(seed=1)[0][:12]
    x1, z1 = on_sphere(x, codes, rounds, 0.2, z)
    expected = z1 @ z1.T if rest == "cosine" else similarities(rest, 0.2, x1, codes, z1)
    name, _, less = rest.partition(" less ")
    got = similarities(f"{name} after {rounds}" + (f" less {less}" if less else ""), 0.2, x, codes, z)
    np.testing.assert_allclose(got, expected, atol=1e-9)


def test_one_spectrum_far_away_does_not_rule_the_ratio():
    """Far along an axis on which groups hardly differ: its ratio with its fellow falls below all, but on the sphere."""
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(40), 4)
    x = rng.normal(size=(40, 6))[codes] * (3, 3, 2, 2, 1, 0.3) + rng.normal(size=(160, 6))
    u = np.array([4.0, -4.0, 3.0, 3.0, 0.0, 0.0])
    z = np.stack([u, 3 * u + (0, 0, 0, 0, 6.0, 9.0), -u])
    plain, sphere = (similarities(kind, 0.1, x, codes, z) for kind in ("plda", "plda after 1"))
    assert plain[0, 1] < plain[0, 0] * 0.5
    assert sphere[0, 1] - sphere[0, 2] > 0.5 * (sphere[0, 0] - sphere[0, 2])


@pytest.mark.parametrize("locality", [0.5, 1.0])
@pytest.mark.parametrize("kind", LOCAL)
def test_the_mean_similarity_with_the_nearest_groups_is_taken_off(kind, locality):
    x, codes = embeddings()
    z = embeddings(seed=1)[0][:12]
    name, neighbours = kind.split(" less ")
    if name == "cosine":
        x, z = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (x, z))
    groups = np.array([x[codes == code].mean(axis=0) for code in np.unique(codes)])
    if name == "cosine":
        groups /= np.linalg.norm(groups, axis=1, keepdims=True)
        whole = np.concatenate([z, groups]) @ np.concatenate([z, groups]).T
    else:
        whole = similarities(name, 0.1, x, codes, np.concatenate([z, groups]))
    near = np.sort(whole[:12, 12:], axis=1)[:, ::-1][:, : int(neighbours)].mean(axis=1)
    expected = whole[:12, :12] - locality * (near[:, None] + near) / 2
    np.testing.assert_allclose(similarities(kind, 0.1, x, codes, z, locality), expected, atol=1e-10)


def test_with_fewer_groups_than_neighbours_all_of_them_are_neighbours():
    x, codes = embeddings(groups=4)
    found = [similarities(f"cosine less {k}", 0.1, x, codes, x) for k in (3, 4, 9, 100)]
    np.testing.assert_allclose(found[1], found[2])
    np.testing.assert_allclose(found[1], found[3])
    assert not np.allclose(found[0], found[1])


def test_with_many_groups_neighbours_are_looked_for_among_some():
    x, codes = embeddings(groups=700, size=2)
    assert np.isfinite(similarities("cosine less 3", 0.1, x, codes, x[:20])).all()


def test_a_spectrum_that_is_like_everything_is_like_nothing_in_particular():
    """Two directions tell groups apart, a third is common: a spectrum along it is similar to all others."""
    x = np.repeat(np.array([[1, 0, 0.5], [0, 1, 0.5]]), 4, axis=0)
    codes = np.repeat([0, 1], 4)
    hub, own, fellow = np.array([0.2, 0.2, 1.0]), np.array([1.0, 0.0, 0.5]), np.array([1.0, 0.4, 0.0])
    z = np.stack([hub, own, fellow])
    cosine = similarities("cosine less 2", 0.1, x, codes, z, locality=0.0)
    local = similarities("cosine less 2", 0.1, x, codes, z)
    assert local[0, 2] - local[1, 2] < cosine[0, 2] - cosine[1, 2]


@pytest.mark.parametrize("kind", PLAIN)
def test_training_pairs_of_two_groups_have_the_scale_of_their_centred_cosines(kind):
    x, codes = embeddings()
    different = codes[:, None] != codes
    unit = x - x.mean(axis=0)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    cosine, got = (unit @ unit.T)[different], similarities(kind, 0.2, x, codes, x)[different]
    np.testing.assert_allclose([got.mean(), got.std()], [cosine.mean(), cosine.std()], rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_places_of_a_stack_do_not_touch_each_other(kind):
    sets = [embeddings(groups, seed=groups) for groups in (6, 9, 7)]
    width = max(codes.size for _, codes in sets)
    configurations = [compared_by(kind, s, comparison_locality=1.0 - s) for s in (0.0, 0.3, 0.9)]
    near = configurations[0].training.comparison_neighbours
    z = torch.zeros(3, width, 5, dtype=torch.float64)
    for row, (x, codes) in enumerate(sets):
        z[row, : codes.size] = torch.from_numpy(x)
        z[row, codes.size :] = torch.from_numpy(x[0])  # the engine pads by repeating the first row
    rows = [np.arange(codes.size) for _, codes in sets]
    stack = Comparison(configurations, rows, [codes for _, codes in sets], CPU)
    together = stack.fit(z)
    for row, (x, codes) in enumerate(sets):
        alone = Comparison([configurations[row]], [rows[row]], [codes], CPU).fit(torch.from_numpy(x)[None])
        probe = torch.from_numpy(x[:7])[None]
        pair = [
            compared_rows({n: v[i : i + 1] for n, v in p.items()}, probe, near)
            for p, i in ((together, row), (alone, 0))
        ]
        first, second = (pair_similarity(r[:, :3], r[:, 3:6], True) for r in pair)
        torch.testing.assert_close(first, second, rtol=1e-9, atol=1e-9)
    stack.keep([2])
    kept = stack.fit(z[2:])
    for name, values in together.items():
        torch.testing.assert_close(kept[name][0], values[2])


def test_an_embedding_that_is_not_finite_spoils_its_own_place_alone():
    x, codes = embeddings()
    z = torch.from_numpy(np.stack([x, x]))
    z[0, 3, 1] = torch.inf
    fitted = Comparison([compared_by("plda")] * 2, [np.arange(codes.size)] * 2, [codes] * 2, CPU).fit(z)
    assert all(torch.isnan(v[0]).all() and torch.isfinite(v[1]).all() for v in fitted.values())


@pytest.mark.parametrize("kind", KINDS)
def test_equal_spectra_in_a_group_and_a_collapsed_embedding_give_finite_numbers(kind):
    codes = np.repeat(np.arange(5), 3)
    for x in (np.repeat(np.random.default_rng(0).normal(size=(5, 4)), 3, axis=0), np.ones((15, 4))):
        assert np.isfinite(similarities(kind, 0.1, x, codes, x)).all()


def test_what_cannot_be_fitted_is_said():
    for kind in ("euclidean", "cosine less 3"):
        with pytest.raises(DataError, match=f"'{kind}{' neighbours' if 'less' in kind else ''}' .* two are needed"):
            Comparison([compared_by(kind)], [np.arange(3)], [np.zeros(3, np.int64)], CPU)
    for kind in ("plda", "cosine after 1"):
        with pytest.raises(DataError, match="group of two"):
            Comparison([compared_by(kind)], [np.arange(3)], [np.arange(3)], CPU)


def test_similarity_of_joined_rows_is_the_mean():
    rows = torch.randn(6, 8, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    joined = joined_rows(rows, 3)
    assert joined.shape == (2, 8, 10)
    each = pair_similarity(rows[3:, 0], rows[3:, 5], True)
    torch.testing.assert_close(pair_similarity(joined[1, 0], joined[1, 5], True), each.mean())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("members", [1, 2])
def test_the_exported_model_says_what_the_engine_scored(kind, members):
    data, labels = grouped()
    one = task(compared_by(kind, members=members), data, labels, return_parameters=True)
    result = train_stack([one], {"data": data})[0]
    assert result.status == "finished"
    z = embed(one.configuration, result.parameters, data.spectra, data.axis)
    assert one.halves is not None
    for half, expected in zip(one.halves, result.similarities):
        left, right = (torch.from_numpy(z[rows]) for rows in (half.left, half.right))
        np.testing.assert_allclose(pair_similarity(left, right, True).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_validation_spectra_and_groups_change_no_constant(kind):
    data, labels = grouped()
    one = task(compared_by(kind), data, labels, return_parameters=True)
    validation = np.setdiff1d(np.arange(labels.size), one.train)
    spectra, groups = data.spectra.copy(), data.groups.copy()
    spectra[validation] += np.random.default_rng(1).normal(size=spectra[validation].shape).astype(np.float32)
    groups[validation] = 0
    other = dataclasses.replace(data, spectra=spectra, groups=groups)
    first, second = (train_stack([one], {"data": d})[0] for d in (data, other))
    for name, value in first.parameters.items():
        np.testing.assert_array_equal(value, second.parameters[name])
    assert not np.array_equal(first.similarities[0], second.similarities[0])


@pytest.mark.parametrize("kind", KINDS)
def test_training_is_that_of_cosine_and_the_comparison_repeats_to_the_bit(kind):
    data, labels = grouped()
    first, second, cosine = (
        train_stack([task(compared_by(k), data, labels, return_parameters=True)], {"data": data})[0]
        for k in (kind, kind, "cosine")
    )
    np.testing.assert_array_equal(first.similarities[0], second.similarities[0])
    np.testing.assert_array_equal(first.loss, cosine.loss)
    assert first.embedding_rank == cosine.embedding_rank
    constants = set() if kind.startswith("cosine") else {"mean", "projection", "weight", "offset"}
    constants |= {"cohort", "locality"} if " less " in kind else set()
    constants |= {"centres", "whitenings"} if " after " in kind else set()
    assert {n for n in first.parameters if n not in cosine.parameters} == {f"comparison.{n}" for n in constants}
    assert not np.allclose(first.similarities[0], cosine.similarities[0])


@pytest.mark.parametrize("kind", KINDS)
def test_a_stack_of_replicates_scores_as_each_alone(kind):
    data, labels = grouped()
    tasks = [
        task(compared_by(kind, s, members=2), data, labels, key=str(s), seed=seed)
        for s, seed in ((0.1, 1), (0.7, 2), (0.1, 3))
    ]
    together = train_stack(tasks, {"data": data})
    for one, found in zip(tasks, together):
        alone = train_stack([one], {"data": data})[0]
        np.testing.assert_allclose(found.similarities[0], alone.similarities[0], atol=2e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_for_export_is_fitted_on_all_its_spectra(kind):
    data, labels = grouped()
    rows = np.arange(labels.size)
    pairs = all_pairs(rows[:12], data.groups, labels)
    one = task(compared_by(kind), data, labels, train=rows, halves=None, test=pairs, return_parameters=True)
    result = train_stack([one], {"data": data})[0]
    z = torch.from_numpy(embed(one.configuration, result.parameters, data.spectra, data.axis))
    got = pair_similarity(z[pairs.left], z[pairs.right], True)
    np.testing.assert_allclose(got.numpy(), result.similarities[0], atol=1e-5)


def test_a_whitened_encoder_that_is_not_trained_compared_by_plda_is_the_plda_baseline():
    """Without shrinkage the ratio does not depend on the coordinates; a shrunk whitening is undone by shrinkage 1."""
    data, labels = grouped(groups=40, size=4, length=20)
    for shrinkage, compared, closeness in ((0.0, 0.0, 1.0 - 1e-7), (0.3, 1.0, 0.99)):
        base = compared_by("plda", compared, epochs=0, similarity="encoder")
        encoder = resolve("encoders", {"type": "whitened", "components": 10, "shrinkage": shrinkage})
        one = task(dataclasses.replace(base, encoder=encoder), data, labels)
        (result,) = train_stack([one], {"data": data})
        pca = principal(data.spectra[one.train], 10)
        baseline = fit_plda(pca.scores, data.groups[one.train], shrinkage)
        z = baseline.project((data.spectra - pca.mean) @ pca.axes)
        assert one.halves is not None
        for half, found in zip(one.halves, result.similarities):
            expected = baseline.ratio(z, half.left, half.right)
            assert np.corrcoef(expected, found)[0, 1] > closeness


def test_comparisons_do_not_share_a_stack_and_shrinkages_do():
    keys = [stack_key(compared_by(k, s), 70) for k, s in (("cosine", 0.1), ("plda", 0.1), ("plda", 0.5))]
    assert keys[0] != keys[1] == keys[2]
    near = [stack_key(compared_by("plda less 2", comparison_locality=w), 70) for w in (0.5, 1.0)]
    assert keys[1] != near[0] == near[1] != stack_key(compared_by("plda less 3"), 70)
    rounds = [stack_key(compared_by("plda after 2", s), 70) for s in (0.1, 0.5)]
    assert keys[1] != rounds[0] == rounds[1] != stack_key(compared_by("plda after 1"), 70)


def test_auc_takes_any_real_similarity():
    rng = np.random.default_rng(0)
    s = rng.normal(size=60).astype(np.float32).round(1)
    positive, stratum = rng.random(60) < 0.4, rng.integers(0, 4, 60)
    given = torch.from_numpy(positive)[None], torch.from_numpy(stratum)[None], 3
    expected = auc(torch.from_numpy(s)[None], *given)
    for scale in (1e-3, 500.0, 1e20):
        assert auc(torch.from_numpy(s * np.float32(scale))[None] - 7 * scale, *given) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_a_replicate_that_diverges_is_told_and_leaves_its_neighbour_alone(kind):
    data, labels = grouped()
    wild = dataclasses.replace(
        compared_by(kind), optimiser=Optimiser(learning_rate=1.0, gradient_clip=1e6, weight_decay=100.0)
    )
    huge = dataclasses.replace(data, spectra=data.spectra * np.float32(1e30))
    tasks = [task(wild, huge, labels, key="wild", data="huge"), task(compared_by(kind), data, labels, key="calm")]
    first, second = train_stack(tasks, {"huge": huge, "data": data})
    assert (first.status, second.status) == ("diverged", "finished")
    alone = train_stack(tasks[1:], {"data": data})[0]
    np.testing.assert_allclose(second.similarities[0], alone.similarities[0], atol=2e-3)
