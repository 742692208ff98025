from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spectrosim_search.config.errors import DataError
from spectrosim_search.deploy.alignment import IntensityRange, align
from spectrosim_search.spectra.spectra_set import SpectraSet


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
