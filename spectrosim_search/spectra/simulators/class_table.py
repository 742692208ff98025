"""Spectra of classes that a table of peaks defines: the universal synthetic benchmark of spectroscopic classifiers.

Every class is a list of ideal peaks. A spectrum moves each of them along the axis and changes its height, blurs the
sticks with one Gaussian and is scaled to a maximum of 1 (Schuetzke, Szymanski and Reischl, npj Comput. Mater. 9:100,
2023, doi:10.1038/s41524-023-01055-y). What their test spectra are is no matter of chance: all peaks moved together by
one of three amounts, with one of three changes of height. A table can be read from a file (columns class, position,
height) or is drawn by the rule of the published one: 2 + a gamma variate of peaks, anywhere on the axis, of any height.

Each class draws from its own random streams, spectrum after spectrum: the first classes of a table and the first
spectra of a class are the same however many are asked for.
"""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import ConfigurationError, InputError
from spectrosim_search.config.fields import field
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["Peaks", "Settings", "draw_table", "read_table", "render", "simulate"]

Floats = NDArray[np.float64]
_REACH = 4.0  # widths of a peak on either side of its centre that are drawn
_PLACES, _HEIGHTS, _WIDTHS, _TABLE = range(4)  # random streams
_TRIES = 1000  # a class that resembles an earlier one is drawn again so often at most


@dataclass(frozen=True, eq=False)
class Peaks:
    """Ideal peaks of one class, by rising position; the highest has height 1."""

    name: str
    position: Floats  # (K,) channels
    height: Floats  # (K,)


@dataclass(frozen=True)
class Settings:
    """Parameters of the simulator."""

    seed: int = field(0, "seed of the spectra and of a drawn table", low=0)
    table: str = field("", "file of the peaks (columns class, position, height; .gz is read too); empty: drawn")
    classes: int = field(100, "classes drawn, or of a file the first so many at most", low=1, high=100000)
    spectra: int = field(50, "spectra of a class, where they are drawn at random", low=1, high=100000)
    channels: int = field(5000, "points of a spectrum", low=16, high=200000)
    shift: int = field(50, "a peak moves by a whole number of channels from minus this to this - 1", low=0, high=10000)
    height: float = field(0.05, "a height changes by up to this, relative to the highest ideal peak", low=0.0, high=1.0)
    keep_highest: bool = field(False, "the highest peak of a class keeps its height")
    sigma_low: float = field(2.0, "smallest width of the blur", unit="channels", low=0.1, high=1000.0)
    sigma_high: float = field(5.0, "largest width of the blur", unit="channels", low=0.1, high=1000.0)
    draw: str = field(
        "random",
        "random: each peak varies by itself; grid: 9 spectra a class, 3 common shifts x 3 changes of height, smallest "
        "blur; triplets: 6 of the 9, those that keep classes 3n, 3n + 1, 3n + 2 of the challenge set apart",
    )
    grid_shift: int = field(30, "common shift of a grid's spectra to either side", unit="channels", low=0, high=10000)
    grid_height: float = field(0.04, "change of a grid's heights to either side, but of the highest", low=0.0, high=1.0)
    narrow_shift: str = field("", "classes with another grid_shift, as '8:17,318:17'")
    narrow_height: str = field("", "classes with another grid_height, as '164:0.025'")
    margin: int = field(100, "no peak of a drawn table is nearer to an end of the axis", low=0, high=10000)
    peaks_high: int = field(10, "most peaks of a drawn class; 2 at least", low=2, high=100)
    class_distance: int = field(
        100,
        "two drawn classes of equally many peaks have one pair of them at least so far apart; 0: as it comes",
        unit="channels",
        low=0,
        high=10000,
    )


def read_table(path: str | Path, most: int = 0) -> tuple[Peaks, ...]:
    """Return the classes of a file in order of their names (numbers by value), the first `most` or all (0).

    Raises InputError where the file cannot be read, lacks a column, holds no peak, a value is no number, or no peak of
    a class is above 0.
    """
    where = Path(path)
    try:
        opener = gzip.open if where.suffix == ".gz" else open
        with opener(where, "rt", encoding="utf-8-sig", newline="") as text:
            rows = list(csv.DictReader(text))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"table of classes '{path}' cannot be read: {error}") from error
    if not rows:
        raise InputError(f"table of classes '{path}' holds no peaks below its heading")
    missing = {"class", "position", "height"} - set(rows[0])
    if missing:
        raise InputError(f"table of classes '{path}': no column {', '.join(sorted(missing))}")
    found: dict[str, list[tuple[float, float]]] = {}
    for line, row in enumerate(rows, start=2):
        try:
            peak = float(row["position"]), float(row["height"])
        except (TypeError, ValueError):
            peak = math.nan, math.nan
        if not all(map(math.isfinite, peak)):
            raise InputError(f"table of classes '{path}', line {line}: position and height are numbers")
        found.setdefault(row["class"], []).append(peak)
    for name, peaks in found.items():
        if max(height for _, height in peaks) <= 0:
            raise InputError(f"table of classes '{path}', class '{name}': no height is above 0")
    names = sorted(found, key=lambda n: (not n.isdigit(), int(n) if n.isdigit() else 0, n))
    return tuple(_peaks(name, np.array(found[name])) for name in (names[:most] if most else names))


def _peaks(name: str, table: Floats) -> Peaks:
    ordered = table[np.argsort(table[:, 0], kind="stable")]
    return Peaks(name, ordered[:, 0], ordered[:, 1] / ordered[:, 1].max())


def draw_table(settings: Settings) -> tuple[Peaks, ...]:
    """Draw classes by the published rule: round(2 + gamma(1.2, 1.2)) peaks, places and heights uniform.

    Unlike there, a class too like an earlier one (`class_distance`) is drawn again. Raises ConfigurationError where the
    axis has no room for so many classes or for the margins.
    """
    s = settings
    low, high = s.margin, s.channels - s.margin
    if high - low < s.peaks_high:
        raise ConfigurationError(
            [f"simulator 'class-table': margin {s.margin} leaves no room on {s.channels} channels"]
        )
    rng = np.random.default_rng([s.seed, _TABLE])
    out: list[Peaks] = []
    known: dict[int, list[Floats]] = {}
    for number in range(s.classes):
        for _ in range(_TRIES):
            count = min(s.peaks_high, round(2 + rng.gamma(1.2, 1.2)))
            place = np.sort(rng.choice(np.arange(low, high), count, replace=False)).astype(np.float64)
            tall = np.round(rng.integers(1, 100, count, endpoint=True) / 100, 3)
            like = np.array(known.get(count, [])).reshape(-1, count)
            if not s.class_distance or (np.abs(like - place).max(axis=1, initial=0.0) >= s.class_distance).all():
                break
        else:
            raise ConfigurationError(
                [f"simulator 'class-table': no room for class {number + 1} at class_distance {s.class_distance}"]
            )
        known.setdefault(count, []).append(place)
        out.append(Peaks(str(number), place, tall / tall.max()))
    return tuple(out)


def render(position: Floats, height: Floats, sigma: Floats, channels: int) -> NDArray[np.float32]:
    """Return spectra ``(n, L)`` of peaks: channel `position` ``(n, K)``, `height` ``(n, K)``, width `sigma` ``(n,)``.

    Each is scaled to a maximum of 1; places beyond the ends are brought to them.
    """
    n = position.shape[0]
    centre = np.clip(np.rint(position), 0, channels - 1).astype(np.int64)
    reach = np.arange(-int(_REACH * sigma.max(initial=0.0) + 0.5), int(_REACH * sigma.max(initial=0.0) + 0.5) + 1)
    shape = np.exp(-0.5 * (reach / sigma[:, None]) ** 2) * (np.abs(reach) <= np.floor(_REACH * sigma[:, None] + 0.5))
    place = centre[:, :, None] + reach
    inside = (place >= 0) & (place < channels)
    flat = np.arange(n)[:, None, None] * channels + np.where(inside, place, 0)
    value = np.where(inside, height[:, :, None] * shape[:, None, :], 0.0)
    out = np.bincount(flat.ravel(), value.ravel(), minlength=n * channels).reshape(n, channels)
    top = out.max(axis=1, keepdims=True)
    return np.asarray(out / np.where(top > 0, top, 1.0), dtype=np.float32)


def _random(s: Settings, number: int, peaks: Peaks) -> tuple[Floats, Floats, Floats]:
    """Positions and heights ``(n, K)`` and widths ``(n,)`` of one class, drawn."""
    rng = [np.random.default_rng([s.seed, number, stream]) for stream in (_PLACES, _HEIGHTS, _WIDTHS)]
    shape = (s.spectra, peaks.position.size)
    moved = rng[0].integers(-s.shift, s.shift, shape) if s.shift else np.zeros(shape)
    change = rng[1].uniform(-s.height, s.height, shape)
    if s.keep_highest:
        change = np.where(peaks.height == 1.0, 0.0, change)
    width = rng[2].uniform(s.sigma_low, s.sigma_high, s.spectra)
    return peaks.position + moved, np.clip(peaks.height + change, 0.0, 2.0), width


def _cells(s: Settings, number: int) -> list[tuple[int, int]]:
    """Signs of shift and height of a class's fixed spectra, in the published order."""
    shifts, heights = [0, -1, 1], [0, 1, -1]
    if s.draw == "triplets":
        kind, member = divmod(number, 9)[0], number % 3
        if kind == 0:
            heights = [0, -1]  # a minor peak may nearly vanish
        elif kind == 1:
            shifts = [[0, 1], [-1, 1], [0, -1]][member]
        else:
            heights = [[0, 1], [-1, 1], [0, -1]][member]
    return [(shift, height) for height in heights for shift in shifts]


def _fixed(s: Settings, number: int, peaks: Peaks, shift: float, height: float) -> tuple[Floats, Floats, Floats]:
    signs = np.array(_cells(s, number), dtype=np.float64)
    change = np.where(peaks.height == 1.0, 0.0, signs[:, 1:] * height)
    place = peaks.position + signs[:, :1] * shift
    return place, np.clip(peaks.height + change, 0.0, 2.0), np.full(signs.shape[0], s.sigma_low)


def _narrow(name: str, text: str) -> Mapping[str, float]:
    """Read 'class:value,class:value'."""
    try:
        return {part.split(":")[0].strip(): float(part.split(":")[1]) for part in text.split(",") if part.strip()}
    except (ValueError, IndexError) as error:
        raise ConfigurationError([f"simulator 'class-table': {name} '{text}' is not like '8:17,318:17'"]) from error


def simulate(settings: Settings) -> SpectraSet:
    """Simulate one set of spectra; the group of a spectrum is its class, the axis counts channels.

    The ideal peaks are those of :func:`read_table` or :func:`draw_table`; `truth` stays empty, for that is what the
    oracle of processing batches knows. Raises InputError for a file that cannot be read and ConfigurationError for
    settings that contradict each other.
    """
    s = settings
    problems = []
    if s.draw not in ("random", "grid", "triplets"):
        problems.append(f"simulator 'class-table': draw is '{s.draw}', expected random, grid or triplets")
    if s.sigma_low > s.sigma_high:
        problems.append(f"simulator 'class-table': sigma_low {s.sigma_low:g} is above sigma_high {s.sigma_high:g}")
    if problems:
        raise ConfigurationError(problems)
    table = read_table(s.table, s.classes) if s.table else draw_table(s)
    shifts, heights = _narrow("narrow_shift", s.narrow_shift), _narrow("narrow_height", s.narrow_height)
    pieces, counts = [], []
    for number, peaks in enumerate(table):
        if s.draw == "random":
            drawn = _random(s, number, peaks)
        else:
            own = shifts.get(peaks.name, float(s.grid_shift)), heights.get(peaks.name, s.grid_height)
            drawn = _fixed(s, number, peaks, *own)
        pieces.append(render(*drawn, s.channels))
        counts.append(pieces[-1].shape[0])
    width = max(len(p.name) for p in table)
    names = np.array([f"class{p.name.zfill(width)}" for p in table])
    of = np.repeat(np.arange(len(table)), counts)
    place = np.arange(of.size) - np.repeat(np.cumsum(counts) - counts, counts) + 1
    return SpectraSet(
        intensities=np.concatenate(pieces),
        axis=np.arange(s.channels, dtype=np.float64),
        axis_unit="channel",
        sample_ids=np.array([f"{names[c]}_{p}" for c, p in zip(of, place, strict=True)]),
        groups=names[of],
        labels=np.array([f"{p.position.size} peaks" for p in table])[of],
        split=np.full(of.size, "", dtype="<U1"),
        name=f"class-table-{s.seed}",
    )
