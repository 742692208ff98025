"""Galleries of known spectra against loops, and the threshold below which a spectrum is of no known class."""

from __future__ import annotations

import numpy as np
import pytest

from spectrosim_search.config.errors import InputError
from spectrosim_search.evaluation.identification import Gallery, open_set, rejection_threshold


def gallery(seed: int = 0) -> tuple[Gallery, np.ndarray]:
    rng = np.random.default_rng(seed)
    classes = rng.permutation(np.repeat(np.arange(4), [1, 3, 5, 4]))
    return Gallery(rng.normal(size=(13, 6)).astype(np.float32), classes), rng.normal(size=(9, 6)).astype(np.float32)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


@pytest.mark.parametrize("neighbours", [1, 2, 4])
def test_scores_are_those_of_loops(neighbours: int, monkeypatch) -> None:
    known, queries = gallery()
    for cells in (1, 8_000_000):
        monkeypatch.setattr("spectrosim_search.evaluation.identification._CELLS_AT_ONCE", cells)
        nearest = known.scores(queries, "nearest", neighbours)
        for i, query in enumerate(queries):
            for c in range(4):
                own = sorted(cosine(query, e) for e in known.embeddings[known.classes == c])[-neighbours:]
                assert nearest[i, c] == pytest.approx(np.mean(own), abs=1e-6)
    centres = known.scores(queries)
    for i, query in enumerate(queries):
        for c in range(4):
            own = known.embeddings[known.classes == c]
            middle = (own / np.linalg.norm(own, axis=1, keepdims=True)).mean(axis=0)
            assert centres[i, c] == pytest.approx(cosine(query, middle), abs=1e-6)


def test_a_new_class_joins_without_changing_what_is_known() -> None:
    known, queries = gallery()
    more = np.ones((2, 6), dtype=np.float32)
    larger = known.extended(more, np.array([4, 4]))
    assert (known.count, larger.count) == (4, 5)
    np.testing.assert_allclose(larger.scores(queries)[:, :4], known.scores(queries), atol=1e-6)
    assert larger.scores(more).argmax(axis=1).tolist() == [4, 4]
    with pytest.raises(InputError, match="every class"):
        known.extended(more, np.array([5, 5]))


def test_a_threshold_keeps_what_it_promises() -> None:
    rng = np.random.default_rng(0)
    kept = [
        open_set(rng.normal(size=200), rng.normal(size=50) - 2, rejection_threshold(rng.normal(size=40), 0.9)).kept
        for _ in range(300)
    ]
    assert 0.9 <= np.mean(kept) < 0.93
    assert rejection_threshold(np.arange(19.0), 0.95) == 0.0
    assert rejection_threshold(np.arange(18.0), 0.95) == float("-inf")
    with pytest.raises(InputError, match="share of known spectra"):
        rejection_threshold(np.arange(18.0), 1.0)


def test_an_open_set_is_counted() -> None:
    judged = open_set([0.9, 0.6, 0.8, 0.2], [0.1, 0.7], 0.5)
    assert judged.auroc == pytest.approx(6 / 8)
    assert (judged.kept, judged.rejected) == (0.75, 0.5)
    assert np.isnan(open_set([0.9], [], 0.5).auroc)
