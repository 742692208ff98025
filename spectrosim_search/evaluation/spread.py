"""The variance over groups of a mean of parts: a delete-one-group jackknife, freed of what it counts too often.

Groups meet only inside a part (a half of a fold's validation groups). Delete one of two and the whole part is gone: the
jackknife counts what both bring about together once for each of them, and more often still in small parts (Efron &
Stein 1981, Ann. Stat. 9:586, secs. 2 and 4). Three sums of squares: the jackknife's over groups (T1), that of second
differences over pairs of groups (T2), and the variance that is asked for. The layout alone (who meets whom in which
part, :mod:`~spectrosim_search.evaluation.layout`) says what each is made of in expectation: so much of what groups do
alone (variance A), so much of what two do together (variance B). T1 and T2 are solved for A and B, B between 0 and A:
more would have to be believed on the word of a few second differences (docs/statistics.md).

With a group left out, a part weighs by those of its groups that can still be scored. So a part of two vanishes with
either of them and is compared with the parts that are left, which hold other groups.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.evaluation.blocks import Blocks
from spectrosim_search.evaluation.frames import Frame, frames_of, is_kept
from spectrosim_search.evaluation.layout import Layout, PartLayout, part_layout
from spectrosim_search.evaluation.methods import Method, mean_defined
from spectrosim_search.evaluation.resampling import part_values

__all__ = ["LeftOut", "Spread", "leave_out", "spread"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SMALLEST = 4  # groups of a part: three leave no second difference
MOST = 800  # pairs of groups that meet; where there are more the parts are large, and the correction is not needed
MIXED = 0.25  # second differences that hold more of what groups do alone (relative squares) are not used
NOTHING = 1e-9
KEPT = 16  # layouts of whole methods


@dataclass(frozen=True, eq=False)
class LeftOut:
    """value: the score. change ``(G,)``: what leaving each group out takes off it, NaN where nothing would be left.
    mixed ``(G, G)``: second differences, above the diagonal, 0 where none are taken."""

    value: float
    change: FloatArray
    mixed: FloatArray
    layout: Layout


@dataclass(frozen=True)
class Spread:
    """Standard error over groups and Student's degrees of freedom; NaN where undefined."""

    error: float
    degrees: float


@dataclass(frozen=True, eq=False)
class _Part:
    """A part with a score. n groups, m pairs of them, R weightings.

    number: among all parts of the method. cell: its number. share: of the score. members ``(n,)``. left ``(R,)``: share
    of its groups that can still be scored. own ``(m,)``: numbers of its pairs. contrasts ``(m, R)``: second
    differences over the weightings; no rows where pairs are not deleted.
    """

    number: int
    cell: int
    share: float
    members: IntArray
    left: FloatArray
    own: IntArray
    contrasts: FloatArray

    def taken(self, values: FloatArray) -> FloatArray:
        """What each of its groups takes off values ``(R, ...)``: ``(n, ...)``."""
        n = len(self.members)
        factor = self.left[1 : 1 + n].reshape(-1, *(1 for _ in values.shape[1:]))
        return np.asarray(factor * values[1 : 1 + n] - values[0], dtype=np.float64)


@dataclass(frozen=True, eq=False)
class _Arrangement:
    """All parts under their weightings, as far as no similarity matters.

    met: pairs of groups that meet, above the diagonal; their numbers are their order.
    """

    layouts: tuple[PartLayout, ...]
    met: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Deletion:
    """What leaving groups out does by the layout alone, once it is known which parts have a score.

    weight ``(G,)``: of what is left without each group. pairs: of groups that meet, where any are deleted.
    """

    parts: tuple[_Part, ...]
    weight: FloatArray
    pairs: int
    layout: Layout


Frames = tuple[tuple[int, Frame], ...]  # with the number of the cell


def _arrange(frames: Frames, size: int, metric: str) -> _Arrangement:
    meet = np.zeros((size, size), dtype=np.bool_)
    for _, frame in frames:
        meet[np.ix_(frame.members, frame.members)] = True
    met = np.triu(meet, 1)
    few = bool(met.sum() <= MOST)
    laid: dict[int, PartLayout] = {}  # seeds judged on one held-out part share it
    for _, frame in frames:
        if id(frame) not in laid:
            laid[id(frame)] = part_layout(frame, metric, twice=few and len(frame.members) >= SMALLEST)
    return _Arrangement(tuple(laid[id(frame)] for _, frame in frames), met)


def _delete(frames: Frames, arranged: _Arrangement, unknown: tuple[bytes, ...]) -> _Deletion:
    """`unknown`: where each part's values are NaN, as bytes of a ``(R,)`` mask."""
    size = len(arranged.met)
    number_of = np.full((size, size), -1)
    number_of[arranged.met] = np.arange(arranged.met.sum())
    masks = [np.frombuffer(mask, dtype=np.bool_) for mask in unknown]
    scored = [number for number, mask in enumerate(masks) if not mask[0]]
    counts = np.bincount([frames[number][0] for number in scored], minlength=1)
    cells = int((counts > 0).sum())
    meeting = int(arranged.met.sum())
    pairs = meeting if any(arranged.layouts[number].twice for number in scored) else 0
    whole, change = np.zeros(size + meeting), np.zeros((size, size + meeting))
    weight, mixed = np.ones(size), np.zeros((pairs, size + meeting))
    parts = []
    for number in scored:
        (cell, frame), laid = frames[number], arranged.layouts[number]
        members, n = frame.members, len(frame.members)
        low, high = np.triu_indices(n, 1)
        own = number_of[members[low], members[high]]
        left = np.where(masks[number], 0.0, laid.usable) / max(laid.usable[0], 1.0)
        contrasts = _contrasts(laid, n, ~masks[number]) if laid.twice else np.zeros((0, len(left)))
        part = _Part(number, cell, 1.0 / (counts[cell] * cells), members, left, own, contrasts)
        where = np.concatenate([members, size + own])
        forms = np.concatenate([laid.first, laid.second], axis=1)
        whole[where] += part.share * forms[0]
        change[np.ix_(members, where)] += part.share * part.taken(forms)
        weight[members] += part.share * (left[1 : 1 + n] - 1.0)
        if laid.twice:
            mixed[np.ix_(own, where)] += part.share * (contrasts @ forms)
        parts.append(part)
    gone = weight < NOTHING
    change = whole - (whole + change) / np.where(gone, 1.0, weight)[:, None]
    kept = change[~gone]
    layout = Layout.of(kept - kept.mean(axis=0) if len(kept) else kept, mixed, whole[None], size)
    return _Deletion(tuple(parts), weight, pairs, layout)


def _contrasts(laid: PartLayout, n: int, known: NDArray[np.bool_]) -> FloatArray:
    """Second differences ``n s - (n - 1) (s_g + s_h) + (n - 2) s_gh`` as rows over the weightings; rows of zeros
    where one is undefined or also holds what groups do alone (as in parts of very unequal groups)."""
    rows, columns = np.triu_indices(n, 1)
    at = np.arange(len(rows))
    out = np.zeros((len(rows), len(known)))
    out[:, 0] = n
    out[at, 1 + rows] = out[at, 1 + columns] = 1.0 - n
    out[at, 1 + n + at] = n - 2.0
    first, second = out @ laid.first, out @ laid.second
    good = known[1 + rows] & known[1 + columns] & known[1 + n :]
    good &= (first**2).sum(axis=1) <= MIXED * (second**2).sum(axis=1)
    return out * good[:, None]


_kept_arrangement = functools.lru_cache(maxsize=KEPT)(_arrange)
_kept_deletion = functools.lru_cache(maxsize=KEPT)(_delete)


def leave_out(method: Method, blocks: Blocks, metric: str) -> LeftOut:
    """Score of the method, what each group does to it, what each two do together, and the layout behind.

    Methods that judge equal pairs share what depends on the layout alone.
    """
    judged = [(number, part) for number, cell in enumerate(method) for part in cell]
    found = frames_of([part for _, part in judged], blocks)
    frames = tuple((number, frame) for (number, _), frame in zip(judged, found, strict=True))
    kept = all(is_kept(part) for _, part in judged)
    arranged = (_kept_arrangement if kept else _arrange)(frames, blocks.count, metric)
    values = [
        part_values([part], frame, laid.weights, metric)[0]
        for (_, part), (_, frame), laid in zip(judged, frames, arranged.layouts, strict=True)
    ]
    unknown = tuple(np.isnan(scores).tobytes() for scores in values)
    deletion = (_kept_deletion if kept else _delete)(frames, arranged, unknown)
    whole, change, mixed = 0.0, np.zeros(blocks.count), np.zeros(deletion.pairs)
    for part in deletion.parts:
        known = np.where(np.isnan(values[part.number]), 0.0, values[part.number])
        whole += part.share * known[0]
        change[part.members] += part.share * part.taken(known)
        if len(part.contrasts):
            mixed[part.own] += part.share * (part.contrasts @ known)
    gone = deletion.weight < NOTHING
    change = whole - (whole + change) / np.where(gone, 1.0, deletion.weight)
    differences = np.zeros((blocks.count, blocks.count))
    if deletion.pairs:
        differences[arranged.met] = mixed
    value = _mean([(part.cell, values[part.number][0]) for part in deletion.parts], len(method))
    return LeftOut(value, np.where(gone, np.nan, change), differences, deletion.layout)


def _mean(scores: Sequence[tuple[int, float]], cells: int) -> float:
    """Mean over cells of the mean over their parts, in the order and to the bit of `values_under`."""
    by_cell: list[list[float]] = [[] for _ in range(cells)]
    for cell, score in scores:
        by_cell[cell].append(score)
    return float(mean_defined(np.array([float(mean_defined(np.array(s))) for s in by_cell if s])))


def spread(change: FloatArray, mixed: FloatArray, layouts: Sequence[Layout]) -> Spread:
    """Standard error of the value whose changes and second differences these are.

    layouts: of the one method, or of both whose difference it is; where these differ (in seeds) their coefficients are
    averaged and the fewer degrees of freedom are taken.
    """
    known = change[~np.isnan(change)]
    jackknife, second, variance = (
        np.mean([getattr(laid, name) for laid in layouts], axis=0) for name in ("jackknife", "second", "variance")
    )
    if len(known) < 2 or not jackknife.min() > 0:
        return Spread(float("nan"), float("nan"))
    one, two = float(((known - known.mean()) ** 2).sum()), float((mixed**2).sum())
    alone, together = _components(one, two, jackknife, second, variance)
    degrees = [laid.degrees(alone, together) if one > 0 else laid.degrees(1.0, 0.0) for laid in layouts]
    return Spread(math.sqrt(float(variance @ [alone, together])), min(degrees))


def _components(
    one: float, two: float, jackknife: FloatArray, second: FloatArray, variance: FloatArray
) -> tuple[float, float]:
    """A and B, B between 0 and A, that give `one` exactly and `two` as nearly as can be.

    Where second differences say nothing: whichever end makes the variance larger, which matters only where groups of
    small parts change partners.
    """
    most = one / float(jackknife.sum())
    determinant = jackknife[0] * second[1] - jackknife[1] * second[0]
    if second[1] > 0 and determinant > 0:
        together = min(max(float(two * jackknife[0] - one * second[0]) / float(determinant), 0.0), most)
    else:
        together = most if variance[1] * jackknife[0] > variance[0] * jackknife[1] else 0.0
    return (one - float(jackknife[1]) * together) / float(jackknife[0]), together
