"""What verifying answers, as arrays for programs and as plain rows for JSON and tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.deploy.decision import Decision
from spectrosim_search.evaluation.calibration import probability

__all__ = ["GalleryVerdicts", "PairVerdicts"]

Texts = NDArray[np.str_]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PairVerdicts:
    """One verdict a pair; arrays ``(P,)``.

    `same`, `log_likelihood_ratio` (natural logarithm) and `probability` (of one group, under `prior`) are None where
    the model has no threshold.
    """

    left: Texts
    right: Texts
    similarity: NDArray[np.float32]
    same: NDArray[np.bool_] | None
    log_likelihood_ratio: FloatArray | None
    probability: FloatArray | None
    prior: float
    threshold: float | None

    @classmethod
    def of(
        cls, left: Texts, right: Texts, similarity: NDArray[np.float32], decision: Decision | None, prior: float
    ) -> PairVerdicts:
        """Judge similarities."""
        same, ratio, probability = _judge(similarity, decision, prior)
        threshold = decision.threshold if decision else None
        return cls(left, right, similarity, same, ratio, probability, prior, threshold)

    def __len__(self) -> int:
        return len(self.similarity)

    def rows(self) -> list[dict[str, Any]]:
        """One dict of plain values a pair; what the model cannot say is None."""
        same, ratio, probability = _lists(len(self), self.same, self.log_likelihood_ratio, self.probability)
        return [
            {
                "left": a,
                "right": b,
                "similarity": s,
                "same": y,
                "log_likelihood_ratio": r,
                "probability": p,
                "prior": self.prior,
            }
            for a, b, s, y, r, p in zip(
                self.left.tolist(), self.right.tolist(), self.similarity.tolist(), same, ratio, probability
            )
        ]


@dataclass(frozen=True, eq=False)
class GalleryVerdicts:
    """Verdicts of Q queries against G gallery groups; `best` ``(Q,)`` is the column of the highest mean similarity.

    `mean_similarity`, `highest_similarity` and, where the model has a threshold, `log_likelihood_ratio` and
    `probability` are ``(Q, G)``; `same` ``(Q,)`` says whether the best group is similar enough.
    """

    queries: Texts
    groups: Texts
    group_sizes: NDArray[np.int64]
    mean_similarity: NDArray[np.float32]
    highest_similarity: NDArray[np.float32]
    best: NDArray[np.int64]
    same: NDArray[np.bool_] | None
    log_likelihood_ratio: FloatArray | None
    probability: FloatArray | None
    prior: float
    threshold: float | None

    @classmethod
    def of(
        cls,
        queries: Texts,
        groups: Texts,
        sizes: NDArray[np.int64],
        mean: NDArray[np.float32],
        highest: NDArray[np.float32],
        decision: Decision | None,
        prior: float,
    ) -> GalleryVerdicts:
        """Judge mean and highest similarities ``(Q, G)``."""
        same, ratio, probability = _judge(mean, decision, prior)
        best = mean.argmax(axis=1)
        best_same = None if same is None else same[np.arange(len(best)), best]
        threshold = decision.threshold if decision else None
        return cls(queries, groups, sizes, mean, highest, best, best_same, ratio, probability, prior, threshold)

    def __len__(self) -> int:
        return len(self.queries)

    def rows(self) -> list[dict[str, Any]]:
        """One dict of plain values a query: the best group, and all groups from most to least similar."""
        out = []
        same, ratio, probability = _lists(len(self), self.same, self.log_likelihood_ratio, self.probability)
        for q, name in enumerate(self.queries.tolist()):
            order = np.argsort(-self.mean_similarity[q], kind="stable").tolist()
            groups = [
                {
                    "group": str(self.groups[g]),
                    "spectra": int(self.group_sizes[g]),
                    "mean_similarity": float(self.mean_similarity[q, g]),
                    "highest_similarity": float(self.highest_similarity[q, g]),
                    "log_likelihood_ratio": None if ratio[q] is None else ratio[q][g],
                    "probability": None if probability[q] is None else probability[q][g],
                }
                for g in order
            ]
            best = groups[0]
            out.append(
                {
                    "query": name,
                    "best_group": best["group"],
                    "same": same[q],
                    **{
                        k: best[k]
                        for k in ("mean_similarity", "highest_similarity", "log_likelihood_ratio", "probability")
                    },
                    "prior": self.prior,
                    "groups": groups,
                }
            )
        return out


def _judge(
    similarity: NDArray[np.float32], decision: Decision | None, prior: float
) -> tuple[NDArray[np.bool_] | None, FloatArray | None, FloatArray | None]:
    """Same or not, natural-log likelihood ratio and probability under `prior` of similarities of any shape."""
    if decision is None:
        return None, None, None
    ratio = decision.calibration.log_likelihood_ratio(similarity)
    # similarities are float32: an equal float64 threshold must not be missed by rounding
    same = similarity >= np.float32(decision.threshold)
    return same, ratio, probability(ratio, prior)


def _lists(n: int, *arrays: NDArray[Any] | None) -> tuple[list[Any], ...]:
    return tuple([None] * n if a is None else a.tolist() for a in arrays)
