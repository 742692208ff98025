"""What the augmentations that copy instruments do to a spectrum, in numbers."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from spectrosim_search.config import registry
from spectrosim_search.config.errors import DataError
from spectrosim_search.learning.augmentations._resampling import displaced, unit_axis
from spectrosim_search.learning.fitting import Fitting
from spectrosim_search.learning.partners import Partners
from spectrosim_search.learning.randomness import RowStream, Stream
from spectrosim_search.learning.views import Scene

KINDS = (
    "acquisition",
    "axis-warp",
    "baseline-drift",
    "calibration-drift",
    "group-mix",
    "peak-dropout",
    "shot-noise",
    "within-group",
)
EVEN, UNEVEN = torch.linspace(77, 999, 400, dtype=torch.float64), torch.logspace(2, 3, 400, dtype=torch.float64)
axes = pytest.mark.parametrize("axis", [EVEN, UNEVEN], ids=["even", "uneven"])


def changed(name: str, x: torch.Tensor, axis: torch.Tensor = EVEN, seed: int = 0, **given: Any) -> torch.Tensor:
    """Change spectra ``(R, M, L)``; settings by name, `strength` too; the groups of `scene_of`."""
    module = registry.load("learning.augmentations", name)
    strength = given.pop("strength", module.Settings().strength)
    settings = module.Settings(**given)
    random = RowStream(Stream.of_seeds([seed + r for r in range(x.shape[0])], 5), x.shape[1], 0)
    scene = scene_of(name, settings, x, axis)
    out: torch.Tensor = module.apply(
        settings, x, torch.full((x.shape[0], 1, 1), strength, dtype=x.dtype), random, scene
    )
    assert random.use <= 8, "more uses of randomness than a kind has"
    return out


def scene_of(name: str, settings: Any, x: torch.Tensor, axis: torch.Tensor) -> Scene:
    """What the engine would show of training spectra x ``(R, M, L)``, in groups of three, the last ones alone."""
    module = registry.load("learning.augmentations", name)
    replicates, rows, length = x.shape
    codes = np.minimum(np.arange(rows) // 3, max(0, (rows - 2) // 3)) + np.maximum(0, np.arange(rows) - rows + 3)
    fitted: dict[str, torch.Tensor] = {}
    if hasattr(module, "fit"):
        found = [module.fit(settings, Fitting(r.float().numpy(), codes, axis.double().numpy())) for r in x]
        fitted = {n: torch.stack([torch.from_numpy(f[n]) for f in found]).to(x.dtype) for n in found[0]}
    partners = Partners([np.arange(rows)] * replicates, [codes] * replicates, torch.device("cpu"))
    own = torch.arange(rows).expand(replicates, -1)

    def look_up(uniform: torch.Tensor) -> torch.Tensor:
        return x.gather(1, partners.draw(own, uniform).unsqueeze(-1).expand(x.shape))

    return Scene(axis.to(x.dtype).expand(replicates, length), fitted, look_up)


def normals(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def peaks(axis: torch.Tensor, centres: torch.Tensor, width: float) -> torch.Tensor:
    """Gaussian peaks of height one at `centres` ``(K,)``: ``(L,)``."""
    return torch.exp(-0.5 * ((axis - centres.unsqueeze(-1)) / width).square()).sum(dim=0)


@pytest.mark.parametrize("name", KINDS)
@axes
def test_nothing_changes_at_strength_0(name: str, axis: torch.Tensor) -> None:
    x = normals(2, 9, 400)
    assert torch.equal(changed(name, x, axis, strength=0.0), x)
    assert torch.equal(changed(name, x.float(), axis.float(), strength=0.0), x.float())


@pytest.mark.parametrize("name", sorted(set(KINDS) - {"shot-noise", "within-group", "group-mix"}))
@axes
def test_flat_spectra_stay_flat(name: str, axis: torch.Tensor) -> None:
    for level in (0.0, -2.5):
        x = torch.full((1, 9, 400), level, dtype=torch.float64)
        torch.testing.assert_close(changed(name, x, axis), x, rtol=0, atol=1e-12)


@pytest.mark.parametrize("length", [1, 2, 3])
@pytest.mark.parametrize("name", KINDS)
def test_very_short_spectra(name: str, length: int) -> None:
    x = normals(2, 9, length)
    out = changed(name, x, torch.linspace(100, 101, length, dtype=torch.float64))
    assert out.shape == x.shape and torch.isfinite(out).all()


@pytest.mark.parametrize("name", KINDS)
def test_strengths_differ_between_replicates(name: str) -> None:
    x = normals(2, 9, 400)
    module = registry.load("learning.augmentations", name)
    settings = module.Settings()
    stream = Stream.of_seeds([3, 4], 0)
    strength = torch.tensor([0.0, settings.strength], dtype=torch.float64).view(2, 1, 1)
    out = module.apply(settings, x, strength, RowStream(stream, 9, 0), scene_of(name, settings, x, EVEN))
    assert torch.equal(out[0], x[0]) and not torch.equal(out[1], x[1])


def moves(name: str, axis: torch.Tensor, rows: int = 60, **given: Any) -> torch.Tensor:
    """How far each place of the axis was displaced, as a share of it: read off spectra that are the axis itself."""
    unit = unit_axis(axis.unsqueeze(0))
    return unit - changed(name, unit.expand(rows, -1).unsqueeze(0), axis, **given)[0]


@pytest.mark.parametrize("name", ["axis-warp", "calibration-drift"])
@axes
def test_displacement_keeps_its_bound_and_uses_it(name: str, axis: torch.Tensor) -> None:
    inside = slice(40, -40) if axis is EVEN else slice(100, -40)  # the ends of the axis have nothing to read beyond
    move = moves(name, axis, strength=0.02)[:, inside].abs()
    assert move.max() <= 0.02 + 1e-12
    assert move.max() > 0.014


@axes
def test_warp_is_local_and_never_swaps_peaks(axis: torch.Tensor) -> None:
    move = moves("axis-warp", axis, strength=0.02, knots=16)
    places = unit_axis(axis.unsqueeze(0)) - move
    assert (places.diff(dim=-1) >= 0).all()
    inner = move[:, 50:-50]
    assert (inner.diff(dim=-1).sign().diff(dim=-1) != 0).sum(dim=-1).double().mean() > 3  # to and fro along the axis
    assert (inner.mean(dim=-1).abs().mean()) < 0.01


def test_calibration_moves_by_an_offset_and_a_stretch() -> None:
    move = moves("calibration-drift", UNEVEN, rows=400, strength=0.01)[:, 20:-20]
    place = 2 * unit_axis(UNEVEN.unsqueeze(0))[0, 20:-20] - 1
    design = torch.stack([torch.ones_like(place), place], dim=-1)
    weights = torch.linalg.lstsq(design, move.T).solution
    torch.testing.assert_close((design @ weights).T, move, rtol=0, atol=1e-12)
    assert weights.abs().max() <= 0.005 + 1e-12
    torch.testing.assert_close(
        weights.std(dim=1), torch.full((2,), 0.01 / 12**0.5, dtype=torch.float64), rtol=0.1, atol=0
    )
    assert abs(float(torch.corrcoef(weights)[0, 1])) < 0.2


@axes
def test_a_peak_moves_by_the_same_mass_wherever_channels_lie(axis: torch.Tensor) -> None:
    unit, span = unit_axis(axis.unsqueeze(0)), float(axis[-1] - axis[0])
    width = torch.gradient(axis)[0]
    for centre in (300.0, 700.0):
        x = peaks(axis, torch.tensor([centre]), 12.0).view(1, 1, -1)
        out = displaced(x, unit, torch.full_like(x, 7.3 / span))
        mass = (x * width).sum(), (out * width).sum()
        torch.testing.assert_close(mass[1], mass[0], rtol=2e-3, atol=0)
        torch.testing.assert_close(float((out * width * axis).sum() / mass[1]) - centre, 7.3, rtol=0, atol=0.1)


def test_displaced_against_numpy() -> None:
    x, move = normals(2, 3, 400), 0.05 * normals(2, 3, 400, seed=1)
    unit = torch.cat([unit_axis(EVEN.unsqueeze(0)), unit_axis(UNEVEN.unsqueeze(0))])
    out = displaced(x, unit, move)
    for r in range(2):
        for m in range(3):
            expected = np.interp((unit[r] - move[r, m]).numpy(), unit[r].numpy(), x[r, m].numpy())
            np.testing.assert_allclose(out[r, m].numpy(), expected, atol=1e-9)


@axes
@pytest.mark.parametrize("window", [1, 3])
def test_peak_dropout_against_a_loop(axis: torch.Tensor, window: int) -> None:
    x = normals(1, 4, 400)
    out = changed("peak-dropout", x, axis, strength=1.0, window=window)
    for row, got in zip(x[0].numpy(), out[0].numpy()):
        feet = [i for i in range(400) if row[i] <= row[max(0, i - window) : i + window + 1].min()]
        line = np.interp(axis.numpy(), axis.numpy()[feet], row[feet])
        np.testing.assert_allclose(got, np.minimum(row, line), atol=1e-12)


@pytest.mark.parametrize("fill", ["floor", "zero"])
def test_peak_dropout_takes_whole_peaks_and_its_share_of_them(fill: str) -> None:
    axis = torch.linspace(0, 3000, 3001, dtype=torch.float64)
    centres = torch.arange(15, 3000, 30).double()
    height = 1 + (7 * centres) % 13  # tall ones and small ones alike
    single = torch.exp(-0.5 * ((axis - centres.unsqueeze(-1)) / 2).square())
    single[single < 1e-3] = 0
    x = (height.unsqueeze(-1) * single).sum(dim=0).expand(1, 80, -1).contiguous()
    out = changed("peak-dropout", x, axis, strength=0.15, fill=fill)
    tiles, before = out[0, :, :3000].view(80, 100, 30), x[0, :, :3000].view(80, 100, 30)
    same, gone = (tiles == before).all(dim=-1), (tiles == 0).all(dim=-1)
    assert (same ^ gone).all()
    assert abs(float(gone.double().mean()) - 0.15) < 4 * (0.15 * 0.85 / 8000) ** 0.5
    assert (gone.double().mean(dim=0) > 0).all() and (gone.double().mean(dim=0) < 0.4).all()
    kept = float(out.sum() / x.sum())
    assert abs(kept - 0.85) < 0.02


def test_peak_dropout_never_raises_a_channel_and_joins_ripples() -> None:
    x = normals(1, 50, 400)
    assert (changed("peak-dropout", x, strength=0.5) <= x).all()
    place = torch.arange(400).double()
    rippled = (peaks(place, torch.tensor([100.0, 300.0]), 25.0) * (1 + 0.1 * torch.cos(place))).expand(1, 60, -1)
    out = changed("peak-dropout", rippled.contiguous(), place, strength=0.5, window=60)
    for peak in (slice(60, 140), slice(260, 340)):
        same = (out[0, :, peak] == rippled[0, :, peak]).all(dim=-1)
        flat = (out[0, :, peak].amax(dim=-1)) < 0.05
        assert (same ^ flat).all() and 15 < int(flat.sum()) < 45


def test_peaks_at_the_ends_go_down_to_their_only_foot() -> None:
    x = torch.tensor([[[5.0, 2.0, 1.0, 1.5, 4.0]]])
    out = changed("peak-dropout", x, torch.arange(5.0), strength=1.0, window=1)
    assert out.flatten().tolist() == [1.0] * 5


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_variance_of_shot_noise_grows_with_the_intensity(sign: float) -> None:
    level = torch.linspace(0, 4, 400, dtype=torch.float64) * sign
    x = level.expand(1, 4000, -1).contiguous()
    noise = (changed("shot-noise", x, strength=0.3) - x)[0]
    assert (noise[:, 0] == 0).all()
    assert noise.mean().abs() < 5 * 0.6 / (4000 * 400) ** 0.5
    ratio = noise[:, 1:].var(dim=0) / (0.09 * level[1:].abs() * 2.0)
    assert abs(float(ratio.mean()) - 1) < 0.01
    assert (ratio - 1).abs().max() < 6 * (2 / 4000) ** 0.5


def test_shot_noise_has_no_unit() -> None:
    x = normals(1, 5, 400)
    torch.testing.assert_close(changed("shot-noise", 1000 * x), 1000 * changed("shot-noise", x))


@axes
@pytest.mark.parametrize("order", [0, 1, 3, 8])
def test_baseline_is_a_polynomial_of_the_size_asked_for(axis: torch.Tensor, order: int) -> None:
    x = normals(1, 1500, 400)
    drift = (changed("baseline-drift", x, axis, strength=0.4, order=order) - x)[0]
    place = (2 * unit_axis(axis.unsqueeze(0))[0] - 1).numpy()
    design = np.polynomial.legendre.legvander(place, order)
    weights = np.linalg.lstsq(design, drift.T.numpy(), rcond=None)[0] / x[0].std(dim=-1, correction=0).numpy()
    residual = drift.T.numpy() - design @ (weights * x[0].std(dim=-1, correction=0).numpy())
    assert np.abs(residual).max() < 1e-10
    size = np.sqrt((weights**2).mean(axis=1) / (2 * np.arange(order + 1) + 1))  # root mean square of each curve's share
    np.testing.assert_allclose(size, 0.4 / np.sqrt(order + 1), rtol=0.1)
    if axis is EVEN:
        assert abs(float(drift.square().mean().sqrt()) / 0.4 - 1) < 0.05


def test_mixing_stays_between_the_two_spectra() -> None:
    x = normals(1, 12, 400)
    partner = scene_of("group-mix", None, x, EVEN).partners(RowStream(Stream.of_seeds([0], 5), 12, 1))
    out = changed("group-mix", x, strength=0.6)
    towards = partner - x
    alone = (towards == 0).all(dim=-1)
    share = ((out - x) * towards).sum(dim=-1) / towards.square().sum(dim=-1).clamp(min=1e-30)
    torch.testing.assert_close(out, x + share.unsqueeze(-1) * towards)
    assert (share >= 0).all() and (share <= 0.6).all()
    assert torch.equal(out[alone], x[alone]) and 0 < int(alone.sum()) < 12
    assert share[~alone].unique().numel() == int((~alone).sum())


def grouped(groups: int = 8, size: int = 4, length: int = 30) -> Fitting:
    rng = np.random.default_rng(3)
    codes = np.repeat(np.arange(groups), size)
    inside = rng.normal(size=(groups * size, 6)) @ rng.normal(size=(6, length)) * np.linspace(0.1, 2, length)
    inside += 0.3 * rng.normal(size=inside.shape)  # so that they span all channels
    spectra = (rng.normal(size=(groups, length))[codes] * 3 + inside).astype(np.float32)
    return Fitting(spectra, codes, np.linspace(77.0, 999.0, length))


def fitted(fitting: Fitting, **given: Any) -> np.ndarray:
    module = registry.load("learning.augmentations", "within-group")
    out: np.ndarray = module.fit(module.Settings(**given), fitting)["factor"]
    return out


def within(fitting: Fitting) -> np.ndarray:
    """Pooled covariance within groups, by a loop: ``(L, L)``."""
    total, freedom = np.zeros((fitting.axis.size,) * 2), 0
    for code in np.unique(fitting.groups):
        own = fitting.spectra[fitting.groups == code].astype(np.float64)
        total += (own - own.mean(axis=0)).T @ (own - own.mean(axis=0))
        freedom += len(own) - 1
    return total / freedom


def test_the_factor_is_a_root_of_the_covariance_within_groups() -> None:
    fitting = grouped()
    factor = fitted(fitting, components=64, shrinkage=0.0)
    assert factor.shape == (64, 30) and factor.dtype == np.float32
    np.testing.assert_allclose(factor.T @ factor, within(fitting), atol=2e-4 * within(fitting).max())
    assert (factor[30:] == 0).all()  # zero padded beyond the rank
    shrunk = fitted(fitting, components=64, shrinkage=0.25)
    expected = 0.75 * within(fitting) + 0.25 * np.trace(within(fitting)) / 30 * np.eye(30)
    np.testing.assert_allclose(shrunk.T @ shrunk, expected, atol=2e-4 * expected.max())


def test_few_components_hold_the_covariance_seen_along_the_principal_axes() -> None:
    fitting = grouped()
    centred = fitting.spectra.astype(np.float64) - fitting.spectra.mean(axis=0, dtype=np.float64)
    axes_ = np.linalg.svd(centred, full_matrices=False)[2][:5]
    factor = fitted(fitting, components=5, shrinkage=0.0)
    expected = axes_.T @ axes_ @ within(fitting) @ axes_.T @ axes_
    np.testing.assert_allclose(factor.T @ factor, expected, atol=2e-4 * expected.max())


def test_draws_have_the_estimated_covariance() -> None:
    fitting = grouped()
    module = registry.load("learning.augmentations", "within-group")
    settings = module.Settings(components=12)
    factor = torch.from_numpy(fitted(fitting, components=12)).double().unsqueeze(0)
    scene = Scene(torch.linspace(0, 1, 30).double().unsqueeze(0), {"factor": factor}, lambda uniform: uniform)
    count = 20_000
    random = RowStream(Stream.of_seeds([1], 0), count, 0)
    strength = torch.full((1, 1, 1), 0.7, dtype=torch.float64)
    draws = module.apply(settings, torch.ones(1, count, 30, dtype=torch.float64), strength, random, scene)[0] - 1
    expected = 0.49 * (factor[0].T @ factor[0])
    found = torch.cov(draws.T)
    scale = (expected.diagonal().unsqueeze(0) * expected.diagonal().unsqueeze(1)).sqrt()
    assert ((found - expected) / scale).abs().max() < 6 * (2 / count) ** 0.5
    assert (draws.mean(dim=0).abs() < 6 * (expected.diagonal() / count).sqrt()).all()


def test_no_group_of_two_is_said_in_one_line() -> None:
    fitting = grouped()
    with pytest.raises(DataError, match="no training group has two spectra"):
        fitted(dataclasses.replace(fitting, groups=np.arange(32)))
