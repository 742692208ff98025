"""The pairs of a part by the blocks they touch: everything that no similarity changes.

Many methods are judged on the same pairs (ten methods with thirty seeds on each half of each fold), and jackknife and
bootstrap ask for the same sums again and again. So a frame is found once for equal pairs and kept; what is left to do
for a method is compare its similarities.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.evaluation.blocks import Blocks
from spectrosim_search.evaluation.scores import PairScores

__all__ = ["Frame", "Stratum", "frame_of", "frames_of", "is_kept"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

KEPT_PAIRS = 20_000  # a larger part is laid out anew each time: comparing its similarities takes longer anyway
KEPT_FRAMES = 512  # half a gigabyte at most


@dataclass(frozen=True, eq=False)
class Stratum:
    """Positive and negative pairs that are compared with one another, both in the order of their codes.

    up, down: numbers of the pairs ``(u,)``, ``(d,)``. own, against: the codes that occur among them; up_starts,
    down_starts: where each begins. positives, negatives ``(codes,)``: pairs of every code.
    """

    up: IntArray
    up_starts: IntArray
    own: IntArray
    positives: FloatArray
    down: IntArray
    down_starts: IntArray
    against: IntArray
    negatives: FloatArray


@dataclass(frozen=True, eq=False)
class Frame:
    """Pairs of one part. P pairs, n blocks in it.

    members ``(n,)``: numbers of the blocks. left, right ``(P,)``: block of each spectrum of a pair, 0 to n - 1.
    code ``(P,)``: number of the unordered pair of blocks; these are first, second ``(codes,)``. pair_stratum ``(P,)``:
    label pair, -1 where a label is missing.
    """

    members: IntArray
    left: IntArray
    right: IntArray
    positive: NDArray[np.bool_]
    pair_stratum: IntArray
    code: IntArray
    first: IntArray
    second: IntArray

    @classmethod
    def of(cls, part: PairScores, members: IntArray, left: IntArray, right: IntArray) -> Frame:
        """From the blocks of a part and the numbers of each pair's two blocks among them."""
        units = max(len(members), 1)
        found, code = np.unique(np.minimum(left, right) * units + np.maximum(left, right), return_inverse=True)
        positive = np.array(part.positive, dtype=np.bool_)
        stratum = np.array(part.stratum, dtype=np.int64)
        return cls(members, left, right, positive, stratum, code.astype(np.int64), found // units, found % units)

    @property
    def codes(self) -> int:
        """Unordered pairs of blocks that hold pairs."""
        return len(self.first)

    def strata(self, metric: str) -> tuple[Stratum, ...]:
        """What the metric compares: under `matched_auc` every label pair with a positive pair, else everything."""
        return self._matched if metric == "matched_auc" else self._everything

    @functools.cached_property
    def _everything(self) -> tuple[Stratum, ...]:
        return (self._stratum(np.ones(len(self.positive), dtype=np.bool_)),)

    @functools.cached_property
    def _matched(self) -> tuple[Stratum, ...]:
        numbers = np.unique(self.pair_stratum[self.positive & (self.pair_stratum >= 0)])
        return tuple(self._stratum(self.pair_stratum == number) for number in numbers)

    def _stratum(self, inside: NDArray[np.bool_]) -> Stratum:
        up, up_starts, own, positives = self._by_code(inside & self.positive)
        down, down_starts, against, negatives = self._by_code(inside & ~self.positive)
        return Stratum(up, up_starts, own, positives, down, down_starts, against, negatives)

    def _by_code(self, chosen: NDArray[np.bool_]) -> tuple[IntArray, IntArray, IntArray, FloatArray]:
        """The chosen pairs in the order of their codes, where each code begins, the codes, and counts of all codes."""
        rows = np.flatnonzero(chosen)
        rows = rows[np.argsort(self.code[rows], kind="stable")]
        codes, starts = np.unique(self.code[rows], return_index=True)
        counts = np.bincount(self.code[rows], minlength=self.codes).astype(np.float64)
        return rows.astype(np.int64), starts.astype(np.int64), codes.astype(np.int64), counts

    def weigh(self, weights: FloatArray) -> FloatArray:
        """Weight of each unordered pair of blocks under `weights` ``(R, n)``: ``(R, codes)``.

        A block with itself weighs once.
        """
        both = np.where(self.first == self.second, 1.0, weights[:, self.second])
        return np.asarray(weights[:, self.first] * both, dtype=np.float64)

    def sums(self, rows: NDArray[np.bool_], values: FloatArray | None = None) -> FloatArray:
        """Sum of `values` (or count) of the chosen pairs by unordered pair of blocks, ``(codes,)``."""
        chosen = None if values is None else values[rows]
        return np.bincount(self.code[rows], weights=chosen, minlength=self.codes).astype(np.float64)


def is_kept(part: PairScores) -> bool:
    """Whether the frame of this part is kept, so that equal pairs have the very same one."""
    return len(part.left) <= KEPT_PAIRS


def frame_of(part: PairScores, blocks: Blocks) -> Frame:
    """The frame of a part; one and the same object for equal pairs and blocks, as long as it is kept."""
    return frames_of([part], blocks)[0]


def frames_of(parts: Sequence[PairScores], blocks: Blocks) -> list[Frame]:
    """The frames of several parts; one and the same object for equal pairs among them, however large."""
    keys = [_Key(part, blocks) for part in parts]
    own: dict[_Key, Frame] = {}
    for part, key in zip(parts, keys, strict=True):
        if key not in own:
            own[key] = _kept(key) if is_kept(part) else _laid_out(key)
    return [own[key] for key in keys]


class _Key:
    """Pairs and blocks by their content."""

    def __init__(self, part: PairScores, blocks: Blocks) -> None:
        self.part, self.blocks = part, blocks
        self._digest = b""

    @property
    def digest(self) -> bytes:
        if not self._digest:
            found = hashlib.blake2b(self.blocks.digest, digest_size=16)
            for values in (self.part.left, self.part.right, self.part.positive, self.part.stratum):
                kept = np.ascontiguousarray(values)
                found.update(f"{kept.dtype.str}{kept.shape}".encode())
                found.update(kept.data)
            self._digest = found.digest()
        return self._digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.digest == other.digest


def _laid_out(key: _Key) -> Frame:
    of_row, part = key.blocks.of_row, key.part
    members, codes = np.unique(np.concatenate([of_row[part.left], of_row[part.right]]), return_inverse=True)
    half = len(part.left)
    codes = codes.astype(np.int64)
    return Frame.of(part, members.astype(np.int64), codes[:half], codes[half:])


_kept = functools.lru_cache(maxsize=KEPT_FRAMES)(_laid_out)
