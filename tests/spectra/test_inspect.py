from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spectrosim_search.spectra.inspect import inspect
from spectrosim_search.spectra.readers import read
from spectrosim_search.spectra.simulators import simulate

SMALL = {"channels": 64, "mz_high": 100.0, "peaks": 5}
DATA = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.mark.parametrize(
    ("batches", "protocol"),
    [
        (1, "none"),
        (3, "none"),
        (4, "fixed methods only"),
        (7, "fixed methods only"),
        (8, "corrected-cv"),
        (59, "corrected-cv"),
        (60, "hold-out"),
    ],
)
def test_the_protocol_follows_the_number_of_groups(batches: int, protocol: str) -> None:
    assert inspect(simulate(batches=batches, **SMALL)).protocol == protocol


def test_what_shares_a_split_value_counts_once() -> None:
    s = simulate(batches=10, **SMALL)
    trips = np.array([f"trip{int(g.removeprefix('batch')) // 4}" for g in s.groups])
    found = inspect(replace(s, split=trips))
    assert (found.groups, found.split_units, found.independent, found.protocol) == (10, 3, 3, "none")
    alone = inspect(s.select(np.arange(0, 30, 3)))
    assert (alone.groups, alone.singletons, alone.independent) == (10, 10, 0)


def test_what_a_split_cuts_apart_is_one_group_still() -> None:
    s = simulate(batches=4, **SMALL)
    halves = np.array([f"{g}-{i % 2}" for i, g in enumerate(s.groups)])
    found = inspect(replace(s, split=halves))
    assert (found.split_units, found.independent, found.protocol) == (8, 4, "fixed methods only")
    chained = np.array([f"trip{(i + 1) // 3}" for i in range(len(s))])  # the last of a batch with the first of the next
    assert inspect(replace(s, split=chained)).independent == 1


def test_a_label_has_as_many_groups_as_carry_it() -> None:
    s = simulate(batches=6, **SMALL)
    crossed = np.tile(["a", "b", "c"], 6)
    crossed[15:] = "a"  # one group has a single instrument
    found = inspect(replace(s, labels=crossed))
    assert found.groups_crossing_labels == 5
    assert not any("have a single group" in w for w in found.warnings)
    crossed[0] = "d"
    assert any("1 labels have a single group (d)" in w for w in inspect(replace(s, labels=crossed)).warnings)


def test_a_missing_label_is_no_other_label() -> None:
    s = simulate(batches=6, **SMALL)
    labels = s.labels.copy()
    labels[[0, 4, 8]] = ""
    assert inspect(replace(s, labels=labels)).groups_crossing_labels == 0


def test_counts_of_a_set_with_flaws() -> None:
    s = simulate(batches=10, **SMALL)
    groups, labels, x = s.groups.copy(), s.labels.copy(), s.intensities.copy()
    groups[0], labels[3], groups[6:8] = "", "", "alone"
    groups[8] = "single"
    x[10] = x[11]
    x[12, :32] = -1
    found = inspect(replace(s, groups=groups, labels=labels, intensities=x))
    assert (found.spectra, found.channels, found.without_group, found.singletons) == (30, 64, 1, 1)
    assert found.group_sizes == ((1, 1), (2, 2), (3, 8))
    assert found.positive_pairs == 2 + 8 * 3
    assert found.duplicates == 1
    assert found.negatives == pytest.approx(32 / (30 * 64))
    assert found.groups_crossing_labels == 0
    assert found.axis_regular
    assert found.axis_step == pytest.approx((100 - 77.04) / 63)
    joined = " ".join(found.warnings)
    for text in ("1 spectra have no group", "1 groups hold one spectrum", "negative", "1 spectra have no label"):
        assert text in joined
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.skipif(not DATA.is_dir(), reason="the folder of real spectra is not here")
@pytest.mark.parametrize(
    ("name", "spectra", "channels", "groups"),
    [
        ("maldi-species", 96, 2080, 32),
        ("nir-tablets", 310, 404, 31),
        ("desi-swabs", 455, 1333, 160),
        ("lcms-plasma-copd131", 391, 662, 131),
        ("ucr-wine", 111, 234, 0),
    ],
)
def test_real_tables(name: str, spectra: int, channels: int, groups: int) -> None:
    s = read(DATA / name / "spectra.csv.gz")
    found = inspect(s)
    assert (found.spectra, found.channels, found.groups) == (spectra, channels, groups)
    assert np.isfinite(s.intensities).all()
