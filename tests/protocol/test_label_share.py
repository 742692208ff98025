"""Which spectra are labelled: the same for whoever asks, a larger share holds a smaller one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from spectrosim_search.protocol.label_share import labelled_rows

RNG = np.random.default_rng(3)
CLASSES = np.concatenate([np.zeros(50), np.ones(30), np.full(3, 2)]).astype(np.int64)[RNG.permutation(83)]
TRAIN = np.flatnonzero(RNG.random(83) < 0.8)


def rows(share: float, fold: int = 1, seed: int = 4, study_seed: int = 0, train: np.ndarray = TRAIN) -> set[int]:
    return set(labelled_rows(CLASSES, train, share, study_seed=study_seed, fold=fold, seed=seed).tolist())


def test_a_larger_share_holds_every_smaller_one() -> None:
    drawn = [rows(share) for share in (0.01, 0.05, 0.1, 0.2, 0.5, 1.0)]
    for small, large in itertools.pairwise(drawn):
        assert small <= large
    assert drawn[-1] == set(TRAIN.tolist())


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5])
def test_every_class_has_its_share_and_one_spectrum_at_least(share: float) -> None:
    labelled = labelled_rows(CLASSES, TRAIN, share, study_seed=0, fold=0, seed=0)
    assert (np.diff(labelled) > 0).all() and np.isin(labelled, TRAIN).all()
    for code in range(3):
        all_of_it = int((CLASSES[TRAIN] == code).sum())
        assert (CLASSES[labelled] == code).sum() == max(1, round(share * all_of_it))


def test_the_draw_depends_on_the_seeds_and_the_fold_alone() -> None:
    assert rows(0.3) == rows(0.3, train=TRAIN[::-1].copy())
    for other in (rows(0.3, fold=2), rows(0.3, fold=-1), rows(0.3, seed=5), rows(0.3, study_seed=1)):
        assert other != rows(0.3)


def test_classes_off_the_training_rows_are_not_read() -> None:
    hidden = np.full(83, -1, dtype=np.int64)
    hidden[TRAIN] = CLASSES[TRAIN]
    found = labelled_rows(hidden, TRAIN, 0.3, study_seed=0, fold=1, seed=4)
    assert set(found.tolist()) == rows(0.3)


@pytest.mark.parametrize("share", [0.0, 1.1])
def test_shares_that_mean_nothing_are_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share of the labels"):
        rows(share)
