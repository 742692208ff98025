"""What is in a mixture: the classes whose summed embeddings come nearest, found without listing all combinations.

The embedding of a mixture lies near the sum of its components' embeddings (Vorozhtsov and Kitina, Mendeleev Commun.
2024, doi:10.1016/j.mencom.2024.10.006). With unit class centres c, a = query · c and the Gram matrix G of the centres,
the cosine between the query and the sum over a set K of classes is::

    score(K) = Σ a_i / √(Σ_ij G_ij),  i, j in K

which needs a and G alone. A beam search grows the sets class by class, then swaps single members while that helps; the
paper lists every combination instead. Non-negative least squares is the rival. Components are distinct and weigh alike.

Shapes: q queries, C classes, D features, k members of a set, K the largest order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, islice

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import InputError
from spectrosim_search.evaluation.identification import unit_rows
from spectrosim_search.evaluation.verification import choose_threshold

__all__ = [
    "at_least",
    "beam_search",
    "choose_order",
    "draw_mixtures",
    "exhaustive_search",
    "learn_steps",
    "mixed",
    "mixture_spectra",
    "name_components",
    "non_negative_least_squares",
    "set_score",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_CELLS_AT_ONCE = 4_000_000  # values of one temporary array
_SMALLEST = 1e-12  # squared length of a sum below which it has no direction


def set_score(a: Floats, gram: Floats, sets: Ints) -> Floats:
    """Cosine between queries and the sum of the classes of one set each: a ``(q, C)``, sets ``(q, k)`` → ``(q,)``."""
    total = np.take_along_axis(a, sets, axis=1).sum(axis=1)
    square = gram[sets[:, :, None], sets[:, None, :]].sum(axis=(1, 2))
    return np.asarray(total / np.sqrt(np.maximum(square, _SMALLEST)))


def beam_search(
    a: Floats, gram: Floats, order: int, *, beam: int = 32, swap: bool = True
) -> tuple[list[Ints], list[Floats]]:
    """Return the best sets of 1, 2, … `order` classes for each query: ``(q, k)`` each (rising), and scores ``(q,)``.

    a: ``(q, C)`` cosines of queries with class centres; gram ``(C, C)`` of the centres. Raises InputError where there
    are fewer classes than `order`.
    """
    q, c = a.shape
    if not 1 <= order <= c:
        raise InputError(f"mixtures of {order} classes asked for, there are {c}")
    a, gram = np.asarray(a, dtype=np.float64), np.asarray(gram, dtype=np.float64)
    step = max(1, _CELLS_AT_ONCE // (beam * c))
    pieces = [_beam(a[at : at + step], gram, order, beam, swap) for at in range(0, q, step)]
    if not pieces:
        return [np.empty((0, k + 1), np.int64) for k in range(order)], [np.empty(0) for _ in range(order)]
    sets = [np.concatenate([p[0][k] for p in pieces]) for k in range(order)]
    return sets, [np.concatenate([p[1][k] for p in pieces]) for k in range(order)]


def name_components(
    queries: NDArray[np.floating], centres: NDArray[np.floating], order: int
) -> tuple[list[Ints], list[Floats]]:
    """Beam search on embeddings: queries ``(q, D)`` of any length, class centres ``(C, D)``, which weigh by theirs.

    With `order` 1 the answer is the nearest centre by cosine. Returns and raises what :func:`beam_search` does.
    """
    known = np.asarray(centres, dtype=np.float64)
    return beam_search(np.asarray(unit_rows(queries), dtype=np.float64) @ known.T, known @ known.T, order)


def _beam(a: Floats, gram: Floats, order: int, beam: int, swap: bool) -> tuple[list[Ints], list[Floats]]:
    q, c = a.shape
    diagonal = np.diagonal(gram)
    sets = np.empty((q, 1, 0), dtype=np.int64)
    out_sets: list[Ints] = []
    out_scores: list[Floats] = []
    for size in range(1, order + 1):
        total, square = _grown(a, gram, diagonal, sets)
        score = total / np.sqrt(np.maximum(square, _SMALLEST))
        np.put_along_axis(score, sets, -np.inf, axis=2)  # a class is in a set once
        # a set is reached from each of its members that may come last, so more are kept before equal ones are dropped
        kept = min(beam * size, score[0].size)
        flat = score.reshape(q, -1)
        best = np.argpartition(-flat, kept - 1, axis=1)[:, :kept]
        grown = np.concatenate([np.take_along_axis(sets, (best // c)[:, :, None], axis=1), (best % c)[:, :, None]], 2)
        sets, values = _distinct(np.sort(grown, axis=2), np.take_along_axis(flat, best, axis=1), beam)
        found, reached = sets[:, 0], values[:, 0]
        if swap and size > 1:
            found, reached = _swapped(a, gram, found, reached)
        out_sets.append(found)
        out_scores.append(reached)
    return out_sets, out_scores


def _grown(a: Floats, gram: Floats, diagonal: Floats, sets: Ints) -> tuple[Floats, Floats]:
    """Σ a and Σ G of the sets ``(q, B, k)`` with each class added: ``(q, B, C)`` each."""
    q, b, k = sets.shape
    rows = np.zeros((q, b, gram.shape[0]))
    for place in range(k):
        rows += gram[sets[:, :, place]]
    inside = np.take_along_axis(rows, sets, axis=2).sum(axis=2)
    total = np.take_along_axis(a[:, None], sets.reshape(q, 1, -1), axis=2).reshape(q, b, k).sum(axis=2)
    return total[:, :, None] + a[:, None], inside[:, :, None] + 2 * rows + diagonal


def _distinct(sets: Ints, score: Floats, most: int) -> tuple[Ints, Floats]:
    """The `most` best different sets of sets ``(q, B, k)``, best first; sets are sorted inside."""
    order = np.lexsort((*(sets[:, :, k] for k in reversed(range(sets.shape[2]))), -score), axis=1)
    sets, score = np.take_along_axis(sets, order[:, :, None], axis=1), np.take_along_axis(score, order, axis=1)
    # copies of a set lie behind each other, for their scores agree but for rounding; those are told apart by members
    copy = np.zeros(score.shape, dtype=np.bool_)
    for back in range(1, min(sets.shape[2] * 2, sets.shape[1])):
        copy[:, back:] |= (sets[:, back:] == sets[:, :-back]).all(axis=2)
    place = np.argsort(copy, axis=1, kind="stable")[:, :most]
    return np.take_along_axis(sets, place[:, :, None], axis=1), np.take_along_axis(
        np.where(copy, -np.inf, score), place, axis=1
    )


def _swapped(a: Floats, gram: Floats, sets: Ints, score: Floats) -> tuple[Ints, Floats]:
    """Exchange one member at a time for the class that helps most, until none does; sets ``(q, k)``."""
    sets, score = sets.copy(), score.copy()
    going = np.arange(sets.shape[0])
    diagonal = np.diagonal(gram)
    while going.size:
        own, best = sets[going], score[going] + 1e-12
        better = np.zeros(going.size, dtype=np.bool_)
        new = own.copy()
        for place in range(own.shape[1]):
            rest = np.delete(own, place, axis=1)
            total, square = _grown(a[going], gram, diagonal, rest[:, None])
            value = (total / np.sqrt(np.maximum(square, _SMALLEST)))[:, 0]
            np.put_along_axis(value, rest, -np.inf, axis=1)
            chosen = value.argmax(axis=1)
            reached = value[np.arange(going.size), chosen]
            improved = reached > best
            new[improved] = np.concatenate([rest, chosen[:, None]], axis=1)[improved]
            best, better = np.where(improved, reached, best), better | improved
        sets[going[better]], score[going[better]] = np.sort(new[better], axis=1), best[better]
        going = going[better]
    return sets, score


def _blocks(classes: int, size: int, at_once: int) -> Iterator[Ints]:
    """All sets of `size` classes, `at_once` at a time ``(P, size)``."""
    every = combinations(range(classes), size)
    while block := list(islice(every, at_once)):
        yield np.array(block, dtype=np.int64).reshape(len(block), size)


def exhaustive_search(a: Floats, gram: Floats, order: int) -> tuple[Ints, Floats]:
    """Return the best of all sets of `order` classes for each query, ``(q, order)`` and ``(q,)``: the slow twin.

    Combinations stream by and are never stored: sets that agree in their last member but one are compared at once, with
    every member that may follow. Costs q × (C over order): pairs and triples of 500 classes, quadruples of 60 are
    feasible.
    """
    q, c = a.shape
    if not 1 <= order <= c:
        raise InputError(f"mixtures of {order} classes asked for, there are {c}")
    a, gram = np.asarray(a, dtype=np.float64), np.asarray(gram, dtype=np.float64)
    diagonal = np.diagonal(gram)
    if order == 1:
        score = a / np.sqrt(np.maximum(diagonal, _SMALLEST))
        best = score.argmax(axis=1)
        return best[:, None], score[np.arange(q), best]
    top, found = np.full(q, -np.inf), np.zeros((q, order), dtype=np.int64)
    for middle in range(order - 2, c - 1):
        behind = slice(middle + 1, c)
        width = c - middle - 1
        for first in _blocks(middle, order - 2, max(1, _CELLS_AT_ONCE // max(1, q * width))):
            sets = np.concatenate([first, np.full((first.shape[0], 1), middle)], axis=1)
            rows = gram[sets].sum(axis=1)
            inside = np.take_along_axis(rows, sets, axis=1).sum(axis=1)
            square = inside[:, None] + 2 * rows[:, behind] + diagonal[behind]
            score = a[:, sets].sum(axis=2)[:, :, None] + a[:, None, behind]
            score /= np.sqrt(np.maximum(square, _SMALLEST))
            flat = score.reshape(q, -1)
            place = flat.argmax(axis=1)
            reached = flat[np.arange(q), place]
            better = reached > top
            top[better] = reached[better]
            chosen = np.concatenate([sets[place // width], (middle + 1 + place % width)[:, None]], axis=1)
            found[better] = chosen[better]
    return found, top


def non_negative_least_squares(queries: Floats, centroids: Floats, order: int) -> Ints:
    """Return the `order` classes of largest weight in min ‖query - Σ w c‖, w ≥ 0: queries ``(q, D)`` → ``(q, order)``.

    Lawson and Hanson 1974, as scipy has it; classes rise in number.
    """
    from scipy.optimize import nnls

    columns = np.asarray(centroids, dtype=np.float64).T
    weights = np.array([nnls(columns, np.asarray(z, dtype=np.float64))[0] for z in queries])
    weights = weights.reshape(len(queries), columns.shape[1])
    return np.sort(np.argsort(-weights, axis=1, kind="stable")[:, :order], axis=1)


def learn_steps(scores: Floats, order: NDArray[np.int64]) -> Floats:
    """Return, for each step from k to k + 1 components, the gain in score that a further component must bring.

    scores: best score of sets of 1 … K classes for validation mixtures ``(v, K)``; order ``(v,)``: their true numbers.
    The threshold with the best balanced accuracy between mixtures of k and of more components; plus infinity for a step
    that no validation mixture takes, minus infinity where all of them do.
    """
    gains = np.diff(scores, axis=1)
    out = np.empty(gains.shape[1])
    for k in range(gains.shape[1]):
        own = order >= k + 1
        more = order[own] > k + 1
        if not more.any():
            out[k] = np.inf
        elif more.all():
            out[k] = -np.inf
        else:
            out[k] = choose_threshold(gains[own, k], more)
    return out


def choose_order(scores: Floats, steps: Floats) -> NDArray[np.int64]:
    """Return how many components each query has ``(q,)``: it takes a further one while that gains what `steps` ask."""
    going = np.logical_and.accumulate(np.diff(scores, axis=1) >= steps, axis=1)
    return np.asarray(1 + going.sum(axis=1), dtype=np.int64)


def draw_mixtures(classes: NDArray[np.int64], order: int, count: int, seed: int) -> Ints:
    """Return rows ``(count, order)`` of spectra to mix: classes distinct and equally likely, one spectrum of each.

    classes ``(n,)``: 0 to C - 1. Raises InputError where there are fewer classes than `order`.
    """
    sizes = np.bincount(classes)
    if order > sizes.size:
        raise InputError(f"mixtures of {order} classes asked for, there are {sizes.size}")
    rng = np.random.default_rng([seed, order])
    chosen = rng.random((count, sizes.size)).argpartition(order - 1, axis=1)[:, :order]
    by_class = np.argsort(classes, kind="stable")
    place = np.floor(rng.random((count, order)) * sizes[chosen]).astype(np.int64)
    return np.asarray(by_class[(np.cumsum(sizes) - sizes)[chosen] + place])


def mixed(spectra: NDArray[np.float32], rows: Ints) -> NDArray[np.float32]:
    """Return mixtures ``(m, L)``: spectra ``(N, L)`` as measured, the `rows` ``(m, k)`` added up, maximum 1."""
    out = spectra[rows[:, 0]].copy()
    for place in range(1, rows.shape[1]):
        out += spectra[rows[:, place]]
    top = out.max(axis=1, keepdims=True)
    return np.asarray(out / np.where(top > 0, top, 1.0), dtype=np.float32)


def mixture_spectra(intensities: NDArray[np.float32], rows: Ints) -> NDArray[np.float32]:
    """Return mixtures ``(m, L)`` of spectra as measured ``(N, L)``, every component with maximum 1; rows ``(m, k)``."""
    used, places = np.unique(rows, return_inverse=True)
    parts = intensities[used]
    top = np.abs(parts).max(axis=1, keepdims=True)
    unit = np.asarray(parts / np.where(top > 0, top, 1.0), dtype=np.float32)
    return mixed(unit, places.reshape(rows.shape))


def at_least(found: Sequence[Ints] | Ints, truth: Ints) -> Floats:
    """Return the share of mixtures of which at least 1, 2, … k components were found ``(k,)``; truth ``(m, k)``."""
    right = np.array([len(set(f) & set(t)) for f, t in zip(np.asarray(found).tolist(), truth.tolist(), strict=True)])
    return np.array([(right >= n + 1).mean() for n in range(truth.shape[1])])
