"""Slow, obvious twins of the objectives: one replicate, loops over anchors and pairs, nothing batched.

`given` holds settings and, where an objective needs them, a predictor's tensors, the moving copy's projections and a
queue. Everything is float64 and differentiable, so that gradients can be compared too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

Given = Mapping[str, Any]


def cosine(a: Tensor, b: Tensor) -> Tensor:
    return (a @ b) / (a.norm() * b.norm())


def weighted(values: list[Tensor], weights: list[float]) -> Tensor:
    return sum((v * w for v, w in zip(values, weights)), torch.zeros(())) / sum(weights)


def mean(values: list[Tensor]) -> Tensor:
    return torch.stack(values).mean() if values else torch.zeros((), dtype=torch.float64)


def anchors(positive: Tensor):
    """Yield every anchor that has positives, with their numbers and weights."""
    for i in range(positive.shape[0]):
        chosen = [j for j in range(positive.shape[1]) if positive[i, j] > 0]
        if chosen:
            yield i, chosen, [float(positive[i, j]) for j in chosen]


def cross_entropy(logits: dict[Any, Tensor], target: Any, smoothing: float) -> Tensor:
    bottom = sum(torch.exp(v) for v in logits.values())
    out = torch.zeros((), dtype=torch.float64)
    for name, value in logits.items():
        wanted = (1 - smoothing) * (name == target) + smoothing / len(logits)
        out = out - wanted * torch.log(torch.exp(value) / bottom)
    return out


def nt_xent(z: Tensor, positive: Tensor, negative: Tensor, given: Given) -> Tensor:
    each = []
    for i, chosen, weights in anchors(positive):
        against = [a for a in range(len(z)) if negative[i, a]]
        losses = []
        for j in chosen:
            logits = {a: cosine(z[i], z[a]) / given["temperature"] for a in [j, *against]}
            losses.append(cross_entropy(logits, j, given["label_smoothing"]))
        each.append(weighted(losses, weights))
    return mean(each)


def supcon(z: Tensor, positive: Tensor, negative: Tensor, given: Given) -> Tensor:
    each = []
    for i, chosen, weights in anchors(positive):
        compared = [*chosen, *[a for a in range(len(z)) if negative[i, a]]]
        e = {a: torch.exp(cosine(z[i], z[a]) / given["temperature"]) for a in compared}
        shares = {a: e[a] / sum(e.values()) for a in compared}
        if given["form"] == "out":
            main = -weighted([torch.log(shares[j]) for j in chosen], weights)
        else:
            main = -torch.log(weighted([shares[j] for j in chosen], weights))
        even = -mean([torch.log(s) for s in shares.values()])
        each.append((1 - given["label_smoothing"]) * main + given["label_smoothing"] * even)
    return mean(each)


def apart(a: Tensor, b: Tensor, kind: str) -> Tensor:
    difference = a / a.norm() - b / b.norm()
    squared = (difference * difference).sum()
    return {"squared": squared, "cosine": squared / 2, "euclidean": squared.sqrt()}[kind]


def triplet(z: Tensor, positive: Tensor, negative: Tensor, given: Given) -> Tensor:
    each = []
    for i, chosen, weights in anchors(positive):
        away = [apart(z[i], z[n], given["distance"]) for n in range(len(z)) if negative[i, n]]
        if not away:
            continue
        losses = []
        for j in chosen:
            near = apart(z[i], z[j], given["distance"])
            beyond = [d for d in away if d > near]
            if given["mining"] == "hardest":
                taken = min(away)
            else:
                taken = min(beyond) if beyond else max(away)
            short = near - taken + given["margin"]
            losses.append(short.clamp(min=0) if given["slope"] == "hinge" else torch.log(1 + torch.exp(short)))
        each.append(weighted(losses, weights))
    return mean(each)


def both_orders(z: Tensor, positive: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """All positive pairs in both orders: first and second members ``(P, D)`` and weights ``(P,)`` of sum 1."""
    first, second, weights = [], [], []
    for i, chosen, own in anchors(positive):
        for j, w in zip(chosen, own):
            first += [z[i], z[j]]
            second += [z[j], z[i]]
            weights += [w, w]
    total = torch.tensor(weights, dtype=torch.float64)
    return torch.stack(first), torch.stack(second), total / total.sum()


def barlow_twins(z: Tensor, positive: Tensor, negative: Tensor, given: Given) -> Tensor:
    if not (positive > 0).any():
        return torch.zeros((), dtype=torch.float64)
    first, second, w = both_orders(z, positive)
    total = torch.zeros((), dtype=torch.float64)

    def standard(x: Tensor) -> Tensor:
        centred = x - (w * x).sum()
        return centred / ((w * centred**2).sum() + 1e-5).sqrt()

    for a in range(z.shape[1]):
        for b in range(z.shape[1]):
            c = (w * standard(first[:, a]) * standard(second[:, b])).sum()
            total = total + ((1 - c) ** 2 if a == b else given["redundancy"] * c**2)
        total = total + given["centring"] * (w * first[:, a]).sum() ** 2
    return total


def vicreg(z: Tensor, positive: Tensor, negative: Tensor, given: Given) -> Tensor:
    if not (positive > 0).any():
        return torch.zeros((), dtype=torch.float64)
    first, second, w = both_orders(z, positive)
    size = z.shape[1]
    invariance = sum(w[k] * ((first[k] - second[k]) ** 2).mean() for k in range(len(w)))
    # how much each view counts: its share of all first members
    counts = [sum(float(w[k]) for k in range(len(w)) if torch.equal(first[k], v)) for v in z]
    share = torch.tensor(counts, dtype=torch.float64)
    correction = 1 - float((share**2).sum())

    def covariance(a: int, b: int) -> Tensor:
        x, y = z[:, a] - (share * z[:, a]).sum(), z[:, b] - (share * z[:, b]).sum()
        return (share * x * y).sum() / correction

    variance = sum((1 - (covariance(a, a) + 1e-4).sqrt()).clamp(min=0) for a in range(size)) / size
    off = sum(covariance(a, b) ** 2 for a in range(size) for b in range(size) if a != b) / size
    means = sum(((share * z[:, a]).sum()) ** 2 for a in range(size)) / size
    own = given["invariance"] * invariance + 2 * given["variance"] * variance + 2 * given["covariance"] * off
    return own + given["centring"] * means


def standard_columns(z: Tensor) -> Tensor:
    columns = []
    for a in range(z.shape[1]):
        centred = z[:, a] - z[:, a].mean()
        columns.append(centred / ((centred**2).mean() + 1e-5).sqrt())
    return torch.stack(columns, dim=1)


def predicted(z: Tensor, given: Given) -> Tensor:
    kind, p = given["predictor"], given["p"]
    if kind == "none":
        return z
    if kind == "mlp":
        hidden = standard_columns(z @ p["hidden.weight"])
        z = (hidden * p["hidden.gain"] + p["hidden.shift"]).clamp(min=0)
    return z @ p["out.weight"] + p["out.bias"]


def byol(z: Tensor, positive: Tensor, negative: Tensor, given: Given) -> Tensor:
    target = given["target"]
    if given["standardise"]:
        z, target = standard_columns(z), standard_columns(target)
    q = predicted(z, given)
    each = []
    for i, chosen, weights in anchors(positive):
        losses = []
        for j in chosen:
            difference = q[i] / q[i].norm() - target[j] / target[j].norm()  # eq. 2
            losses.append((difference**2).sum())
        each.append(weighted(losses, weights))
    return mean(each)


def simsiam(z: Tensor, positive: Tensor, negative: Tensor, given: Given) -> Tensor:
    z = standard_columns(z) if given["standardise"] else z
    q = predicted(z, given)
    each = []
    for i, chosen, weights in anchors(positive):
        each.append(weighted([-cosine(q[i], z[j].detach()) for j in chosen], weights))
    return mean(each)


def moco(z: Tensor, positive: Tensor, negative: Tensor, given: Given) -> Tensor:
    target, queue = given["target"], given["queue"]
    keys = [*target, *queue.z]
    each = []
    for i, chosen, weights in anchors(torch.cat([positive, queue.positive], dim=1)):
        against = [len(z) + k for k in range(len(queue.z)) if queue.negative[i, k]]
        if given["batch_negatives"]:
            against += [k for k in range(len(z)) if negative[i, k]]
        losses = []
        for j in chosen:
            logits = {k: cosine(z[i], keys[k]) / given["temperature"] for k in [j, *against]}
            losses.append(cross_entropy(logits, j, 0.0))
        each.append(weighted(losses, weights))
    return mean(each)


TWINS: dict[str, Callable[[Tensor, Tensor, Tensor, Given], Tensor]] = {
    "nt-xent": nt_xent,
    "supcon": supcon,
    "triplet": triplet,
    "barlow-twins": barlow_twins,
    "vicreg": vicreg,
    "byol": byol,
    "simsiam": simsiam,
    "moco": moco,
}
