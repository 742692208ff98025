"""Spectra of tables of peaks, against loops that follow the published recipe."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from spectrosim_search.config.errors import ConfigurationError, InputError
from spectrosim_search.spectra.simulators import simulate
from spectrosim_search.spectra.simulators.class_table import Settings, draw_table, read_table, render

SMALL = {"classes": 8, "channels": 800, "spectra": 6}
TABLE = "class,position,height\n2,300,1\n2,100,0.02\n10,150,0.5\n10,151,1\n0,200,1\n1,203,1\n1,400,0.5\n"


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "peaks.csv.gz"
    with gzip.open(path, "wt") as text:
        text.write(TABLE)
    return str(path)


def slow(position: np.ndarray, height: np.ndarray, sigma: float, channels: int) -> np.ndarray:
    """One spectrum, point by point."""
    out = np.zeros(channels)
    for p, h in zip(position, height):
        for i in range(channels):
            if abs(i - p) <= int(4 * sigma + 0.5):
                out[i] += h * np.exp(-0.5 * ((i - p) / sigma) ** 2)
    return out / out.max()


def test_rendering_is_that_of_a_loop() -> None:
    rng = np.random.default_rng(0)
    position, height, sigma = rng.integers(0, 120, (9, 3)).astype(float), rng.random((9, 3)), rng.uniform(1, 5, 9)
    fast = render(position, height, sigma, 120)
    for i in range(9):
        np.testing.assert_allclose(fast[i], slow(position[i], height[i], sigma[i], 120), atol=1e-6)


def test_spectra_keep_to_their_limits(table: str) -> None:
    s = simulate("class-table", table=table, spectra=400, channels=600, seed=3)
    assert s.intensities.shape == (1600, 600)
    assert sorted(set(s.groups)) == ["class00", "class01", "class02", "class10"]
    assert list(s.groups[:400]) == ["class00"] * 400  # in order of the numbers
    np.testing.assert_allclose(s.intensities.max(axis=1), 1.0)
    one = s.intensities[s.groups == "class00"].argmax(axis=1)  # a single peak at 200
    assert (one.min(), one.max()) == (150, 249)
    assert np.bincount(one - 150).min() > 0 or np.unique(one).size > 95
    width = (s.intensities[s.groups == "class00"]).sum(axis=1) / np.sqrt(2 * np.pi)
    assert 2.0 <= width.min() < 2.1
    assert 4.9 < width.max() <= 5.0
    ideal = read_table(table)
    assert [p.name for p in ideal] == ["0", "1", "2", "10"]
    assert (ideal[2].position.tolist(), ideal[2].height.tolist()) == ([100, 300], [0.02, 1.0])


def test_heights_vary_and_the_highest_may_stay(table: str) -> None:
    far = {"table": table, "channels": 600, "spectra": 300, "sigma_low": 2.0, "sigma_high": 2.0, "shift": 0}
    free, kept = (simulate("class-table", keep_highest=k, **far) for k in (False, True))
    rows = free.groups == "class01"
    ratio = {k: s.intensities[rows, 400] / s.intensities[rows, 203] for k, s in (("free", free), ("kept", kept))}
    assert (ratio["kept"] >= 0.45).all() and (ratio["kept"] <= 0.55).all()
    assert ratio["kept"].min() < 0.46 and ratio["kept"].max() > 0.54
    assert ratio["free"].min() < 0.45 and ratio["free"].max() > 0.56


def test_the_grid_is_three_shifts_by_three_heights(table: str) -> None:
    s = simulate(
        "class-table", table=table, channels=600, draw="grid", narrow_shift="0:17", narrow_height="2:0.01", seed=9
    )
    assert len(s) == 36
    of = {name: s.intensities[s.groups == name] for name in np.unique(s.groups)}
    assert of["class00"].argmax(axis=1).tolist() == [200, 183, 217] * 3
    assert of["class01"][:, [403, 400, 370, 430]].argmax(axis=1).tolist() == [1, 2, 3] * 3
    for i, (shift, change) in enumerate((m, h) for h in (0, 0.01, -0.01) for m in (0, -30, 30)):
        expected = slow(np.array([100, 300]) + shift, np.array([0.02 + change, 1.0]), 2.0, 600)
        np.testing.assert_allclose(of["class02"][i], expected, atol=1e-6)


def test_triplets_keep_the_sides_that_tell_classes_apart(tmp_path: Path) -> None:
    path = tmp_path / "peaks.csv"
    rows = [f"{c},{100 + 10 * c},1\n{c},500,0.5" for c in range(27)]
    path.write_text("class,position,height\n" + "\n".join(rows) + "\n")
    s = simulate("class-table", table=str(path), channels=600, draw="triplets", grid_height=0.03)
    assert len(s) == 27 * 6

    def seen(c: int) -> set[tuple[int, float]]:
        x = s.intensities[s.groups == f"class{c:02d}"]
        return {
            (int(row[: 100 + 10 * c + 40].argmax()) - 100 - 10 * c, round(float(row[460:].max()) - 0.5, 2)) for row in x
        }

    every = [0.0, 0.03, -0.03]
    assert seen(4) == {(m, h) for m in (0, -30, 30) for h in (0.0, -0.03)}
    assert [seen(c) for c in (9, 10, 11)] == [
        {(m, h) for m in own for h in every} for own in ((0, 30), (-30, 30), (0, -30))
    ]
    assert [seen(c) for c in (18, 19, 20)] == [
        {(m, h) for m in (0, -30, 30) for h in own} for own in ((0.0, 0.03), (-0.03, 0.03), (0.0, -0.03))
    ]


def test_fewer_classes_or_spectra_are_the_first_of_more() -> None:
    more = simulate("class-table", **SMALL)
    fewer = simulate("class-table", **{**SMALL, "classes": 3, "spectra": 2})
    first = np.concatenate([np.arange(2) + 6 * c for c in range(3)])
    np.testing.assert_array_equal(fewer.intensities, more.intensities[first])


def test_drawn_classes_are_apart_and_inside_the_margins() -> None:
    table = draw_table(Settings(classes=150))
    assert {p.position.size for p in table} <= set(range(2, 11))
    assert all(p.position[0] >= 100 and p.position[-1] < 4900 and p.height.max() == 1.0 for p in table)
    for i, a in enumerate(table):
        for b in table[:i]:
            assert a.position.size != b.position.size or np.abs(a.position - b.position).max() >= 100
    assert len(draw_table(Settings(classes=150, class_distance=0))) == 150


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"draw": "some"}, "random, grid or triplets"),
        ({"sigma_low": 6.0}, "above sigma_high"),
        ({"channels": 150}, "leaves no room"),
        ({"channels": 240, "classes": 40}, "no room for class"),
        ({"draw": "grid", "narrow_shift": "8=17"}, "narrow_shift '8=17'"),
    ],
)
def test_settings_that_cannot_be_met_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        simulate("class-table", **given)


def test_a_table_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        simulate("class-table", table=str(tmp_path / "none.csv"))
    path = tmp_path / "peaks.csv"
    path.write_text("class,position\n1,2\n")
    with pytest.raises(InputError, match="no column height"):
        read_table(path)
    path.write_text("class,position,height\n1,2,three\n")
    with pytest.raises(InputError, match="line 2"):
        read_table(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"class,position,height\n", "holds no peaks below its heading"),
        (b"", "holds no peaks"),
        (b"class,position,height\na,3,0\na,5,-1\n", "class 'a': no height is above 0"),
        (b"class,position,height\na,3,nan\n", "line 2: position and height are numbers"),
        (b"class,position,height\na,inf,1\n", "line 2: position and height are numbers"),
    ],
)
def test_tables_that_hold_no_spectrum_are_refused(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "peaks.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_table(path)


def test_tables_as_other_programs_write_them(tmp_path: Path) -> None:
    path = tmp_path / "peaks.csv"
    path.write_text("class,position,height\r\nBär,3,2\r\n", encoding="utf-8-sig")
    assert [(p.name, p.height.tolist()) for p in read_table(path)] == [("Bär", [1.0])]
    broken = tmp_path / "peaks.csv.gz"
    broken.write_bytes(gzip.compress(TABLE.encode())[:-12])
    with pytest.raises(InputError, match="cannot be read"):
        read_table(broken)
