from __future__ import annotations

import numpy as np
import pytest
import torch

from spectrosim_search.learning import validation
from spectrosim_search.learning.validation import Choice, PairTable
from tests.learning.problems import configuration, grouped, task


def choice(patience: int = 2) -> Choice:
    data, labels = grouped()
    return Choice(task(configuration(training={"patience": patience, "checkpoint": "best"}), data, labels))


def test_first_of_equal_epochs_and_patience():
    c = choice()
    scores = [0.5, 0.7, 0.7, 0.6, 0.9]
    for epoch, score in enumerate(scores):
        c.update(epoch, (score, epoch / 10))
    assert c.epochs == [1, 4]  # the first half closed at epoch 3, before .9
    assert c.open == [False, True]
    assert c.best == pytest.approx(0.65)


def test_epochs_that_differ_by_rounding_are_equal():
    c = choice()
    for epoch, score in enumerate((0.6, 0.6388888888888888, 0.638888888888889)):
        c.update(epoch, (score, 1 - score))
    assert c.epochs == [1, 0]


def test_a_half_does_not_touch_the_epoch_it_is_scored_at():
    rng = np.random.default_rng(0)
    for _ in range(50):
        own = rng.random(30)
        chosen = set()
        for _ in range(3):
            c = choice(patience=4)
            for epoch, (a, b) in enumerate(zip(own, rng.random(30))):
                c.update(epoch, (a, b))
                if not any(c.open):
                    break
            chosen.add(c.epochs[0])
        assert len(chosen) == 1


def test_a_half_without_a_score_keeps_the_latest_epoch():
    c = choice()
    for epoch in range(6):
        c.update(epoch, (float("nan"), 0.5))
    assert c.epochs == [5, 0]
    assert c.best == 0.5


@pytest.mark.parametrize("dense", [True, False])
def test_similarities_are_cosines_of_the_pairs(monkeypatch, dense):
    if not dense:
        monkeypatch.setattr(validation, "_DENSE", 0)
        monkeypatch.setattr(validation, "_CHUNK", 64)
    data, labels = grouped()
    tasks = [task(configuration(), data, labels, seed=s) for s in range(2)]
    table = PairTable([t.halves for t in tasks], ["auc", "matched_auc"], torch.device("cpu"))
    z = torch.randn(2, table.rows.shape[1], 4, generator=torch.Generator().manual_seed(0))
    got = table.similarities(z)
    position = {int(row): i for i, row in enumerate(table.rows[1])}
    for half in range(2):
        pairs = tasks[1].halves[half]
        for p in (0, 7, 30):
            a, b = (z[1, position[int(side[p])]] for side in (pairs.left, pairs.right))
            torch.testing.assert_close(got[1, half, p], torch.cosine_similarity(a, b, dim=0))


def test_the_last_epoch_counts_where_asked():
    data, labels = grouped()
    c = Choice(task(configuration(training={"patience": 1, "checkpoint": "last"}), data, labels))
    for epoch, score in enumerate((0.5, 0.9, 0.4, 0.3)):
        assert c.update(epoch, (score, 1 - score)) == (True, True)
    assert c.epochs == [3, 3]
    assert all(c.open)
