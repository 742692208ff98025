from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spectrosim_search.config import registry
from spectrosim_search.config.errors import ConfigurationError, InputError
from spectrosim_search.config.study import DataSource
from spectrosim_search.spectra.load import load
from spectrosim_search.spectra.simulators import simulate
from spectrosim_search.spectra.simulators.reims import Settings

SMALL = {"batches": 6, "channels": 128, "mz_high": 133.0, "peaks": 12}


def test_the_default_has_the_shape_of_the_paper() -> None:
    s = simulate()
    assert s.intensities.shape == (72, 2080)
    assert (s.axis[0], s.axis[-1], s.axis_unit) == (77.04, 999.32, "m/z")
    groups, sizes = np.unique(s.groups, return_counts=True)
    assert (groups.size, set(sizes.tolist())) == (24, {3})
    assert dict(zip(*np.unique(s.labels, return_counts=True), strict=True)) == {"hoki": 36, "jack mackerel": 36}
    for group in groups:
        assert np.unique(s.labels[s.groups == group]).size == 1
    assert np.unique(s.sample_ids).size == 72
    assert (s.intensities >= 0).all()


@pytest.mark.parametrize("name", registry.names("spectra.simulators"))
def test_deterministic_by_seed(name: str) -> None:
    assert simulate(name, seed=5).fingerprint == simulate(name, seed=5).fingerprint
    assert simulate(name, seed=5).fingerprint != simulate(name, seed=6).fingerprint


def test_simulated_values_do_not_drift_between_versions() -> None:
    s = simulate(seed=0, **SMALL)
    assert float(s.truth["latent"][0, 0]) == pytest.approx(-2.818569065427464, abs=1e-9)


@pytest.mark.parametrize(
    "name",
    ["scale_spread", "drift", "baseline", "baseline_spread", "ions", "detector_noise", "peak_width"],
)
def test_a_nuisance_changes_spectra_and_not_the_fish(name: str) -> None:
    default = next(f.default for f in dataclasses.fields(Settings) if f.name == name)
    a, b = simulate(**SMALL), simulate(**SMALL, **{name: default * 1.5})
    assert (a.intensities != b.intensities).any()
    np.testing.assert_array_equal(a.truth["latent"], b.truth["latent"])


def test_without_nuisance_spectra_follow_the_latent_profile() -> None:
    quiet = {"scale_spread": 0.0, "drift": 0.0, "baseline": 0.0, "ions": 0.0, "detector_noise": 0.0, "peak_width": 0.05}
    s = simulate(**{**SMALL, "peaks": 5, "channels": 2048}, **quiet)
    bins = np.abs(s.axis[None] - s.truth["peaks"][0][:, None]).argmin(axis=1)
    height = np.log(np.maximum(s.intensities[:, bins], 1e-30))
    relative = height - height.mean(axis=1, keepdims=True)
    latent = s.truth["latent"] - s.truth["latent"].mean(axis=1, keepdims=True)
    # a constant a peak (its place between two bins) is all that may differ
    np.testing.assert_allclose(relative - relative.mean(axis=0), latent - latent.mean(axis=0), atol=0.02)


def test_latent_covariances_are_those_of_the_truth() -> None:
    s = simulate(batches=3000, batch_size=2, channels=16, mz_high=85.0, peaks=4, species_spread=1.0)
    t = s.truth
    centred = t["latent"] - t["species_means"][0][t["species"].astype(int)]
    a, b = centred[0::2], centred[1::2]
    batch = t["batch_factor"][0] @ t["batch_factor"][0].T + np.diag(t["batch_variance"][0])
    fish = t["fish_factor"][0] @ t["fish_factor"][0].T + np.diag(t["fish_variance"][0])
    np.testing.assert_allclose((a.T @ b + b.T @ a) / (2 * len(a)), batch, atol=0.04)
    np.testing.assert_allclose((a - b).T @ (a - b) / (2 * len(a)), fish, atol=0.04)


def test_batch_sizes_may_vary() -> None:
    sizes = np.unique(
        simulate(batches=200, batch_size_spread=2, **{k: v for k, v in SMALL.items() if k != "batches"}).groups,
        return_counts=True,
    )[1]
    assert set(sizes.tolist()) == {1, 2, 3, 4, 5}


def test_selecting_rows_keeps_the_truth_of_the_population() -> None:
    s = simulate(**SMALL)
    part = s.select(np.array([4, 1]))
    np.testing.assert_array_equal(part.truth["latent"], s.truth["latent"][[4, 1]])
    np.testing.assert_array_equal(part.truth["batch_factor"], s.truth["batch_factor"])


def test_wrong_parameters_are_named_together() -> None:
    with pytest.raises(ConfigurationError) as caught:
        simulate(bathces=3, drift=-1.0, peaks=2.5, seed="x")
    assert len(caught.value.problems) == 4
    assert "did you mean 'batches'" in caught.value.problems[0]
    with pytest.raises(InputError, match=r"unknown simulator 'remis' .did you mean 'reims'"):
        simulate("remis")
    with pytest.raises(ConfigurationError, match=r"seed is -1, below 0$"):
        simulate(seed=-1)
    with pytest.raises(ConfigurationError, match="mz_low"):
        simulate(mz_low=500.0, mz_high=100.0)
    with pytest.raises(ConfigurationError, match="drift"):
        simulate(drift=float("nan"))


def test_load_simulates_or_reads(table: object) -> None:
    parameters = tuple(sorted(SMALL.items()))
    assert load(DataSource(simulator_parameters=parameters)).fingerprint == simulate(**SMALL).fingerprint
    path = table("id,lot,100,101\na,1,1,2\nb,1,3,4\n")  # type: ignore[operator] # the fixture of conftest.py
    assert load(DataSource(path=str(path))).groups.tolist() == ["1", "1"]
    with pytest.raises(InputError, match="group_column is set but no file"):
        load(DataSource(group_column="x"))
