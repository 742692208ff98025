"""Recurrent layers with a leading replicate axis: LSTM and GRU over tokens, one direction or both.

Legend: R replicates, M views, T tokens, D features of a token, H features of a state, G directions (1 or 2). All
tokens are projected at once; what remains is a loop over tokens with one product, in which both directions and all
replicates run side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from spectrosim_search.learning.layers import linear
from spectrosim_search.learning.parameters import Parameter, bias, weight

__all__ = ["Cell", "recur", "recurrence"]

Cell = Literal["lstm", "gru"]

_GATES = {"lstm": 4, "gru": 3}


def recurrence(cell: Cell, inputs: int, hidden: int, directions: int, prefix: str) -> dict[str, Parameter]:
    """Declare one layer from `inputs` to ``directions * hidden`` features.

    Gates lie in the order of the literature: input, forget, candidate, output; or reset, update, candidate. The forget
    gate starts open (bias 1; Jozefowicz et al. 2015), so that the first tokens reach the last state from the beginning.
    """
    gates = _GATES[cell]
    state = Parameter((directions, hidden, gates * hidden), "normal", hidden**-0.5, decay=True)
    out = {prefix + "inside.weight": weight(inputs, directions * gates * hidden), prefix + "state.weight": state}
    if cell == "lstm":
        return out | {
            prefix + "input.bias": bias(directions * hidden),
            prefix + "forget.bias": Parameter((directions * hidden,), "constant", 1.0, decay=False),
            prefix + "candidate.bias": bias(directions * hidden),
            prefix + "output.bias": bias(directions * hidden),
        }
    return out | {
        prefix + "inside.bias": bias(directions * gates * hidden),
        prefix + "candidate.bias": bias(directions * hidden),
    }


def recur(p: Mapping[str, Tensor], x: Tensor, cell: Cell, prefix: str) -> Tensor:
    """Run one layer over tokens x ``(R, M, T, D)``; return the states ``(R, M, T, G H)``, the backward ones last.

    For one replicate on a CPU the LSTM is the library's: over 65 tokens of 64 features, 32 rows, H = 32 both ways, the
    loop by hand takes 2.4 times as long in float32 and 4.1 times in bfloat16 (forward and backward, one thread). The
    library's GRU takes 1.4 times as long as the loop and is not used.
    """
    state = p[prefix + "state.weight"]
    if cell == "lstm":
        names = ("input", "forget", "candidate", "output")
        shape = (*state.shape[:2], 1, state.shape[2])
        offset = torch.cat([p[f"{prefix}{n}.bias"].reshape(shape) for n in names], dim=2).flatten(1)
        if x.shape[0] == 1 and x.device.type == "cpu":
            return _library_lstm(x, p[prefix + "inside.weight"], state, offset)
        return _joined(_lstm(_inside(x, p[prefix + "inside.weight"], offset, state), state.flatten(0, 1)), x.shape[0])
    inside = _inside(x, p[prefix + "inside.weight"], p[prefix + "inside.bias"], state)
    offset = p[prefix + "candidate.bias"].reshape(-1, 1, state.shape[2])
    return _joined(_gru(inside, state.flatten(0, 1), offset), x.shape[0])


def _library_lstm(x: Tensor, inside: Tensor, state: Tensor, offset: Tensor) -> Tensor:
    directions, hidden = state.shape[1], state.shape[2]
    inputs, offsets = inside[0].chunk(directions, dim=1), offset[0].chunk(directions)
    weights: list[Tensor] = []
    for own, between, shift in zip(inputs, state[0], offsets):
        weights += [own.t(), between.t(), shift, torch.zeros_like(shift)]
    empty = x.new_zeros(directions, x.shape[1], hidden)
    keep = torch.is_grad_enabled()
    return torch.lstm(x[0], (empty, empty), weights, True, 1, 0.0, keep, directions == 2, True)[0].unsqueeze(0)


def _inside(x: Tensor, inside: Tensor, offset: Tensor, state: Tensor) -> Tensor:
    """Project all tokens, each direction in its own order of time: ``(T, R G, M, gates H)``."""
    replicates, directions = state.shape[:2]
    projected = linear(x, inside, offset).view(*x.shape[:3], directions, state.shape[3]).permute(2, 0, 3, 1, 4)
    if directions == 2:
        projected = torch.stack([projected[:, :, 0], projected[:, :, 1].flip(0)], dim=2)
    return projected.reshape(x.shape[2], replicates * directions, x.shape[1], state.shape[3])


def _joined(states: list[Tensor], replicates: int) -> Tensor:
    """Lay states ``(R G, M, H)`` of all steps out as ``(R, M, T, G H)``."""
    stacked = torch.stack(states, dim=2)
    both = stacked.view(replicates, -1, *stacked.shape[1:])
    if both.shape[1] == 2:
        return torch.cat([both[:, 0], both[:, 1].flip(2)], dim=-1)
    return both[:, 0]


def _lstm(inside: Tensor, weights: Tensor) -> list[Tensor]:
    """Return the states of an LSTM with forget gates (Hochreiter and Schmidhuber 1997, Gers et al. 2000)."""
    hidden = weights.shape[1]
    # sigmoid gates side by side, candidate last: one call for three gates
    order = [slice(0, 2 * hidden), slice(3 * hidden, None), slice(2 * hidden, 3 * hidden)]
    inside = torch.cat([inside[..., part] for part in order], dim=-1)
    weights = torch.cat([weights[..., part] for part in order], dim=-1)
    h = c = inside.new_zeros(*inside.shape[1:3], hidden)
    out = []
    for step in inside.unbind(0):
        gates = torch.baddbmm(step, h, weights)
        enter, forget, leave = torch.sigmoid(gates[..., : 3 * hidden]).chunk(3, dim=-1)
        c = torch.addcmul(enter * torch.tanh(gates[..., 3 * hidden :]), forget, c)
        h = leave * torch.tanh(c)
        out.append(h)
    return out


def _gru(inside: Tensor, weights: Tensor, offset: Tensor) -> list[Tensor]:
    """Return the states of a GRU (Cho et al. 2014) whose reset gate acts behind the product, as libraries have it."""
    hidden = weights.shape[1]
    switches, candidate = weights[..., : 2 * hidden].contiguous(), weights[..., 2 * hidden :].contiguous()
    h = inside.new_zeros(*inside.shape[1:3], hidden)
    out = []
    for step in inside.unbind(0):
        reset, update = torch.sigmoid(torch.baddbmm(step[..., : 2 * hidden], h, switches)).chunk(2, dim=-1)
        proposed = torch.baddbmm(offset, h, candidate)
        proposed = torch.tanh(torch.addcmul(step[..., 2 * hidden :], reset, proposed))
        h = torch.lerp(proposed, h, update)
        out.append(h)
    return out
