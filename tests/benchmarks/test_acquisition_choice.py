"""Spreads are chosen on the other half of the compounds, and on training spectra alone."""

from __future__ import annotations

import numpy as np

from benchmarks._acquisition_choice import capped, choose, dealt
from benchmarks.synthesis import generated
from spectrosim_search.spectra.simulators import simulate

SPECTRA = simulate("ei", compounds=12, spectra=6, mz_high=120, peaks=14, cut=45, noise=0.3)
X = np.sqrt(SPECTRA.intensities / SPECTRA.intensities.sum(axis=1, keepdims=True)).astype(np.float32)
GROUPS = np.unique(SPECTRA.groups, return_inverse=True)[1]
BLOCKS = np.arange(len(GROUPS))
TRAIN = np.flatnonzero(np.arange(len(GROUPS)) % 6 < 4)


def chosen(x: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, tuple[dict[str, float], dict[str, float]]]:
    def make(spreads, hidden, rows, seed):  # type: ignore[no-untyped-def]
        return generated({"amount": 2, "blend": 0.0, **spreads}, x, SPECTRA.axis, hidden, rows, seed)

    found = choose(x, SPECTRA.axis, groups, BLOCKS, TRAIN, make, 3)
    return found.half, found.spreads


def test_judged_spectra_and_the_own_half_have_no_say() -> None:
    half, spreads = chosen(X, GROUPS)
    assert np.bincount(half).tolist() == [6, 6]
    changed = X.copy()
    judged = np.setdiff1d(np.arange(len(X)), TRAIN)
    changed[judged] = np.random.default_rng(0).gamma(1.0, size=changed[judged].shape)
    assert chosen(changed, GROUPS)[1] == spreads
    own = 0  # what is used for a half does not see its spectra; what it chooses for the other one does
    changed = X.copy()
    rows = half[GROUPS] == own
    noise = np.random.default_rng(1).normal(scale=2.0, size=changed[rows].shape)
    changed[rows] = changed[rows] * np.exp(noise).astype(np.float32)
    again = chosen(changed, GROUPS)[1]
    assert again[own] == spreads[own]
    assert again[1 - own] != spreads[1 - own]


def test_folds_keep_blocks_and_caps_keep_groups() -> None:
    blocks = np.repeat(np.arange(36), 2)
    fold = dealt(GROUPS, blocks, 3, 0)
    assert all(np.unique(fold[blocks == b]).size == 1 for b in range(36))
    assert all(set(fold[g == GROUPS]) == {0, 1, 2} for g in range(12))
    kept = capped(TRAIN, GROUPS, 2, 5)
    assert np.bincount(GROUPS[kept]).tolist() == [2] * 12 and set(kept) <= set(TRAIN)
    np.testing.assert_array_equal(capped(TRAIN, GROUPS, 0, 5), TRAIN)
