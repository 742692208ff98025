from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spectrosim_search.config.errors import DataError
from spectrosim_search.deploy.alignment import IntensityRange, align
from spectrosim_search.spectra.readers import read
from spectrosim_search.spectra.spectra_set import SpectraSet
from spectrosim_search.spectra.writers import write


def _with_axis(spectra: SpectraSet, axis: np.ndarray, intensities: np.ndarray, unit: str = "m/z") -> SpectraSet:
    return replace(spectra, axis=axis.astype(np.float64), intensities=intensities.astype(np.float32), axis_unit=unit)


def test_the_same_axis_is_left_alone(known: SpectraSet) -> None:
    intensities, warnings = align(known, known.axis, known.axis_unit)
    assert intensities is known.intensities
    assert warnings == ()
    step = known.axis[1] - known.axis[0]
    nearly = replace(known, axis=known.axis + 1e-5 * step)  # as after writing six digits to a file
    assert align(nearly, known.axis, known.axis_unit)[1] == ()


def test_a_finer_axis_is_interpolated_back(known: SpectraSet) -> None:
    fine = np.linspace(known.axis[0] - 5, known.axis[-1] + 5, 4 * len(known.axis))
    straight = np.tile(3 * fine + 2, (len(known), 1))  # linear in the axis: interpolation is exact
    intensities, warnings = align(_with_axis(known, fine, straight), known.axis, "m/z")
    np.testing.assert_allclose(intensities, np.tile(3 * known.axis + 2, (len(known), 1)), rtol=1e-5)
    assert "interpolated" in warnings[0]
    assert f"{len(known)} spectra" in warnings[0]


def test_channels_beyond_the_training_axis_are_counted(known: SpectraSet) -> None:
    step = known.axis[1] - known.axis[0]
    longer = np.concatenate([known.axis, known.axis[-1] + step * np.arange(1, 11)])
    padded = np.pad(known.intensities, ((0, 0), (0, 10)))
    intensities, warnings = align(_with_axis(known, longer, padded), known.axis, "m/z")
    np.testing.assert_allclose(intensities, known.intensities, rtol=1e-5, atol=1e-3)
    assert any(w.startswith("10 channels") for w in warnings)


def test_a_coarse_axis_warns(known: SpectraSet) -> None:
    _, warnings = align(
        _with_axis(known, known.axis[[0, 40, 80, 120, -1]], known.intensities[:, :5]), known.axis, "m/z"
    )
    assert any("coarser" in w for w in warnings)


@pytest.mark.parametrize("cut", [slice(3, None), slice(None, -3)])
def test_an_axis_that_falls_short_is_refused(known: SpectraSet, cut: slice) -> None:
    short = _with_axis(known, known.axis[cut], known.intensities[:, cut])
    with pytest.raises(DataError, match=r"reach over .* the model needs 77.04 to 999.32 m/z"):
        align(short, known.axis, "m/z")


def test_another_unit_is_refused(known: SpectraSet) -> None:
    with pytest.raises(DataError, match="nm"):
        align(replace(known, axis_unit="nm"), known.axis, "m/z")
    assert align(replace(known, axis_unit=""), known.axis, "m/z")[1] == ()  # an unknown unit is not another one


def test_single_channel() -> None:
    one = SpectraSet(
        *(np.ones((2, 1), np.float32), np.array([500.0]), "nm", np.array(["a", "b"])),
        *(np.array(["g", "g"]), np.array(["", ""]), np.array(["", ""])),
    )
    assert align(one, np.array([500.0]), "nm")[1] == ()
    with pytest.raises(DataError, match="501"):
        align(one, np.array([501.0]), "nm")


def test_intensities_are_compared_with_the_training_range(known: SpectraSet, new: SpectraSet) -> None:
    seen = IntensityRange.of(known.intensities)
    assert seen.warnings(known.intensities, "known") == ()
    assert IntensityRange(**seen.to_dict()) == seen
    scaled = new.intensities.copy()
    scaled[:2] *= 1e4
    found = seen.warnings(scaled, "new")
    assert any(w.startswith(f"2 of {len(new)} spectra of 'new' have a mean intensity outside") for w in found)
    below = new.intensities.copy()
    below[0, 0] = -1
    assert any("negative" in w and w.startswith("1 of") for w in seen.warnings(below, "new"))
    sparse = new.intensities.copy()
    sparse[:3, : int(0.9 * sparse.shape[1])] = 0
    assert any("zero in up to" in w and w.startswith("3 of") for w in seen.warnings(sparse, "new"))
    assert seen.warnings(new.intensities[:0], "new") == ()


def _library(values: np.ndarray, mz: np.ndarray, name: str = "library") -> SpectraSet:
    none = np.full(len(values), "", dtype=np.str_)
    ids = np.array([f"s{i}" for i in range(len(values))])
    return SpectraSet(values.astype(np.float32), mz, "m/z", ids, none, none, none, name=name)


def test_a_list_of_peaks_ends_where_its_last_peak_does_and_is_filled_up(tmp_path: Path) -> None:
    axis = np.arange(15.0, 201.0)
    values = np.zeros((3, len(axis)))
    values[0, [2, 185]], values[1, [30, 100]], values[2, [31, 60, 99]] = 1000.0, 1000.0, 1000.0
    library = _library(values, axis)
    write(library.select(np.array([1, 2])), tmp_path / "new.msp")
    new = read(tmp_path / "new.msp", need_groups=False)
    assert (new.axis[0], new.axis[-1]) == (45.0, 115.0), "peaks say nothing of where the library ends"
    intensities, warnings = align(new, axis, "m/z")
    np.testing.assert_array_equal(intensities, library.intensities[1:])
    assert warnings == (), "no channel was made up"
    intensities, warnings = align(new, np.arange(46.0, 90.0), "m/z")
    np.testing.assert_array_equal(intensities, library.intensities[1:, 31:75])
    assert warnings == ("3 channels of 'new' lie outside the training axis and were left out",)


def test_peaks_one_a_row_are_filled_up_too(tmp_path: Path) -> None:
    (tmp_path / "peaks.csv").write_text("sample_id,mz,intensity\na,50,10\na,60,20\nb,55,5\n")
    intensities, warnings = align(read(tmp_path / "peaks.csv", need_groups=False), np.arange(40.0, 71.0), "m/z")
    assert warnings == ()
    assert np.flatnonzero(intensities[0]).tolist() == [10, 20]
    assert np.flatnonzero(intensities[1]).tolist() == [15]


def test_the_unit_of_what_was_measured_is_its_own(known: SpectraSet) -> None:
    short = replace(known, axis=known.axis[3:], intensities=known.intensities[:, 3:], axis_unit="")
    with pytest.raises(DataError, match=r"reach over [0-9.]+ to 999.32, the model needs 77.04 to 999.32 m/z"):
        align(short, known.axis, "m/z")
