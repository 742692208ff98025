"""What learning from mixtures of training spectra is worth, and how little ridge and shrinkage matter to it.

    python -m benchmarks.mixing classes --table FILE --model runs/identification-500-50-3.npz --seed 3
    python -m benchmarks.mixing spectra --data FILE [--splits 2]

`classes`: the universal synthetic benchmark with a model that `benchmarks.identification --parts full` stored, mixtures
of *validation* spectra. `spectra`: any table with groups; a third of every group's spectra is mixed and judged (of mass
spectra whole blocks of near-duplicates), three encoders learn from the others. Shown: the share of mixtures of 2, 3 and
4 with all components right, by sums of class centres and by what mixtures of training spectra teach.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._identifying import CLASSES, COMPOUNDS, Drawn, Model, configured, drawn, train
from spectrosim_search.evaluation.mixing import ORDERS, PER_CLASS, RIDGE, SHRINKAGE, fit_mixing, practised
from spectrosim_search.evaluation.mixtures import at_least, draw_mixtures, mixture_spectra, name_components
from spectrosim_search.search.programs import identify
from spectrosim_search.spectra.near_duplicates import with_blocks
from spectrosim_search.spectra.readers import read

_Codes = NDArray[np.int64]
_Spectra = NDArray[np.float32]
Shares = dict[str, list[float]]

_MASSES: Mapping[str, Any] = {"intensity": "sqrt", "scale": "none"}
_ONCE: Mapping[str, Any] = {"epochs": 1, "batch_size": 64}
ENCODERS: Mapping[str, Mapping[str, Any]] = {
    "whitened, 60 axes, hardly trained": {
        "preprocessing": _MASSES,
        "encoder": {"type": "whitened", "components": 60, "shrinkage": 0.1},
        "head": {"type": "identity"},
        "objective": {"type": "supcon", "temperature": 0.1},
        "optimiser": {"learning_rate": 1e-6},
        "training": _ONCE,
    },
    "whitened, 150 axes, trained": COMPOUNDS,
    "cnn, trained with superpose": {
        "preprocessing": _MASSES,
        "encoder": {"type": "cnn", "width": 32, "out": 128},
        "head": {"type": "identity"},
        "objective": {"type": "supcon", "temperature": 0.1},
        "positives": {"source": "both"},
        "augmentations": {"superpose": {"probability": 0.5}, "shot-noise": {}},
        "optimiser": {"learning_rate": 0.002},
        "training": {"batch_size": 64, "epochs": 30},
    },
}


def shares(
    model: Model,
    known: tuple[_Spectra, _Codes],
    asked: tuple[_Spectra, _Codes],
    *,
    mixtures: int,
    per_class: int,
    grid: list[tuple[float, float]],
    seed: int,
) -> Shares:
    """Name → shares with all components right; `known` and `asked`: spectra as measured and codes from 0."""
    intensities, codes = known
    centres = identify.gallery(model.parameters).centroids
    learnt = list(practised(codes, per_class, seed, lambda rows: model.embed(mixture_spectra(intensities, rows))))
    found = [fit_mixing(learnt, centres, ridge=ridge, shrinkage=shrinkage) for ridge, shrinkage in grid]
    out: Shares = defaultdict(list)
    present = np.unique(asked[1])
    places = np.searchsorted(present, asked[1])
    for order in ORDERS:
        rows = draw_mixtures(places, order, mixtures, seed)
        z, truth = model.embed(mixture_spectra(asked[0], rows)), asked[1][rows]
        out["sums of class centres"].append(float(at_least(name_components(z, centres, order)[0][-1], truth)[-1]))
        for (ridge, shrinkage), mixing in zip(grid, found, strict=True):
            named = mixing.name_components(z, order)[0][-1]
            out[f"learnt, ridge {ridge:g}, shrinkage {shrinkage:g}"].append(float(at_least(named, truth)[-1]))
    return out


def of_classes(given: argparse.Namespace) -> dict[str, Shares]:
    """The stored model of the universal benchmark."""
    data = drawn(given.table, given.classes, given.spectra, given.seed)
    model = Model.load(given.model, configured(CLASSES), data.train)
    known = data.train.intensities, Drawn.codes(data.train)
    asked = data.validation.intensities, Drawn.codes(data.validation)
    return {"stored model": shares(model, known, asked, **_options(given), seed=given.seed)}


def of_spectra(given: argparse.Namespace) -> dict[str, Shares]:
    """Means over splits of a table of spectra."""
    spectra = read(given.data)
    if spectra.axis[0] >= 1 and (np.diff(spectra.axis) == 1).all():  # bins of nominal m/z
        spectra = with_blocks(spectra)
    codes = Drawn.codes(spectra)
    units = np.where(spectra.split != "", spectra.split, spectra.sample_ids)
    out: dict[str, Shares] = {}
    for name, document in ENCODERS.items():
        runs: dict[str, list[list[float]]] = defaultdict(list)
        for split in range(given.splits):
            judged = _judged(codes, units, split)
            some = spectra.select(~judged)
            model = train(configured(document), some, Drawn.codes(some), split, "cpu")
            known = some.intensities, Drawn.codes(some)
            asked = spectra.intensities[judged], codes[judged]
            for row, found in shares(model, known, asked, **_options(given), seed=split).items():
                runs[row].append(found)
        out[name] = {row: np.mean(found, axis=0).tolist() for row, found in runs.items()}
    return out


def _judged(codes: _Codes, units: NDArray[np.str_], split: int) -> NDArray[np.bool_]:
    """A third of the units of each class, one at least; a class of one unit is never judged."""
    rng, out = np.random.default_rng([split, 0x313]), np.zeros(codes.size, dtype=np.bool_)
    for code in np.unique(codes):
        own = np.unique(units[codes == code])
        if own.size > 1:
            out |= (codes == code) & np.isin(units, rng.permutation(own)[: max(1, own.size // 3)])
    return out


def _options(given: argparse.Namespace) -> dict[str, Any]:
    grid = [(r, s) for r in sorted({RIDGE, *given.ridge}) for s in sorted({SHRINKAGE, *given.shrinkage})]
    return {"mixtures": given.mixtures, "per_class": given.per_class, "grid": grid}


def main() -> None:
    """Print one table for each encoder."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["classes", "spectra"])
    parser.add_argument("--table", default="", help="peaks of the classes; empty: drawn")
    parser.add_argument("--classes", type=int, default=500)
    parser.add_argument("--spectra", type=int, default=50, help="training spectra of a class")
    parser.add_argument("--model", type=Path, help="what the identification benchmark stored")
    parser.add_argument("--seed", type=int, default=3, help="that the model was trained with")
    parser.add_argument("--data", help="table of spectra with groups")
    parser.add_argument("--splits", type=int, default=2)
    parser.add_argument("--mixtures", type=int, default=500, help="of each order")
    parser.add_argument("--per-class", type=int, default=PER_CLASS, help="training mixtures of each order")
    parser.add_argument("--ridge", type=float, nargs="*", default=[3.0, 30.0])
    parser.add_argument("--shrinkage", type=float, nargs="*", default=[1.0, 10.0])
    given = parser.parse_args()
    needed = ("model", "classes") if given.part == "classes" else ("data", "spectra")
    if getattr(given, needed[0]) is None:
        parser.error(f"part {needed[1]} needs --{needed[0]}")
    torch.set_num_threads(1)
    for name, rows in (of_classes if given.part == "classes" else of_spectra)(given).items():
        print(name)
        for row, found in rows.items():
            print(f"  {row:36}" + "  ".join(f"{share:.3f}" for share in found), flush=True)


if __name__ == "__main__":
    main()
