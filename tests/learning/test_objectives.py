"""Every objective against its slow twin, against the papers' formulas, and at the edges."""

from __future__ import annotations

import dataclasses
import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from spectrosim_search.config import registry
from spectrosim_search.learning.batch import Batch, Queue
from spectrosim_search.learning.components import resolve
from spectrosim_search.learning.layers import Context
from spectrosim_search.learning.views import compare
from tests.learning.objective_twins import TWINS

NAMES = list(registry.names("learning.objectives"))
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("nt-xent", {}),
    ("supcon", {}),
    ("supcon", {"form": "in"}),
    ("triplet", {}),
    ("triplet", {"distance": "cosine", "slope": "soft"}),
    ("triplet", {"distance": "euclidean", "mining": "hardest"}),
    ("triplet", {"distance": "euclidean", "slope": "soft"}),
    ("barlow-twins", {}),
    ("vicreg", {}),
    ("byol", {"width": 7}),
    ("byol", {"predictor": "linear", "standardise": False}),
    ("byol", {"predictor": "none", "standardise": False}),
    ("byol", {"predictor": "none"}),
    ("simsiam", {"width": 7}),
    ("simsiam", {"predictor": "linear", "standardise": False}),
    ("simsiam", {"predictor": "none"}),
    ("moco", {}),
    ("moco", {"batch_negatives": False}),
]
VARYING = {  # one value a replicate, for settings that may differ inside a stack
    "temperature": [0.1, 0.5, 2.0],
    "label_smoothing": [0.0, 0.1, 0.3],
    "margin": [0.0, 0.2, 1.5],
    "redundancy": [0.005, 0.1, 1.0],
    "invariance": [25.0, 1.0, 3.0],
    "variance": [25.0, 10.0, 0.5],
    "covariance": [1.0, 0.0, 2.0],
    "centring": [1.0, 0.0, 0.3],
    "momentum": [0.9, 0.99, 0.999],
}
VIEWS, SIZE, QUEUE = 9, 5, 6


def name_of(variant: Any) -> str:
    return "-".join([variant[0], *map(str, variant[1].values())]) if isinstance(variant, tuple) else ""


every_variant = pytest.mark.parametrize("variant", VARIANTS, ids=name_of)
every_name = pytest.mark.parametrize("name", NAMES)


def normals(*shape: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).to(dtype)


def relations(replicates: int, views: int, keys: int, seed: int) -> tuple[Tensor, Tensor]:
    """Weights of positives and a mask of negatives at random, a third of all unknown; nothing symmetric about them."""
    generator = torch.Generator().manual_seed(seed)
    kind = torch.randint(0, 3, (replicates, views, keys), generator=generator)
    weight = torch.rand(replicates, views, keys, dtype=torch.float64, generator=generator) * 2 + 0.1
    return torch.where(kind == 1, weight, 0.0), kind == 2


def problem(dtype: torch.dtype = torch.float64, replicates: int = 3) -> Batch:
    """Views with unequal numbers of positives, one without any, one without negatives, one of unknown relations."""
    positive, negative = relations(replicates, VIEWS, VIEWS, 1)
    queued, strangers = relations(replicates, VIEWS, QUEUE, 2)
    for tensor in (positive, negative):
        tensor.diagonal(0, 1, 2).zero_()
    positive[:, 0], queued[:, 0] = 0, 0
    negative[:, 1], strangers[:, 1] = False, False
    for tensor in (positive, negative, queued, strangers):
        tensor[:, 2] = 0
    positive[:, :, 2], negative[:, :, 2] = 0, False
    queued[..., -1], strangers[..., -1] = 0, False  # a place of the queue not filled yet
    keys = normals(replicates, QUEUE, SIZE, seed=4, dtype=dtype)
    keys[:, -1] = 0
    return Batch(
        z=normals(replicates, VIEWS, SIZE, seed=3, dtype=dtype),
        positive=positive.to(dtype),
        negative=negative,
        target=normals(replicates, VIEWS, SIZE, seed=5, dtype=dtype),
        queue=Queue(z=keys, positive=queued.to(dtype), negative=strangers),
    )


def settings_of(name: str, given: dict[str, Any] | None = None) -> Any:
    module = registry.load("learning.objectives", name)
    return module.Settings(**dict(resolve("objectives", {"type": name, **(given or {})}).parameters))


def values_of(settings: Any, replicates: int, dtype: torch.dtype, *, vary: bool = True) -> dict[str, Tensor]:
    free = [f.name for f in dataclasses.fields(settings) if not f.metadata["shapes"]]
    usual = {n: [float(getattr(settings, n))] * replicates for n in free}
    return {n: torch.tensor(VARYING[n][:replicates] if vary else usual[n], dtype=dtype) for n in free}


def tensors(name: str, settings: Any, replicates: int, dtype: torch.dtype, size: int = SIZE) -> dict[str, Tensor]:
    module = registry.load("learning.objectives", name)
    declared = module.parameters(settings, size) if hasattr(module, "parameters") else {}
    return {
        key: torch.stack([d.initial(normals(d.size, seed=50 * r + i)) + 0.1 for r in range(replicates)]).to(dtype)
        for i, (key, d) in enumerate(declared.items())
    }


def loss_of(
    name: str, batch: Batch, settings: Any = None, p: dict[str, Tensor] | None = None, *, vary: bool = True
) -> Tensor:
    settings = settings_of(name) if settings is None else settings
    count, size, dtype = batch.z.shape[0], batch.z.shape[2], batch.z.dtype
    context = Context(torch.zeros(count, 1, dtype=dtype), values_of(settings, count, dtype, vary=vary))
    p = tensors(name, settings, count, dtype, size) if p is None else p
    out: Tensor = registry.load("learning.objectives", name).loss(settings, p, batch, context)
    assert out.shape == (count,)
    assert out.dtype == dtype
    return out


def changed(batch: Batch, **given: Any) -> Batch:
    return dataclasses.replace(batch, **given)


def test_every_objective_has_a_twin():
    assert set(NAMES) == set(TWINS) == {name for name, _ in VARIANTS}


@every_variant
def test_loss_and_gradient_equal_the_slow_twin(variant):
    name, given = variant
    settings = settings_of(name, given)
    batch = problem()
    z = batch.z.requires_grad_()
    p = {k: v.requires_grad_() for k, v in tensors(name, settings, 3, torch.float64).items()}
    leaves = [z, *p.values()]
    fast = loss_of(name, batch, settings, p)
    fast_gradient = torch.autograd.grad(fast.sum(), leaves)
    each = []
    for r in range(3):
        known = {**dataclasses.asdict(settings), **{n: VARYING[n][r] for n in values_of(settings, 3, z.dtype)}}
        queue = SimpleNamespace(**{n: getattr(batch.queue, n)[r] for n in ("z", "positive", "negative")})
        own = {"p": {k: v[r] for k, v in p.items()}, "target": batch.target[r], "queue": queue}
        each.append(TWINS[name](z[r], batch.positive[r], batch.negative[r], {**known, **own}))
    slow = torch.stack(each)
    assert (slow.abs() > 1e-3).all()
    torch.testing.assert_close(fast, slow, atol=1e-9, rtol=1e-9)
    for a, b in zip(fast_gradient, torch.autograd.grad(slow.sum(), leaves)):
        assert float(b.abs().max()) > 1e-4
        torch.testing.assert_close(a, b, atol=1e-9, rtol=1e-9)


@every_variant
def test_a_replicate_is_the_same_alone_and_in_a_stack(variant):
    name, given = variant
    settings = settings_of(name, given)
    batch = problem()
    p = tensors(name, settings, 3, torch.float64)
    values = values_of(settings, 3, torch.float64)
    module = registry.load("learning.objectives", name)

    def of(rows: slice, z: Tensor) -> tuple[Tensor, Tensor]:
        z = z[rows].clone().requires_grad_()
        queue = Queue(batch.queue.z[rows], batch.queue.positive[rows], batch.queue.negative[rows])
        part = changed(
            batch,
            z=z,
            positive=batch.positive[rows],
            negative=batch.negative[rows],
            target=batch.target[rows],
            queue=queue,
        )
        context = Context(torch.zeros(len(z), 1), {n: v[rows] for n, v in values.items()})
        out = module.loss(settings, {k: v[rows] for k, v in p.items()}, part, context)
        return out, torch.autograd.grad(out.sum(), z)[0]

    together, gradient = of(slice(None), batch.z)
    alone, own = of(slice(1, 2), batch.z)
    torch.testing.assert_close(together[1:2], alone, atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(gradient[1:2], own, atol=1e-12, rtol=1e-12)
    other = batch.z.clone()
    other[0], other[2] = torch.inf, 7.0
    beside, gradient = of(slice(None), other)
    torch.testing.assert_close(beside[1:2], alone, atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(gradient[1:2], own, atol=1e-12, rtol=1e-12)


@every_variant
def test_the_order_of_views_does_not_matter(variant):
    name, given = variant
    settings = settings_of(name, given)
    batch = problem()
    p = tensors(name, settings, 3, torch.float64)
    order = torch.randperm(VIEWS, generator=torch.Generator().manual_seed(8))
    keys = torch.randperm(QUEUE, generator=torch.Generator().manual_seed(9))
    queue = batch.queue
    turned = changed(
        batch,
        z=batch.z[:, order],
        target=batch.target[:, order],
        positive=batch.positive[:, order][:, :, order],
        negative=batch.negative[:, order][:, :, order],
        queue=Queue(queue.z[:, keys], queue.positive[:, order][:, :, keys], queue.negative[:, order][:, :, keys]),
    )
    first, second = loss_of(name, batch, settings, p), loss_of(name, turned, settings, p)
    torch.testing.assert_close(first, second, atol=1e-12, rtol=1e-12)


@every_variant
def test_without_positives_the_loss_is_zero_and_so_is_its_gradient(variant):
    name, given = variant
    batch = problem()
    batch.positive[1] = 0
    batch.queue.positive[1] = 0
    batch.z.requires_grad_()
    out = loss_of(name, batch, settings_of(name, given))
    (gradient,) = torch.autograd.grad(out.sum(), batch.z)
    assert float(out[1].detach()) == 0
    assert (gradient[1] == 0).all()
    assert (gradient[[0, 2]].abs().sum(dim=(1, 2)) > 0).all()


@every_variant
@pytest.mark.parametrize("kind", ["equal", "zero", "pairs-equal", "huge", "tiny"])
def test_no_embedding_gives_a_gradient_that_is_not_finite(variant, kind):
    name, given = variant
    batch = problem(torch.float32)
    z = {
        "equal": torch.ones_like(batch.z),
        "zero": torch.zeros_like(batch.z),
        "pairs-equal": batch.z[:, [0, 0, 2, 2, 4, 4, 6, 6, 8]],
        "huge": batch.z * 1e6,
        "tiny": batch.z * 1e-6,
    }[kind].requires_grad_()
    settings = settings_of(name, given)
    p = {k: v.requires_grad_() for k, v in tensors(name, settings, 3, torch.float32).items()}
    out = loss_of(name, changed(batch, z=z, target=z.detach()), settings, p)
    assert torch.isfinite(out).all()
    for gradient in torch.autograd.grad(out.sum(), [z, *p.values()]):
        assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("name", ["nt-xent", "supcon", "moco"])
def test_the_lowest_temperature_is_safe_in_float32(name):
    batch = problem(torch.float32)
    batch.z.requires_grad_()
    out = loss_of(name, batch, settings_of(name, {"temperature": 0.005}), vary=False)
    (gradient,) = torch.autograd.grad(out.sum(), batch.z)
    assert torch.isfinite(out).all()
    assert torch.isfinite(gradient).all()


@every_variant
def test_float32_agrees_with_float64(variant):
    name, given = variant
    settings = settings_of(name, given)
    results = []
    for dtype in (torch.float64, torch.float32):
        batch = problem(dtype)
        batch.z.requires_grad_()
        out = loss_of(name, batch, settings)
        results.append((out.double(), torch.autograd.grad(out.sum(), batch.z)[0].double()))
    torch.testing.assert_close(results[0], results[1], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"byol", "simsiam"}))
def test_views_that_are_neither_take_no_part(name):
    batch = problem()
    before = loss_of(name, batch)
    for of in (batch.z, batch.target):  # view 2 is neither positive nor negative of any other
        of[:, 2] = normals(3, SIZE, seed=77)
    torch.testing.assert_close(loss_of(name, batch), before, atol=0, rtol=0)


def two_views(spectra: int = 5, size: int = 4) -> tuple[Batch, Tensor, Tensor]:
    """Two views of every spectrum as the engine lays them out; also the two halves."""
    z = normals(1, 2 * spectra, size, seed=11)
    positive, negative = compare(torch.arange(spectra)[None], None, "views", torch.ones(1, dtype=torch.float64))
    empty = Queue(z[:, :0], positive[:, :, :0], negative[:, :, :0])
    return Batch(z=z, positive=positive, negative=negative, target=z * 1.0, queue=empty), z[0, :spectra], z[0, spectra:]


@pytest.mark.parametrize("name", ["nt-xent", "supcon"])
def test_two_views_give_the_loss_of_simclr(name):
    batch, _, _ = two_views()
    unit = F.normalize(batch.z[0], dim=1)
    logits = (unit @ unit.T / 0.1).masked_fill(torch.eye(10, dtype=torch.bool), -torch.inf)
    expected = F.cross_entropy(logits, torch.arange(10).roll(5))
    torch.testing.assert_close(loss_of(name, batch, vary=False)[0], expected)


def test_pairs_and_shared_denominator_agree_with_one_positive_and_differ_with_two():
    batch = problem()
    first = (batch.positive > 0) & ((batch.positive > 0).cumsum(dim=-1) == 1)
    single = changed(batch, positive=torch.where(first, batch.positive, 0.0))
    pairs = loss_of("nt-xent", single)
    torch.testing.assert_close(pairs, loss_of("supcon", single))
    torch.testing.assert_close(pairs, loss_of("supcon", single, settings_of("supcon", {"form": "in"})))
    assert (loss_of("nt-xent", batch) < loss_of("supcon", batch) - 1e-3).all()  # fewer views in the denominator


def test_supcon_is_the_formula_of_its_paper():
    batch = problem(replicates=1)
    labels = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 3])
    other = ~torch.eye(VIEWS, dtype=torch.bool)
    same = (labels[:, None] == labels) & other
    batch = changed(batch, positive=same.double()[None], negative=(other & ~same)[None])
    unit = F.normalize(batch.z[0], dim=1)
    log_share = (unit @ unit.T / 0.1).masked_fill(~other, -torch.inf).log_softmax(dim=1)
    outside = [-log_share[i][same[i]].mean() for i in range(VIEWS) if same[i].any()]
    inside = [-log_share[i][same[i]].exp().mean().log() for i in range(VIEWS) if same[i].any()]
    torch.testing.assert_close(loss_of("supcon", batch, vary=False)[0], torch.stack(outside).mean())
    within = settings_of("supcon", {"form": "in"})
    torch.testing.assert_close(loss_of("supcon", batch, within, vary=False)[0], torch.stack(inside).mean())


def test_barlow_twins_is_the_formula_of_its_paper_on_both_orders():
    batch, left, right = two_views()
    a, b = torch.cat([left, right]), torch.cat([right, left])
    norm = torch.nn.BatchNorm1d(4, affine=False).double()
    c = norm(a).T @ norm(b) / len(a)
    off = c.square().sum() - c.diagonal().square().sum()
    expected = (c.diagonal() - 1).square().sum() + 0.02 * off
    torch.testing.assert_close(
        loss_of("barlow-twins", batch, settings_of("barlow-twins", {"centring": 0}), vary=False)[0], expected
    )


def test_vicreg_is_the_program_of_its_paper_on_both_orders():
    batch, left, right = two_views()
    a, b = torch.cat([left, right]), torch.cat([right, left])
    expected = 25 * F.mse_loss(a, b)
    for x in (a, b):
        expected = expected + 25 * F.relu(1 - torch.sqrt(x.var(dim=0) + 1e-4)).mean()
        covariance = torch.cov(x.T)
        expected = expected + (covariance.square().sum() - covariance.diagonal().square().sum()) / 4
    torch.testing.assert_close(
        loss_of("vicreg", batch, settings_of("vicreg", {"centring": 0}), vary=False)[0], expected
    )


@pytest.mark.parametrize("name", ["barlow-twins", "vicreg"])
def test_only_centring_sees_a_shift_of_all_views(name):
    batch, _, _ = two_views()
    moved = changed(batch, z=batch.z + 3.0)
    blind = settings_of(name, {"centring": 0})
    torch.testing.assert_close(loss_of(name, batch, blind, vary=False), loss_of(name, moved, blind, vary=False))
    assert float(loss_of(name, moved, vary=False)[0]) > float(loss_of(name, batch, vary=False)[0]) + 5


def test_semi_hard_mining_takes_the_nearest_beyond_else_the_farthest():
    angle = torch.tensor([0.0, 0.5, 0.2, 0.7, 1.0, 0.3], dtype=torch.float64)
    z = torch.stack([angle.cos(), angle.sin()], dim=1)[None]
    positive, negative = torch.zeros(1, 6, 6, dtype=torch.float64), torch.zeros(1, 6, 6, dtype=torch.bool)
    positive[0, 0, 1] = 1
    settings = settings_of("triplet", {"distance": "cosine", "margin": 0.5})
    for others, expected in (([2, 3, 4, 5], 0.7), ([2, 5], 0.3), ([2, 4], 1.0)):
        negative.zero_()[0, 0, others] = True
        out = loss_of("triplet", Batch(z=z, positive=positive, negative=negative), settings, vary=False)
        assert float(out[0]) == pytest.approx(0.5 + math.cos(expected) - math.cos(0.5))
    hardest = dataclasses.replace(settings, mining="hardest")
    out = loss_of("triplet", Batch(z=z, positive=positive, negative=negative), hardest, vary=False)
    assert float(out[0]) == pytest.approx(0.5 + math.cos(0.2) - math.cos(0.5))


def test_moco_with_an_empty_queue_has_nothing_but_the_batch():
    batch, _, _ = two_views()
    same = loss_of("nt-xent", batch, vary=False)  # the copy equals the network here
    torch.testing.assert_close(loss_of("moco", batch, vary=False), same)
    alone = loss_of("moco", batch, settings_of("moco", {"batch_negatives": False}), vary=False)
    torch.testing.assert_close(alone, torch.zeros_like(alone))


@pytest.mark.parametrize("name", ["byol", "simsiam"])
def test_no_gradient_runs_through_the_positives_side(name):
    batch = problem(replicates=1)
    batch.positive.zero_()[0, 3, 4] = 1.0
    batch.z.requires_grad_()
    out = loss_of(name, batch, settings_of(name, {"predictor": "linear", "standardise": False}))
    (gradient,) = torch.autograd.grad(out.sum(), batch.z)
    assert gradient[0, 3].abs().sum() > 0
    assert (gradient[0, 4] == 0).all()
