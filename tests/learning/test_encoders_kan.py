"""Splines against SciPy's, curves against one connection at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline

from spectrosim_search.learning.encoders import kan
from spectrosim_search.learning.layers import Context
from spectrosim_search.learning.layers_spline import HALF, basis, curves, curves_parameters
from tests.learning.test_families import normals, tensors

F64 = torch.float64
SHAPES = [(1, 1), (5, 1), (5, 2), (5, 3), (8, 4), (3, 5)]


def knots(grid: int, degree: int) -> np.ndarray:
    return -HALF + 2 * HALF / grid * np.arange(-degree, grid + degree + 1)


def spline(x: np.ndarray | float, number: int, grid: int, degree: int) -> np.ndarray:
    """SciPy's spline of that number over its whole support, zero outside."""
    own = knots(grid, degree)[number : number + degree + 2]
    return np.nan_to_num(BSpline.basis_element(own, extrapolate=False)(x))


@pytest.mark.parametrize(("grid", "degree"), SHAPES)
def test_splines_are_scipys(grid, degree):
    t = knots(grid, degree)
    x = np.linspace(t[0] - 1, t[-1] + 1, 801)
    ours = basis(torch.from_numpy(x), grid, degree).numpy()
    assert ours.shape == (801, grid + degree)
    for s in range(grid + degree):
        np.testing.assert_allclose(ours[:, s], spline(x, s, grid, degree), atol=1e-12)


@pytest.mark.parametrize(("grid", "degree"), SHAPES)
def test_splines_sum_to_one_on_the_grid_in_single_precision_too(grid, degree):
    x = torch.linspace(-HALF, HALF, 301)
    torch.testing.assert_close(basis(x, grid, degree).sum(-1), torch.ones(301), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("grid", "degree"), [(5, 3), (4, 2)])
def test_gradient_of_the_splines_is_scipys_derivative(grid, degree):
    x = torch.linspace(-2.9, 2.9, 50, dtype=F64, requires_grad=True)
    coefficients = np.random.default_rng(0).normal(size=grid + degree)
    (ours,) = torch.autograd.grad((basis(x, grid, degree) @ torch.from_numpy(coefficients)).sum(), x)
    theirs = BSpline(knots(grid, degree), coefficients, degree).derivative()(x.detach().numpy())
    np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-10)


def test_a_layer_is_the_sum_of_its_curves():
    grid, degree, inputs, out = 4, 3, 3, 2
    p = tensors(curves_parameters(inputs, out, grid, degree, "c."), 2, F64)
    x = 1.5 * normals(2, 5, inputs, dtype=F64)
    fast = curves(p, x, grid, degree, "c.").detach().numpy()
    weights = {n: v.detach().numpy() for n, v in p.items()}
    for r in range(2):
        table = weights["c.spline.weight"][r].reshape(inputs, grid + degree, out)
        for m in range(5):
            for o in range(out):
                total = weights["c.base.bias"][r, o]
                for i in range(inputs):
                    value = float(x[r, m, i])
                    total += weights["c.base.weight"][r, i, o] * value / (1 + np.exp(-value))
                    total += sum(c * float(spline(value, s, grid, degree)) for s, c in enumerate(table[i, :, o]))
                assert fast[r, m, o] == pytest.approx(total, abs=1e-9)


def test_channels_themselves_can_be_read():
    settings = kan.Settings(patch=1, features=1, width=4, depth=1, grid=3)
    declared = kan.parameters(settings, 30)
    assert declared["layer0.spline.weight"].shape == (30 * 6, 4)
    axis = torch.linspace(0, 1, 30, dtype=F64).expand(2, -1)
    out = kan.forward(settings, tensors(declared, 2, F64), normals(2, 3, 30, dtype=F64), Context(axis, {}))
    assert out.shape == (2, 3, settings.out)


def test_a_layer_learns_a_curve_no_linear_map_has():
    """One input, one output: |x| - 1 is out of reach of a linear map of SiLU and close for cubic pieces."""
    p = tensors(curves_parameters(1, 1, 8, 3, ""), 1, F64)
    x = torch.linspace(-2.5, 2.5, 101, dtype=F64).view(1, -1, 1)
    target = x.abs() - 1
    optimiser = torch.optim.LBFGS(list(p.values()), max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        error = (curves(p, x, 8, 3, "") - target).square().mean()
        error.backward()
        return error

    for _ in range(3):
        optimiser.step(closure)
    assert float(closure().detach()) < 2e-3
