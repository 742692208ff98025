"""The peak graph against a twin that walks over peaks and pairs one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from spectrosim_search.config.errors import ConfigurationError
from spectrosim_search.learning.components import resolve
from spectrosim_search.learning.encoders import peak_graph
from spectrosim_search.learning.layers import Context
from spectrosim_search.learning.layers_peaks import highest_peaks, surroundings
from spectrosim_search.learning.randomness import Stream
from tests.learning.test_families import normals, settings_values, tensors

LENGTH = 45
SETTINGS = peak_graph.Settings(peaks=9, apart=2, around=2, width=16, rounds=2, heads=2, bases=5, out=7)
UNEVEN = torch.linspace(10, 31, LENGTH, dtype=torch.float64) ** 2


def slow_peaks(row: list[float], count: int, apart: int) -> list[int]:
    height = [float(np.float32(abs(v))) for v in row]
    found = []
    for c, h in enumerate(height):
        left, right = height[max(0, c - apart) : c], height[c + 1 : c + 1 + apart]
        if h > 0 and all(h > v for v in left) and all(h >= v for v in right):
            found.append(c)
    return sorted(found, key=lambda c: (-height[c], c))[:count]


def slow_norm(v: np.ndarray, gain: np.ndarray, bias: np.ndarray) -> np.ndarray:
    return (v - v.mean()) / math.sqrt(v.var() + 1e-5) * gain + bias


def slow_gelu(v: np.ndarray) -> np.ndarray:
    return np.array([x * (1 + math.erf(x / math.sqrt(2))) / 2 for x in v])


def slow_waves(channel: float, count: int, length: int) -> list[tuple[float, float]]:
    low, high = math.log2(0.5 / length), math.log2(max(0.25, 0.5 / length))
    turns = [2 ** (low + (high - low) * k / (count - 1)) for k in range(count)]
    return [(math.sin(2 * math.pi * t * channel), math.cos(2 * math.pi * t * channel)) for t in turns]


def slow_encode(s: peak_graph.Settings, p: dict[str, np.ndarray], row: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """One spectrum (L,) through one replicate's tensors."""
    length, half = len(row), s.width // 2
    size = s.width // s.heads
    place = slow_peaks(list(row), s.peaks, s.apart)
    channel = [(axis[c] - axis[0]) / (axis[-1] - axis[0]) * (length - 1) for c in place]
    if not place:
        return p["out.bias"]
    power = math.sqrt(sum(row[c] ** 2 for c in place) / len(place))
    nodes = []
    for c, at in zip(place, channel):
        seen = np.array([row[k] / power if 0 <= k < length else 0.0 for k in range(c - s.around, c + s.around + 1)])
        waves = slow_waves(at, 24, length)
        told = math.sqrt(2) * np.array([w[0] for w in waves] + [w[1] for w in waves])
        both = told @ p["place.weight"] + p["place.bias"]
        nodes.append((seen @ p["peak.weight"] + p["peak.bias"]) * (1 + both[: s.width]) + both[s.width :])
    even = np.linspace(0, math.asinh(length - 1), s.bases)
    for turn in range(s.rounds):
        name = f"round{turn}."
        query, key, value = [], [], []
        for at, h in zip(channel, nodes):
            y = slow_norm(h, p[name + "norm1.gain"], p[name + "norm1.bias"])
            y = y @ p[name + "attention.weight"] + p[name + "attention.bias"]
            turned = []
            for part in (y[: s.width], y[s.width : 2 * s.width]):
                out = np.zeros(s.width)
                for k, (sine, cosine) in enumerate(slow_waves(at, half, length)):
                    out[k] = part[k] * cosine - part[k + half] * sine
                    out[k + half] = part[k] * sine + part[k + half] * cosine
                turned.append(out)
            query.append(turned[0])
            key.append(turned[1])
            value.append(y[2 * s.width :])
        messages = []
        for i in range(len(nodes)):
            message = np.zeros(s.width)
            for head in range(s.heads):
                own = slice(head, None, s.heads)
                logits = []
                for j in range(len(nodes)):
                    distance = math.asinh(abs(channel[i] - channel[j]))
                    logit = float(query[i][own] @ key[j][own]) / math.sqrt(size)
                    for b in range(s.bases):
                        narrow = math.exp(p["bases.width"][b]) / even[1]
                        bump = math.exp(-min(((distance - even[b] - p["bases.centre"][b]) * narrow) ** 2, 40.0))
                        logit += bump * p["bases.weight"][b, turn * s.heads + head]
                    logits.append(logit)
                total = 1.0 + sum(math.exp(v) for v in logits)  # one for the empty partner
                for j, logit in enumerate(logits):
                    message[own] += math.exp(logit) / total * value[j][own]
            messages.append(message)
        after = []
        for h, message in zip(nodes, messages):
            h = h + message @ p[name + "mix.weight"] + p[name + "mix.bias"]
            y = slow_norm(h, p[name + "norm2.gain"], p[name + "norm2.bias"])
            y = slow_gelu(y @ p[name + "expand.weight"] + p[name + "expand.bias"])
            after.append(h + y @ p[name + "shrink.weight"] + p[name + "shrink.bias"])
        nodes = after
    last = [slow_norm(h, p["norm.gain"], p["norm.bias"]) for h in nodes]
    pooled = np.concatenate([np.mean(last, axis=0), np.max(last, axis=0)])
    return pooled @ p["out.weight"] + p["out.bias"]


def encode(
    x: torch.Tensor, axis: torch.Tensor, *, seed: int = 0, settings: peak_graph.Settings = SETTINGS, train=False
):
    """Output and leaves for spectra (R, M, L) on one axis (L,), tensors of replicate r from seed + r."""
    leaves = tensors(peak_graph.parameters(settings, x.shape[-1]), x.shape[0] + seed, x.dtype)
    leaves = {n: v[seed:].detach().requires_grad_() for n, v in leaves.items()}
    stream = Stream.of_seeds([seed + r for r in range(x.shape[0])], 3) if train else None
    values = settings_values(settings, x.shape[0], x.dtype)
    context = Context(axis.to(x.dtype).expand(x.shape[0], -1), values, stream, spectra=x)
    return peak_graph.forward(settings, leaves, x, context), leaves


def spectra(replicates: int, rows: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Noise of both signs; row 0 is empty, row 1 has one peak, row 2 plateaus and ties."""
    x = normals(replicates, rows, LENGTH, dtype=dtype, seed=2)
    x[:, 0] = 0
    x[:, 1] = torch.exp(-((torch.arange(LENGTH) - 30.0) ** 2) / 9)
    x[:, 2] = x[:, 2].round()
    return x


@pytest.mark.parametrize("axis", [UNEVEN, UNEVEN.flip(0)], ids=["ascending", "descending"])
def test_twin(axis):
    x = spectra(2, 5)
    out, leaves = encode(x, axis)
    for r in range(2):
        p = {n: v[r].detach().numpy() for n, v in leaves.items()}
        for m in range(5):
            expected = slow_encode(SETTINGS, p, x[r, m].numpy(), axis.numpy())
            np.testing.assert_allclose(out[r, m].detach().numpy(), expected, atol=1e-10, rtol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("apart", [1, 3])
def test_peaks_are_those_of_the_twin(dtype, apart):
    x = torch.cat([spectra(1, 12), spectra(1, 12).mul(2).round()], dim=1).to(dtype)
    place, present = highest_peaks(x, 50, apart)
    assert place.shape == (1, 24, LENGTH)
    for m in range(24):
        assert place[0, m][present[0, m]].tolist() == slow_peaks(x[0, m].double().tolist(), 50, apart)


def test_equally_high_peaks_come_in_the_order_of_their_places():
    x = torch.zeros(1, 1, 4000)
    x[..., 1::2] = -0.1  # 2,000 peaks of one height, below the mean
    place, present = highest_peaks(x, 700, 1)
    assert present.all()
    assert place[0, 0].tolist() == list(range(1, 1400, 2))
    x[..., 3001] = float(np.nextafter(np.float32(-0.1), np.float32(-1)))
    assert highest_peaks(x, 3, 1).place[0, 0].tolist() == [3001, 1, 3]


def test_surroundings_beyond_the_ends_are_zero():
    x = torch.arange(1.0, 6.0).view(1, 1, 5)
    seen = surroundings(x, torch.tensor([[[0, 4, 2]]]), 2)
    assert seen.tolist() == [[[[0, 0, 1, 2, 3], [3, 4, 5, 0, 0], [1, 2, 3, 4, 5]]]]


def test_total_intensity_and_what_is_no_peak_do_not_matter():
    x = spectra(1, 4)
    out, _ = encode(x, UNEVEN)
    torch.testing.assert_close(encode(1e4 * x, UNEVEN)[0], out, atol=1e-9, rtol=1e-9)
    narrow = peak_graph.Settings(peaks=3, around=0, width=16, heads=2, bases=5)
    place, _ = highest_peaks(x, 3, 1)
    only = torch.zeros_like(x).scatter(2, place, x.gather(2, place))
    torch.testing.assert_close(encode(only, UNEVEN, settings=narrow)[0], encode(x, UNEVEN, settings=narrow)[0])
    assert not torch.allclose(encode(-x, UNEVEN)[0][0, 1:], out[0, 1:]), "the sign of a peak is seen"


@pytest.mark.parametrize("messages", [False, True])
def test_pairs_of_peaks_matter_through_messages_alone(messages):
    """Without messages the mean over nodes is additive in peaks; with them it matters which come together."""
    x = torch.zeros(1, 4, LENGTH, dtype=torch.float64)
    for row, places in enumerate([(5, 9), (5, 30), (22, 9), (22, 30)]):
        x[0, row, list(places)] = 1.0
    leaves = tensors(peak_graph.parameters(SETTINGS, LENGTH), 1, torch.float64)
    p = {n: 0 * v if n.endswith("mix.weight") and not messages else v for n, v in leaves.items()}
    p["out.weight"] = torch.cat([p["out.weight"][:, : SETTINGS.width], 0 * p["out.weight"][:, SETTINGS.width :]], dim=1)
    context = Context(UNEVEN.expand(1, -1), settings_values(SETTINGS, 1, torch.float64), spectra=x)
    with torch.no_grad():
        one, two, three, four = peak_graph.forward(SETTINGS, p, x, context)[0]
    gap = float((one + four - two - three).abs().max())
    assert gap > 1e-2 if messages else gap < 1e-9


def test_stacked_and_alone_agree():
    x = spectra(3, 6)
    together, all_leaves = encode(x, UNEVEN, train=True)
    gradients = torch.autograd.grad(together.square().sum(), list(all_leaves.values()))
    for r in range(3):
        alone, leaves = encode(x[r : r + 1], UNEVEN, seed=r, train=True)
        torch.testing.assert_close(alone[0], together[r], atol=1e-10, rtol=1e-9)
        for one, many in zip(torch.autograd.grad(alone.square().sum(), list(leaves.values())), gradients):
            torch.testing.assert_close(one[0], many[r], atol=1e-9, rtol=1e-9)


def test_gradient_by_the_spectrum():
    """The choice of peaks has no gradient, what a node sees has: as finite differences say."""
    x = spectra(1, 4)[:, 1:].requires_grad_()
    leaves = tensors(peak_graph.parameters(SETTINGS, LENGTH), 1, torch.float64)
    context = Context(UNEVEN.expand(1, -1), settings_values(SETTINGS, 1, torch.float64))

    def sum_of(spectra: torch.Tensor) -> torch.Tensor:
        return peak_graph.forward(SETTINGS, leaves, spectra, context).sum()

    (gradient,) = torch.autograd.grad(sum_of(x), x)
    highest = int(x[0, 0].argmax())
    moved = torch.zeros_like(x)
    moved[0, 0, highest] = 1e-6
    with torch.no_grad():
        difference = (sum_of(x + moved) - sum_of(x - moved)) / 2e-6
    assert float(difference) == pytest.approx(float(gradient[0, 0, highest]), rel=1e-5)


def test_few_channels_and_few_peaks_are_enough():
    for length in (1, 2, 3):
        axis = torch.arange(1.0, length + 1, dtype=torch.float64)
        out, _ = encode(normals(1, 3, length, dtype=torch.float64), axis)
        assert torch.isfinite(out).all()


@pytest.mark.slow
def test_can_be_traced_for_any_number_of_spectra():
    """What exporters do: the choice of peaks has no step that fixes how many spectra there are."""
    leaves = tensors(peak_graph.parameters(SETTINGS, LENGTH), 1, torch.float32)
    p = {n: v.detach().clone() for n, v in leaves.items()}

    class Encoder(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            context = Context(UNEVEN.float().expand(1, -1), {}, spectra=x.unsqueeze(0))
            return peak_graph.forward(SETTINGS, p, x.unsqueeze(0), context)[0]

    x = spectra(1, 6, torch.float32)[0]
    shapes = {"x": {0: torch.export.Dim("spectra")}}
    traced = torch.export.export(Encoder(), (x[:3],), dynamic_shapes=shapes).module()
    torch.testing.assert_close(traced(x), Encoder()(x))
    torch.testing.assert_close(traced(x[:1]), Encoder()(x[:1]))


def test_width_and_heads_that_do_not_fit_are_refused():
    with pytest.raises(ConfigurationError, match="width 20 is not a multiple of twice the heads 4"):
        resolve("encoders", {"type": "peak-graph", "width": 20})
