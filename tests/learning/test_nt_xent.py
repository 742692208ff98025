from __future__ import annotations

import math

import pytest
import torch

from spectrosim_search.learning.batch import Batch
from spectrosim_search.learning.layers import Context
from spectrosim_search.learning.objectives.nt_xent import Settings, loss


def slow(z, positive, negative, temperature, smoothing):
    """One replicate by naive loops: SimCLR eq. 1 with the mean over positives of SupCon eq. 2."""
    size = z.shape[0]
    unit = [row / row.norm() for row in z]
    total, anchors = 0.0, 0
    for i in range(size):
        weights = [float(positive[i, p]) for p in range(size)]
        if sum(weights) == 0:
            continue
        anchors += 1
        compared = [a for a in range(size) if positive[i, a] > 0 or negative[i, a]]
        bottom = sum(math.exp(float(unit[i] @ unit[a]) / temperature) for a in compared)
        for a in compared:
            share = math.log(math.exp(float(unit[i] @ unit[a]) / temperature) / bottom)
            target = (1 - smoothing) * weights[a] / sum(weights) + smoothing / len(compared)
            total -= target * share
    return total / max(anchors, 1)


def loss_of(z, positive, negative, values):
    return loss(Settings(), {}, Batch(z, positive, negative), Context(z[:, 0], values))


def problem(replicates: int = 3, size: int = 8):
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(replicates, size, 5, dtype=torch.float64, generator=generator)
    kind = torch.randint(0, 4, (replicates, size, size), generator=generator)
    kind.diagonal(0, 1, 2).fill_(3)
    kind[:, 0] = 2  # an anchor without positives
    weight = torch.rand(replicates, size, size, dtype=torch.float64, generator=generator) + 0.1
    values = {
        "temperature": torch.tensor([0.1, 0.5, 2.0], dtype=torch.float64)[:replicates],
        "label_smoothing": torch.tensor([0.0, 0.1, 0.3], dtype=torch.float64)[:replicates],
    }
    return z, torch.where(kind == 1, weight, 0.0), kind == 2, values


def test_equals_naive_loops():
    z, positive, negative, values = problem()
    fast = loss_of(z, positive, negative, values)
    for r in range(3):
        one = float(values["temperature"][r]), float(values["label_smoothing"][r])
        assert float(fast[r]) == pytest.approx(slow(z[r], positive[r], negative[r], *one), abs=1e-12)


def test_equals_simclr_with_two_views():
    z = torch.randn(1, 6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    positive = torch.zeros(1, 6, 6, dtype=torch.float64)
    for i in range(6):
        positive[0, i, (i + 3) % 6] = 1
    negative = (positive == 0) & ~torch.eye(6, dtype=torch.bool)
    values = {"temperature": torch.tensor([0.2]).double(), "label_smoothing": torch.zeros(1).double()}
    unit = torch.nn.functional.normalize(z[0], dim=1)
    logits = (unit @ unit.T / 0.2).masked_fill(torch.eye(6, dtype=torch.bool), -torch.inf)
    target = torch.tensor([3, 4, 5, 0, 1, 2])
    torch.testing.assert_close(
        loss_of(z, positive, negative, values)[0], torch.nn.functional.cross_entropy(logits, target)
    )


def test_gradient():
    z, positive, negative, values = problem(2, 5)
    z.requires_grad_()
    temperature = values["temperature"][:2].clone().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda a, t: loss_of(a, positive, negative, {**values, "temperature": t}), (z, temperature)
    )


def test_views_that_are_neither_take_no_part():
    z, positive, negative, values = problem(1, 6)
    positive, negative = positive.clone(), negative.clone()
    positive[:, :, 5], negative[:, :, 5] = 0, False
    positive[:, 5], negative[:, 5] = 0, False
    before = loss_of(z, positive, negative, values)
    z[:, 5] = torch.randn(5, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    assert torch.equal(loss_of(z, positive, negative, values), before)


def test_no_positives_anywhere_is_zero_with_zero_gradient():
    z, positive, _, values = problem(1, 4)
    z.requires_grad_()
    out = loss_of(z, torch.zeros_like(positive), torch.zeros_like(positive) == 1, values)
    out.sum().backward()
    assert float(out.detach()) == 0
    assert (z.grad == 0).all()
