"""Convolutional and recurrent layers against torch's own, and the encoders made of them."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spectrosim_search.config import registry
from spectrosim_search.learning.components import resolve
from spectrosim_search.learning.engine import single_thread, train_stack
from spectrosim_search.learning.layers import Context
from spectrosim_search.learning.layers_convolution import (
    convolve,
    largest,
    normalise,
    read_regions,
    region_count,
    region_reader,
    shortened,
)
from spectrosim_search.learning.layers_recurrent import recur, recurrence
from spectrosim_search.learning.model import Layout
from spectrosim_search.learning.randomness import Stream
from tests.learning.problems import configuration, grouped, task

NAMES = ("cnn", "resnet", "r-cnn", "lstm", "cnn-transformer")
SMALL = {"width": 8, "stem_kernel": 7, "stem_stride": 3, "out": 6}
VARIANTS = [
    ("cnn", SMALL),
    ("cnn", {**SMALL, "shorten": "max", "convolutions": 2, "kernel": 4, "stride": 3, "position": "learned"}),
    ("cnn", {**SMALL, "regions": 1, "growth": 1.0, "stem_kernel": 2}),
    ("resnet", SMALL),
    ("resnet", {**SMALL, "blocks": 2, "growth": 1.0, "stem_kernel": 4, "position": "learned"}),
    ("r-cnn", {**SMALL, "hidden": 5}),
    ("r-cnn", {**SMALL, "hidden": 5, "cell": "gru", "depth": 2, "pool": "attention", "position": "learned"}),
    ("lstm", {"patch": 9, "width": 7, "hidden": 5, "out": 6}),
    ("lstm", {"patch": 9, "width": 7, "hidden": 5, "depth": 2, "pool": "last", "position": "learned"}),
    ("lstm", {"patch": 9, "width": 7, "hidden": 5, "pool": "last", "directions": "forward"}),
    ("cnn-transformer", SMALL),
    ("cnn-transformer", {**SMALL, "stages": 2, "stride": 2, "depth": 1, "pool": "attention", "position": "learned"}),
]
variants = pytest.mark.parametrize(("name", "given"), VARIANTS, ids=[f"{n}-{i}" for i, (n, _) in enumerate(VARIANTS)])


@pytest.fixture(autouse=True)
def one_thread():
    with single_thread():
        yield


def normals(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def gradients(out: Tensor, leaves: list[Tensor]) -> list[Tensor]:
    return list(torch.autograd.grad((out * normals(*out.shape, seed=99, dtype=out.dtype)).sum(), leaves))


def built(name: str, length: int, replicates: int, given: dict[str, object], dtype: torch.dtype = torch.float64):
    """Return module, settings and leaves with values that differ between replicates and from the usual start."""
    module = registry.load("learning.encoders", name)
    settings = module.Settings(**dict(resolve("encoders", {"type": name, **given}).parameters))
    declared = module.parameters(settings, length)
    layout = Layout.of(declared)
    values = torch.zeros(replicates, layout.size, dtype=dtype)
    for index, (key, view) in enumerate(layout.views(values).items()):
        for row in range(replicates):
            drawn = normals(declared[key].size, seed=100 * row + index)
            constant = declared[key].start == "constant"
            view[row] = (declared[key].initial(drawn) + (0.1 * drawn.view(declared[key].shape) if constant else 0)).to(
                dtype
            )
    return module, settings, layout.leaves(values)


def context(settings, seeds: list[int], length: int, *, train: bool, dtype: torch.dtype = torch.float64) -> Context:
    axis = torch.linspace(77, 999, length, dtype=dtype).expand(len(seeds), -1)
    varying = [f.name for f in dataclasses.fields(settings) if not f.metadata["shapes"]]
    values = {n: torch.tensor([getattr(settings, n) + 0.1 * s for s in seeds], dtype=dtype) for n in varying}
    return Context(axis, values, Stream.of_seeds(seeds, 7) if train else None)


@pytest.mark.parametrize("replicates", [1, 3])
@pytest.mark.parametrize(
    ("length", "taps", "stride"),
    [(11, 3, 1), (12, 5, 2), (13, 4, 2), (20, 15, 4), (9, 1, 2), (10, 2, 3), (7, 3, 5), (3, 9, 2)],
)
def test_convolution_is_that_of_torch(length, taps, stride, replicates):
    x = normals(replicates, 4, length, 3).requires_grad_()
    kernel = normals(replicates, taps * 3, 5, seed=1).requires_grad_()
    out = convolve(x, kernel, stride)
    assert out.shape == (replicates, 4, shortened(length, stride), 5)
    alone = []
    for r in range(replicates):
        weights = kernel[r].view(taps, 3, 5).permute(2, 1, 0)
        padded = F.pad(x[r].transpose(1, 2), ((taps - 1) // 2, taps // 2))
        alone.append(F.conv1d(padded, weights, stride=stride).transpose(1, 2))
    torch.testing.assert_close(out, torch.stack(alone), atol=1e-12, rtol=0)
    for ours, theirs in zip(gradients(out, [x, kernel]), gradients(torch.stack(alone), [x, kernel])):
        torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=0)


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("taps", [3, 4])
def test_a_convolution_to_one_feature_has_gradients(taps, kind):
    """The library refuses weights of one output feature laid out with the channels last."""
    x = normals(1, 2, 25, 3).to(kind).requires_grad_()
    kernel = normals(1, taps * 3, 1, seed=1).to(kind).requires_grad_()
    twice = [v.detach().expand(2, *v.shape[1:]).clone().requires_grad_() for v in (x, kernel)]
    alone = torch.autograd.grad(convolve(x, kernel, 2).square().sum(), [x, kernel])
    for ours, product in zip(alone, torch.autograd.grad(convolve(*twice, 2).square().sum(), twice)):
        torch.testing.assert_close(ours[0], product[0], atol=1e-12 if kind == torch.float64 else 0.1, rtol=0)


@pytest.mark.parametrize("stride", [1, 2, 4, 8])
@pytest.mark.parametrize("taps", [3, 5, 9])
def test_short_inputs_have_finite_gradients_in_half_precision(taps, stride):
    """Taps that see nothing but zeros beyond the ends have a gradient of zero, not of what lay in memory."""
    for length in range(1, 2 * taps + stride):
        x = torch.randn(1, 16, length, 32, generator=torch.Generator().manual_seed(length))
        kernel = torch.randn(1, taps * 32, 16, generator=torch.Generator().manual_seed(taps))
        gradients = []
        for kind in (torch.float64, torch.bfloat16):
            for _ in range(3):  # unwritten memory differs from call to call
                leaf = kernel.to(kind).requires_grad_()
                out = convolve(x.to(kind), leaf, stride)
                gradients.append(torch.autograd.grad(out.sum(), leaf)[0].double())
        scale = float(gradients[0].abs().max())
        for other in gradients[1:]:
            torch.testing.assert_close(other / scale, gradients[0] / scale, atol=0.03, rtol=0)


@pytest.mark.parametrize("replicates", [1, 2])
def test_norm_is_group_norm_of_one_group(replicates):
    x = normals(replicates, 4, 9, 6).requires_grad_()
    scale, shift = normals(replicates, 6, seed=1).requires_grad_(), normals(replicates, 6, seed=2).requires_grad_()
    theirs = torch.stack(
        [F.group_norm(x[r].transpose(1, 2), 1, scale[r], shift[r]).transpose(1, 2) for r in range(replicates)]
    )
    ours = normalise(x, scale, shift)
    torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=0)
    for one, other in zip(gradients(ours, [x, scale, shift]), gradients(theirs, [x, scale, shift])):
        torch.testing.assert_close(one, other, atol=1e-11, rtol=0)
    plain = F.group_norm(x[0].transpose(1, 2), 1).transpose(1, 2)
    torch.testing.assert_close(normalise(x)[0], plain, atol=1e-12, rtol=0)


@pytest.mark.parametrize(("length", "size"), [(12, 2), (13, 4), (5, 7), (6, 1)])
def test_largest_is_max_pooling(length, size):
    x = normals(2, 3, length, 4)
    theirs = F.max_pool1d(x.flatten(0, 1).transpose(1, 2), size, ceil_mode=True).transpose(1, 2).view(2, 3, -1, 4)
    assert torch.equal(largest(x, size), theirs)


@pytest.mark.parametrize(("places", "regions"), [(12, 4), (13, 4), (5, 8), (9, 1), (10, 6)])
def test_regions_are_read_one_by_one(places, regions):
    x = normals(2, 3, places, 4).requires_grad_()
    declared = region_reader(places, 4, regions, 5)
    p = {n: normals(2, *d.shape, seed=i) for i, (n, d) in enumerate(declared.items())}
    out = read_regions(p, x, regions, Context(torch.zeros(2, 1), {}))
    size = -(-places // regions)
    assert region_count(places, regions) == len(range(0, places, size)) <= regions
    for r, m in itertools.product(range(2), range(3)):
        read = []
        for at in range(0, places, size):
            region = x[r, m, at : at + size]
            read += [region.mean(dim=0), region.max(dim=0).values]
        flat = F.layer_norm(torch.cat(read), (len(read) * 4,), p["norm.gain"][r], p["norm.bias"][r])
        torch.testing.assert_close(out[r, m], flat @ p["out.weight"][r] + p["out.bias"][r], atol=1e-12, rtol=0)
    assert torch.isfinite(gradients(out, [x])[0]).all(), "filling up the last region spoils the gradient"


def library(p: dict[str, Tensor], cell: str, r: int, inputs: int, hidden: int, directions: int) -> nn.RNNBase:
    """Return torch's own layer with the weights of replicate `r`."""
    kind = nn.LSTM if cell == "lstm" else nn.GRU
    layer = kind(inputs, hidden, batch_first=True, bidirectional=directions == 2, dtype=torch.float64)
    gates = 4 if cell == "lstm" else 3
    with torch.no_grad():
        for g, end in enumerate(("", "_reverse")[:directions]):
            own = slice(g * hidden, (g + 1) * hidden)
            inside = p["inside.weight"][r][:, g * gates * hidden : (g + 1) * gates * hidden]
            getattr(layer, "weight_ih_l0" + end).copy_(inside.t())
            getattr(layer, "weight_hh_l0" + end).copy_(p["state.weight"][r, g].t())
            shift, inner = getattr(layer, "bias_ih_l0" + end), getattr(layer, "bias_hh_l0" + end)
            inner.zero_()
            if cell == "lstm":
                names = ("input", "forget", "candidate", "output")
                shift.copy_(torch.cat([p[f"{n}.bias"][r, own] for n in names]))
            else:
                shift.copy_(p["inside.bias"][r, g * gates * hidden : (g + 1) * gates * hidden])
                inner[2 * hidden :] = p["candidate.bias"][r, own]
    return layer


@pytest.mark.parametrize("replicates", [1, 3])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_recurrence_is_that_of_torch(cell, directions, replicates):
    inputs, hidden = 4, 5
    x = normals(replicates, 3, 7, inputs).requires_grad_()
    declared = recurrence(cell, inputs, hidden, directions, "")
    p = {n: normals(replicates, *d.shape, seed=i + 1).requires_grad_() for i, (n, d) in enumerate(declared.items())}
    out = recur(p, x, cell, "")
    layers = [library(p, cell, r, inputs, hidden, directions) for r in range(replicates)]
    theirs = torch.stack([layer(x[r])[0] for r, layer in enumerate(layers)])
    torch.testing.assert_close(out, theirs, atol=1e-12, rtol=0)
    ours = dict(zip(["x", *p], gradients(out, [x, *p.values()])))
    weights = [layer.weight_hh_l0 for layer in layers]
    there = gradients(theirs, [x, *weights])
    torch.testing.assert_close(ours["x"], there[0], atol=1e-11, rtol=0)
    for r in range(replicates):
        torch.testing.assert_close(ours["state.weight"][r, 0], there[1 + r].t(), atol=1e-11, rtol=0)


def test_forget_gate_starts_open():
    declared = recurrence("lstm", 4, 5, 2, "")
    assert {n: p.scale for n, p in declared.items() if n.endswith("bias")} == {
        "input.bias": 0.0,
        "forget.bias": 1.0,
        "candidate.bias": 0.0,
        "output.bias": 0.0,
    }


@variants
def test_a_stack_gives_what_its_members_give_alone(name, given):
    length, seeds = 50, [0, 1, 2]
    module, settings, leaves = built(name, length, 3, given)
    x = normals(3, 5, length, seed=5)
    together = module.forward(settings, leaves, x, context(settings, seeds, length, train=True))
    stacked = gradients(together, list(leaves.values()))
    upstream = normals(*together.shape, seed=99)
    for r in seeds:
        own = {n: v[r : r + 1].detach().requires_grad_() for n, v in leaves.items()}
        alone = module.forward(settings, own, x[r : r + 1], context(settings, [r], length, train=True))
        torch.testing.assert_close(alone[0], together[r], atol=1e-9, rtol=1e-9)
        apart = torch.autograd.grad((alone[0] * upstream[r]).sum(), list(own.values()))
        for key, ours, theirs in zip(own, apart, stacked):
            torch.testing.assert_close(ours[0], theirs[r], atol=1e-9, rtol=1e-9, msg=lambda m, key=key: f"{key}: {m}")
            assert float(ours.abs().sum()) > 1e-9, f"no gradient in {key}"


@variants
@pytest.mark.parametrize("length", [1, 2, 17])
def test_short_spectra(name, given, length):
    module, settings, leaves = built(name, length, 2, given)
    out = module.forward(settings, leaves, normals(2, 3, length), context(settings, [0, 1], length, train=False))
    assert out.shape == (2, 3, settings.out)
    assert torch.isfinite(out).all()


@pytest.mark.parametrize("name", NAMES)
def test_defaults_are_small(name):
    module = registry.load("learning.encoders", name)
    size = sum(p.size for p in module.parameters(module.Settings(), 2080).values())
    assert 10_000 < size < 200_000


@pytest.mark.parametrize("name", NAMES)
def test_place_and_height_of_a_peak_matter(name):
    length = 2080
    module, settings, leaves = built(name, length, 1, {}, torch.float32)
    peak = torch.exp(-0.5 * ((torch.arange(length) - 400) / 3) ** 2)
    other = peak.roll(800)
    x = torch.stack([peak + other, peak + other.roll(640), peak + 0.3 * other, peak + other]).unsqueeze(0)
    plain = context(settings, [0], length, train=False, dtype=torch.float32)
    z = F.normalize(module.forward(settings, leaves, x, plain)[0].detach(), dim=-1)
    torch.testing.assert_close(z[0], z[3])
    assert float((z[0] - z[1]).norm()) > 0.02, "moving a peak by whole tokens changes nothing"
    assert float((z[0] - z[2]).norm()) > 0.02, "the height of a peak beside another changes nothing"


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_is_close(name):
    length = 300
    x = normals(1, 6, length, dtype=torch.float32)
    out = []
    for dtype in (torch.float32, torch.bfloat16):
        module, settings, leaves = built(name, length, 1, {}, dtype)
        plain = context(settings, [0], length, train=False, dtype=torch.float32)
        out.append(F.normalize(module.forward(settings, leaves, x.to(dtype), plain)[0].detach().float(), dim=-1))
    assert float((out[0] - out[1]).norm(dim=-1).max()) < 0.1


@pytest.mark.parametrize(
    ("name", "given", "length", "millions"),
    [
        ("cnn", {"width": 472, "convolutions": 2}, 2080, 34.3),
        (
            "resnet",
            {"width": 64, "stages": 4, "blocks": 2, "stem_stride": 2, "stem_kernel": 7, "regions": 1},
            2080,
            3.9,
        ),
        ("lstm", {"hidden": 128, "depth": 4, "width": 128}, 2080, 1.5),
    ],
)
def test_sizes_of_the_papers_are_settings(name, given, length, millions):
    module = registry.load("learning.encoders", name)
    settings = module.Settings(**dict(resolve("encoders", {"type": name, **given}).parameters))
    size = sum(p.size for p in module.parameters(settings, length).values())
    assert size / 1e6 == pytest.approx(millions, rel=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_training_learns_groups(name):
    spectra, labels = grouped(groups=14, size=4)
    small = {"type": name, "width": 16, "out": 16, **({"patch": 8} if name == "lstm" else {"stem_stride": 2})}
    encoder = resolve("encoders", small)
    config = dataclasses.replace(
        configuration(
            positives={"source": "groups"},
            optimiser={"learning_rate": 3e-3},
            training={"epochs": 12, "patience": 12},
        ),
        encoder=encoder,
    )
    (result,) = train_stack([task(config, spectra, labels)], {"data": spectra})
    assert result.status == "finished"
    assert np.isfinite(result.loss).all()
    assert result.loss[-3:].mean() < 0.8 * result.loss[0]
