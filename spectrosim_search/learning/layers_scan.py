"""The selective state space as a scan in chunks, its gradient written out.

Legend: R replicates, M views, T tokens, E channels, N states of a channel; C positions inside a chunk, K chunks.

The recurrence ``h_t = a_t h_(t-1) + b_t`` runs through the C positions of all K chunks side by side, first from nothing
to learn where each chunk ends, then the ends are carried from chunk to chunk, then once more from the right beginnings.
That takes 2 C + K steps one behind another instead of T = C K. Decays are only ever multiplied up, never divided by, so
nothing overflows however strong they are. The gradient is the same recurrence the other way; written out it needs the
states alone, no tensor of every step.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["selective_scan"]


def _upwards(decay: Tensor, state: Tensor) -> None:
    """Turn drives b into states, in place; both ``(C, K, …)``, time running through C first."""
    size, chunks = state.shape[:2]
    if chunks > 1:
        end, reach = state[0, :-1].clone(), decay[0, :-1].clone()
        for i in range(1, size):
            end.mul_(decay[i, :-1]).add_(state[i, :-1])
            reach.mul_(decay[i, :-1])
        for k in range(1, chunks - 1):
            end[k].addcmul_(reach[k], end[k - 1])
        state[0, 1:].addcmul_(decay[0, 1:], end)
    for i in range(1, size):
        state[i].addcmul_(decay[i], state[i - 1])


def _downwards(decay: Tensor, gradient: Tensor) -> None:
    """Turn what every state receives from its output into its whole gradient: ``g_t += a_(t+1) g_(t+1)``, in place."""
    size, chunks = gradient.shape[:2]
    if chunks > 1:
        end, reach = gradient[-1, 1:].clone(), decay[0, 1:].clone()
        for i in range(size - 2, -1, -1):
            end.mul_(decay[i + 1, 1:]).add_(gradient[i, 1:])
            reach.mul_(decay[i + 1, 1:])
        end.mul_(decay[0, 1:])  # as the last state of the chunk before receives it
        for k in range(chunks - 3, -1, -1):
            end[k].addcmul_(reach[k], end[k + 1])
        gradient[-1, :-1].add_(end)
    for i in range(size - 2, -1, -1):
        gradient[i].addcmul_(decay[i + 1], gradient[i + 1])


def _states(drive: Tensor, step: Tensor, rate: Tensor, enter: Tensor) -> tuple[Tensor, Tensor]:
    """Return decays and states ``(C, K, R, M, N, E)``."""
    decay = (step.unsqueeze(-2) * rate.unsqueeze(1)).exp_()
    state = drive.unsqueeze(-2) * enter.unsqueeze(-1)
    _upwards(decay, state)
    return decay, state


def _read(leave: Tensor, state: Tensor) -> Tensor:
    """Return ``leave · state`` over the states: ``(…, N)``, ``(…, N, E)`` → ``(…, E)``."""
    return (leave.unsqueeze(-2) @ state).squeeze(-2)


class _Scan(torch.autograd.Function):
    """drive, step ``(C, K, R, M, E)``, rate ``(R, N, E)``, enter, leave ``(C, K, R, M, N)`` → ``(C, K, R, M, E)``."""

    @staticmethod
    def forward(ctx: Any, drive: Tensor, step: Tensor, rate: Tensor, enter: Tensor, leave: Tensor) -> Tensor:
        decay, state = _states(drive, step, rate, enter)
        ctx.save_for_backward(drive, step, rate, enter, leave, decay, state)
        return _read(leave, state)

    @staticmethod
    def backward(ctx: Any, *received: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        drive, step, rate, enter, leave, decay, state = ctx.saved_tensors
        of_leave = (state * received[0].unsqueeze(-2)).sum(dim=-1)
        gradient = leave.unsqueeze(-1) * received[0].unsqueeze(-2)
        _downwards(decay, gradient)
        of_drive = _read(enter, gradient)
        of_enter = (gradient * drive.unsqueeze(-2)).sum(dim=-1)
        exponent = torch.empty_like(decay)  # gradient of step × rate: g_t h_(t-1) a_t
        torch.mul(gradient[1:], state[:-1], out=exponent[1:])
        torch.mul(gradient[0, 1:], state[-1, :-1], out=exponent[0, 1:])
        exponent[0, 0] = 0
        exponent *= decay
        of_step = (exponent * rate.unsqueeze(1)).sum(dim=-2)
        of_rate = exponent.mul_(step.unsqueeze(-2)).sum(dim=(0, 1, 3))
        return of_drive, of_step, of_rate, of_enter, of_leave


def _chunk(tokens: int) -> int:
    """Return a size near the square root that leaves the fewest places of the last chunk empty."""
    root = math.ceil(math.sqrt(tokens))
    return min(range(max(1, root // 2), 2 * root), key=lambda c: (c * math.ceil(tokens / c), abs(c - root)))


def _chunked(x: Tensor, size: int, chunks: int) -> Tensor:
    """Turn ``(R, M, T, F)`` into ``(C, K, R, M, F)``, zeros behind the last token."""
    replicates, rows, tokens, features = x.shape
    if size * chunks > tokens:
        x = F.pad(x, (0, 0, 0, size * chunks - tokens))
    return x.reshape(replicates, rows, chunks, size, features).permute(3, 2, 0, 1, 4).contiguous()


def selective_scan(
    x: Tensor, step: Tensor, rate: Tensor, enter: Tensor, leave: Tensor, chunk: int | None = None
) -> Tensor:
    """Return what a selective state space makes of x ``(R, M, T, E)`` (Gu and Dao 2023, eq. 2a-2b, algorithm 2).

    ``h_t = exp(step_t rate) h_(t-1) + step_t x_t enter_t`` and ``y_t = leave_t · h_t``: step ``(R, M, T, E)`` positive,
    rate ``(R, N, E)`` negative, enter and leave ``(R, M, T, N)``. `chunk`: tokens in a chunk, near the square root of T
    unless given. Tokens behind the last one have step 0 and change nothing. States stand before channels: products
    over a broadcast last axis as short as N run several times slower on a CPU. Differentiable once.
    """
    replicates, rows, tokens, features = x.shape
    size = min(tokens, chunk or _chunk(tokens))
    chunks = math.ceil(tokens / size)
    drive, step, enter, leave = (_chunked(v, size, chunks) for v in (step * x, step, enter, leave))
    if torch.is_grad_enabled():
        y: Tensor = _Scan.apply(drive, step, rate, enter, leave)  # type: ignore[no-untyped-call]  # untyped in torch
    else:
        y = _read(leave, _states(drive, step, rate, enter)[1])
    return y.permute(2, 3, 1, 0, 4).reshape(replicates, rows, chunks * size, features)[:, :, :tokens]
