"""Kolmogorov-Arnold layers: every connection is a curve of its own (Liu et al. 2024, eq. 2.10-2.11).

Legend: R replicates, I inputs, O outputs, G intervals of the grid, k degree, S = G + k splines.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from spectrosim_search.learning.layers import linear
from spectrosim_search.learning.parameters import Parameter, bias, weight

__all__ = ["HALF", "basis", "curves", "curves_parameters"]

HALF = 3.0  # the grid reaches from -HALF to HALF: three deviations of a normalised input


def basis(x: Tensor, grid: int, degree: int) -> Tensor:
    """Return the B-splines of x, ``(…)`` → ``(…, G + k)``, on `grid` equal intervals of [-HALF, HALF].

    The knots go on with the same spacing on both sides, so all splines are one curve moved along: with a the distance
    from its centre in intervals, Σ_j (-1)^j C(k+1, j) max(0, (k+1)/2 - j - a)^k / k! (Schoenberg 1946). Taking the
    distance keeps the sum short and free of cancellation; no recursion over degrees is needed. Inside the grid they
    sum to one, beyond the outer knots all are zero.
    """
    step, half = 2 * HALF / grid, (degree + 1) / 2
    centres = torch.arange(grid + degree, dtype=x.dtype, device=x.device) + (half - degree)
    away = ((x + HALF) / step).unsqueeze(-1).sub(centres).abs()
    total = (half - away).clamp(min=0) ** degree
    for j in range(1, math.ceil(half)):
        total = total + (-1) ** j * math.comb(degree + 1, j) * (half - j - away).clamp(min=0) ** degree
    return total / math.factorial(degree)


def curves_parameters(inputs: int, outputs: int, grid: int, degree: int, prefix: str) -> dict[str, Parameter]:
    """Declare a layer of `inputs` x `outputs` curves.

    A curve starts close to its SiLU part; the spline begins with a tenth of that part's deviation (Liu et al. 2024,
    section 2.2).
    """
    return {
        prefix + "base.weight": weight(inputs, outputs, scale=1.5),  # SiLU keeps 0.6 of a unit deviation
        prefix + "base.bias": bias(outputs),
        prefix + "spline.weight": Parameter(
            (inputs * (grid + degree), outputs), "normal", 0.1 / math.sqrt(inputs), decay=True
        ),
    }


def curves(p: Mapping[str, Tensor], x: Tensor, grid: int, degree: int, prefix: str) -> Tensor:
    """Return ``Σ_i w_io silu(x_i) + Σ_s c_iso B_s(x_i)`` for x ``(R, M, I)``: ``(R, M, O)``.

    Inputs are expected with about unit variance; beyond the grid a curve follows its SiLU part alone. Splines are taken
    in float32 at least: bfloat16 would blur where on the grid an input lies.
    """
    exact = x.to(torch.promote_types(x.dtype, torch.float32))
    smooth = linear(F.silu(x), p[prefix + "base.weight"], p[prefix + "base.bias"])
    return smooth + linear(basis(exact, grid, degree).flatten(-2).to(x.dtype), p[prefix + "spline.weight"])
