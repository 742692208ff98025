"""What every encoder, head, objective and augmentation must do; members are found by the registry."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from spectrosim_search.config import registry
from spectrosim_search.learning.components import FAMILIES, resolve
from spectrosim_search.learning.fitting import Fitting
from spectrosim_search.learning.layers import Context
from spectrosim_search.learning.model import Layout
from spectrosim_search.learning.parameters import Parameter
from spectrosim_search.learning.randomness import RowStream, Stream
from spectrosim_search.learning.views import Scene

LENGTH, INSIDE = 70, 12
SMALLER = {
    "whitened": {"components": 6},
    "one-token-transformer": {"width": 24, "depth": 2},
    "transformer": {"patch": 16, "width": 16},
    "moe-transformer": {"patch": 16, "width": 16, "active": 2},
    "ensemble-transformer": {"patch": 8, "width": 12, "members": 2},
    "kan": {"patch": 8, "width": 10},
    "mamba": {"patch": 8, "width": 8, "states": 4},
    "vae": {"width": 10, "out": 8},
    "cnn": {"width": 8, "stem_stride": 2},
    "resnet": {"width": 8, "stem_stride": 2},
    "block-cnn": {"width": 4, "references": 4},
    "r-cnn": {"width": 8, "stem_stride": 2, "hidden": 6},
    "lstm": {"patch": 8, "width": 10, "hidden": 6},
    "cnn-transformer": {"width": 8, "stem_stride": 2},
}


def members(family: str) -> list[str]:
    return list(registry.names("learning." + family))


def member(family: str, name: str):
    module = registry.load("learning." + family, name)
    return module, module.Settings(**dict(resolve(family, {"type": name, **SMALLER.get(name, {})}).parameters))


def normals(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def tensors(declared: dict[str, Parameter], replicates: int, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Leaves as they start, all a little disturbed: a branch that starts at zero hides what lies before it."""
    layout = Layout.of({n: p for n, p in declared.items() if p.start != "fitted"})
    values = torch.zeros(replicates, layout.size, dtype=dtype)
    for index, (name, view) in enumerate(layout.views(values).items()):
        for row in range(replicates):
            drawn = normals(declared[name].size, dtype=dtype, seed=row * 100 + index)
            view[row] = declared[name].initial(drawn) + 0.05 * drawn.flip(0).view(declared[name].shape)
    return layout.leaves(values)


def fitting(length: int) -> Fitting:
    spectra = normals(24, length, seed=7) + 2 * normals(8, length, seed=8).repeat_interleave(3, dim=0)
    return Fitting(spectra.numpy(), np.repeat(np.arange(8), 3), np.linspace(77, 999, length))


def fitted_tensors(module, settings, replicates: int, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """What an encoder fits on some spectra, in full precision as the engine hands it over."""
    full = dtype if dtype == torch.float64 else torch.float32
    found = module.fit(settings, fitting(LENGTH)) if hasattr(module, "fit") else {}
    declared = module.parameters(settings, LENGTH)
    assert set(found) == {n for n, p in declared.items() if p.start == "fitted"}
    assert all(a.shape == declared[n].shape for n, a in found.items())
    return {n: torch.from_numpy(a).to(full).expand(replicates, *a.shape) for n, a in found.items()}


def settings_values(settings, replicates: int, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    fields = [f for f in dataclasses.fields(settings) if not f.metadata["shapes"]]
    return {f.name: torch.full((replicates,), float(getattr(settings, f.name)), dtype=dtype) for f in fields}


def run(family: str, name: str, x: torch.Tensor, *, train: bool = False, replicates: int | None = None):
    """Return output and leaves of an encoder or a head with fresh tensors."""
    count = replicates or x.shape[0]
    module, settings = member(family, name)
    axis = torch.linspace(77, 999, LENGTH, dtype=x.dtype).expand(count, -1)
    stream = Stream.of_seeds(list(range(count)), 3) if train else None
    context = Context(axis, settings_values(settings, count, x.dtype), stream, spectra=x)
    if family == "encoders":
        leaves = tensors(module.parameters(settings, LENGTH), count, x.dtype)
        p = leaves | fitted_tensors(module, settings, count, x.dtype)
        out, size = module.forward(settings, p, x, context), module.outputs(settings, LENGTH)
    else:
        leaves = tensors(module.parameters(settings, INSIDE, LENGTH), count, x.dtype)
        inside = normals(x.shape[0], 8, INSIDE, seed=9)[:, : x.shape[1]].to(x.dtype)
        out, size = module.forward(settings, leaves, inside, x, context), module.outputs(settings, INSIDE, LENGTH)
    assert out.shape == (*x.shape[:2], size)
    return out, leaves, context.penalties


networks = pytest.mark.parametrize(("family", "name"), [(f, n) for f in ("encoders", "heads") for n in members(f)])


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_members_with_described_settings(family):
    assert members(family)
    for name in members(family):
        settings = registry.load("learning." + family, name).Settings
        assert settings.__dataclass_params__.frozen
        for f in dataclasses.fields(settings):
            assert f.metadata["description"], (name, f.name)
            assert f.metadata["low"] is None or f.metadata["low"] <= f.default <= f.metadata["high"]


@networks
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_shape_and_type(family, name, dtype):
    out = run(family, name, normals(2, 5, LENGTH).to(dtype))[0]
    assert out.dtype == dtype
    assert torch.isfinite(out).all()


@networks
def test_same_input_same_output(family, name):
    x = normals(2, 5, LENGTH)
    for train in (False, True):
        assert torch.equal(run(family, name, x, train=train)[0], run(family, name, x, train=train)[0])


@networks
def test_penalties_belong_to_training(family, name):
    assert not run(family, name, normals(2, 5, LENGTH))[2]
    for term in run(family, name, normals(2, 5, LENGTH), train=True)[2]:
        assert term.shape == (2,)
        assert torch.isfinite(term).all()


@networks
def test_gradient_reaches_every_parameter(family, name):
    out, leaves, penalties = run(family, name, normals(2, 5, LENGTH, dtype=torch.float64), train=True)
    total = (out * normals(*out.shape, dtype=torch.float64, seed=4)).sum() + sum(p.sum() for p in penalties)
    for key, gradient in zip(leaves, torch.autograd.grad(total, list(leaves.values())) if leaves else ()):
        assert torch.isfinite(gradient).all(), key
        assert (gradient.flatten(1).abs().sum(dim=1) > 1e-12).all(), f"no gradient in {key}"


@networks
def test_a_single_spectrum(family, name):
    x = normals(1, 5, LENGTH)
    together = run(family, name, x)[0]
    alone = run(family, name, x[:, :1])[0]
    torch.testing.assert_close(alone, together[:, :1], atol=1e-5, rtol=1e-4)


@networks
def test_replicates_do_not_mix(family, name):
    x = normals(2, 5, LENGTH, dtype=torch.float64)
    both, leaves, penalties = run(family, name, x, train=True)
    if leaves:
        first = both[0].sum() + sum(p[0] for p in penalties)
        for gradient in torch.autograd.grad(first, list(leaves.values())):
            assert (gradient[1] == 0).all()
    changed = x.clone()
    changed[1] += 1
    assert torch.equal(run(family, name, changed, train=True)[0][0], both[0])


@pytest.mark.parametrize("name", members("augmentations"))
class TestAugmentations:
    def changed(self, name: str, x: torch.Tensor, seed: int = 0, strength: float | None = None) -> torch.Tensor:
        module, settings = member("augmentations", name)
        usual = {"shift": 0.2}.get(name, getattr(settings, "strength", 0.0))  # the default moves 70 channels by none
        value = usual if strength is None else strength
        random = RowStream(Stream.of_seeds([seed + r for r in range(x.shape[0])], 5), x.shape[1], 200)
        strength = torch.full((x.shape[0], 1, 1), value, dtype=x.dtype)
        fitted = {}
        if hasattr(module, "fit"):
            one = {n: torch.from_numpy(a).to(x.dtype) for n, a in module.fit(settings, fitting(x.shape[-1])).items()}
            fitted = {n: a.expand(x.shape[0], *a.shape) for n, a in one.items()}
        axis = torch.linspace(77, 999, x.shape[-1], dtype=x.dtype).expand(x.shape[0], -1)
        scene = Scene(axis, fitted, lambda uniform: x.flip(-1) * (1 + uniform.to(x.dtype).unsqueeze(-1)))
        return module.apply(settings, x, strength, random, scene)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_shape_type_and_determinism(self, name, dtype):
        x = normals(2, 6, LENGTH, dtype=dtype)
        before = x.clone()
        out = self.changed(name, x)
        assert (out.shape, out.dtype) == (x.shape, dtype)
        assert torch.equal(out, self.changed(name, x))
        assert torch.equal(x, before), "the input was changed in place"
        assert not torch.equal(out, x)

    def test_a_replicate_does_not_depend_on_its_neighbours(self, name):
        x = normals(3, 6, LENGTH)
        assert torch.equal(self.changed(name, x)[2], self.changed(name, x[2:], seed=2)[0])

    def test_rows_get_numbers_of_their_own(self, name):
        if name in ("flip", "superpose"):
            pytest.skip(f"{name} draws nothing that shows in equal spectra")
        x = normals(1, 1, LENGTH).expand(1, 40, LENGTH).contiguous()
        out = self.changed(name, x, strength=0.3 if name != "permutation" else 6.0)
        assert len({tuple(row.tolist()) for row in out[0]}) > 10

    def test_a_single_row_of_one_channel(self, name):
        assert torch.isfinite(self.changed(name, torch.ones(1, 1, 1))).all()


def test_what_augmentations_keep():
    x = normals(1, 30, LENGTH)
    check = TestAugmentations()
    for name in ("shift", "permutation", "flip"):
        moved = check.changed(name, x, strength=7.0 if name == "permutation" else 0.4)
        torch.testing.assert_close(moved.sort(dim=-1).values, x.sort(dim=-1).values)
    cropped = check.changed("crop-pad", x, strength=0.5)
    assert (((cropped == x) | (cropped == 0)).all()) and ((cropped == 0).sum(dim=-1) <= 0.5 * LENGTH).all()
    factor = check.changed("scale", x, strength=0.2) / x
    assert factor.min() > 0.799
    assert factor.max() < 1.201
    noise = (check.changed("jitter", x, strength=0.3) - x) / x.std(dim=-1, keepdim=True)
    assert abs(float(noise.std()) - 0.3) < 0.02
    assert torch.equal(check.changed("jitter", x, strength=0.0), x)
