"""Linear recurrences ``h_t = a_t h_(t-1) + b_t`` in chunks, and the selective state space on top.

Legend: R replicates, M views, T tokens, E channels, N states of a channel; C positions inside a chunk, K chunks.

All chunks run side by side through their C positions as if each began from nothing; then the state at the end of each
chunk is carried into the next. That takes C + K steps one behind another instead of T = C K. Products of decays are
only ever multiplied up, never divided by, so nothing overflows however strong the decay.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["scan", "selective_scan"]


def _forward(decay: Tensor, drive: Tensor) -> Tensor:
    """Return all states for ``(C, K, …)`` with time running through C first, starting from nothing."""
    size, chunks = drive.shape[:2]
    state, reach = torch.empty_like(drive), torch.empty_like(decay)
    state[0], reach[0] = drive[0], decay[0]
    for i in range(1, size):
        torch.addcmul(drive[i], decay[i], state[i - 1], out=state[i])
        torch.mul(decay[i], reach[i - 1], out=reach[i])
    for k in range(1, chunks):
        state[:, k].addcmul_(reach[:, k], state[-1, k - 1])
    return state


def _backward(decay: Tensor, received: Tensor) -> Tensor:
    """Return ``g_t = received_t + a_(t+1) g_(t+1)``: the gradient of every state, time running backwards."""
    size, chunks = received.shape[:2]
    gradient, reach = torch.empty_like(received), torch.empty_like(decay)
    gradient[-1] = received[-1]
    reach[-1, :-1], reach[-1, -1] = decay[0, 1:], 0
    for i in range(size - 2, -1, -1):
        torch.addcmul(received[i], decay[i + 1], gradient[i + 1], out=gradient[i])
        torch.mul(decay[i + 1], reach[i + 1], out=reach[i])
    for k in range(chunks - 2, -1, -1):
        gradient[:, k].addcmul_(reach[:, k], gradient[0, k + 1])
    return gradient


class _Scan(torch.autograd.Function):
    """The recurrence with its backward pass written out: one scan the other way and one product."""

    @staticmethod
    def forward(ctx: Any, decay: Tensor, drive: Tensor) -> Tensor:
        state = _forward(decay, drive)
        ctx.save_for_backward(decay, state)
        return state

    @staticmethod
    def backward(ctx: Any, *received: Tensor) -> tuple[Tensor, Tensor]:
        decay, state = ctx.saved_tensors
        gradient = _backward(decay, received[0])
        of_decay = torch.empty_like(decay)
        torch.mul(gradient[1:], state[:-1], out=of_decay[1:])
        torch.mul(gradient[0, 1:], state[-1, :-1], out=of_decay[0, 1:])
        of_decay[0, 0] = 0
        return of_decay, gradient


def scan(decay: Tensor, drive: Tensor) -> Tensor:
    """Return the states of ``h_t = decay_t h_(t-1) + drive_t``, ``h_0`` zero, for contiguous ``(C, K, …)``.

    Position t stands at ``[t % C, t // C]``. Differentiable once.
    """
    if not torch.is_grad_enabled():
        return _forward(decay, drive)
    out: Tensor = _Scan.apply(decay, drive)  # type: ignore[no-untyped-call]  # torch leaves it without types
    return out


def _chunked(x: Tensor, size: int, chunks: int) -> Tensor:
    """Turn ``(R, M, T, F)`` into ``(C, K, R, M, F)``, zeros behind the last token."""
    replicates, rows, tokens, features = x.shape
    if size * chunks > tokens:
        x = F.pad(x, (0, 0, 0, size * chunks - tokens))
    return x.view(replicates, rows, chunks, size, features).permute(3, 2, 0, 1, 4).contiguous()


def selective_scan(
    x: Tensor, step: Tensor, rate: Tensor, enter: Tensor, leave: Tensor, chunk: int | None = None
) -> Tensor:
    """Return what a selective state space makes of x ``(R, M, T, E)`` (Gu and Dao 2023, eq. 2a-2b, algorithm 2).

    ``h_t = exp(step_t rate) h_(t-1) + step_t x_t enter_t`` and ``y_t = leave_t · h_t``: step ``(R, M, T, E)`` positive,
    rate ``(R, N, E)`` negative, enter and leave ``(R, M, T, N)``. `chunk`: tokens in a chunk, about the square root of
    T unless given. Tokens behind the last one have step 0 and change nothing. States stand before channels: products
    over a broadcast last axis as short as N run several times slower on a CPU.
    """
    replicates, rows, tokens, features = x.shape
    size = min(tokens, chunk or math.ceil(math.sqrt(tokens)))
    chunks = math.ceil(tokens / size)
    step_, drive_, enter_, leave_ = (_chunked(v, size, chunks) for v in (step, step * x, enter, leave))
    decay = torch.exp(step_.unsqueeze(-2) * rate.unsqueeze(1))
    state = scan(decay, drive_.unsqueeze(-2) * enter_.unsqueeze(-1))
    y = (leave_.unsqueeze(-2) @ state).squeeze(-2)
    return y.permute(2, 3, 1, 0, 4).reshape(replicates, rows, chunks * size, features)[:, :, :tokens]
