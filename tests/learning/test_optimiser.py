from __future__ import annotations

import pytest
import torch

from spectrosim_search.config.configuration import Optimiser
from spectrosim_search.learning.optimiser import AdamW, one_cycle


@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.3])
def test_one_cycle_is_torchs(warmup):
    model = torch.nn.Linear(1, 1)
    reference = torch.optim.SGD(model.parameters(), lr=1.0)
    total = 40
    if warmup == 0.0:  # torch divides by zero here: only the ends are known
        assert one_cycle(0, total, 0.0) == pytest.approx(1.0)
        assert one_cycle(total - 1, total, 0.0) == pytest.approx(1 / 250_000)
        return
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        reference, max_lr=0.5, total_steps=total, pct_start=warmup, cycle_momentum=False
    )
    for step in range(total):
        assert 0.5 * one_cycle(step, total, warmup) == pytest.approx(schedule.get_last_lr()[0], rel=1e-9)
        reference.step()
        if step < total - 1:
            schedule.step()


def test_every_replicate_is_torchs_adamw_with_clipping():
    settings = [
        Optimiser(learning_rate=0.01, weight_decay=0.1, gradient_clip=0.5),
        Optimiser(learning_rate=0.1, weight_decay=0.0, beta1=0.8, beta2=0.95, warmup=0.1, gradient_clip=100.0),
    ]
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(2, 10, dtype=torch.float64, generator=generator)
    gradients = torch.randn(6, 2, 10, dtype=torch.float64, generator=generator)
    values = start.clone()
    own = AdamW(settings, values, [(0, 4)], total=6)
    norms = [own.step(values, g.clone()) for g in gradients]
    torch.testing.assert_close(norms[0], gradients[0].norm(dim=1))
    for row, s in enumerate(settings):
        decayed, free = (torch.nn.Parameter(start[row, a:b].clone()) for a, b in ((0, 4), (4, 10)))
        torchs = torch.optim.AdamW(
            [{"params": [decayed], "weight_decay": s.weight_decay}, {"params": [free], "weight_decay": 0.0}],
            lr=s.learning_rate,
            betas=(s.beta1, s.beta2),
        )
        for step, g in enumerate(gradients):
            decayed.grad, free.grad = g[row, :4].clone(), g[row, 4:].clone()
            torch.nn.utils.clip_grad_norm_([decayed, free], s.gradient_clip)
            for group in torchs.param_groups:
                group["lr"] = s.learning_rate * one_cycle(step, 6, s.warmup)
            torchs.step()
        torch.testing.assert_close(values[row], torch.cat([decayed, free]).detach(), rtol=1e-9, atol=1e-12)
