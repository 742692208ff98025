"""Whose spectrum is it, and what is in the mixture: the universal synthetic benchmark and unseen compounds.

Run: ``python -m benchmarks.identification [--parts …] [--table FILE] [--classes 500] [--out FILE.jsonl] …``. Parts:

- ``full``, ``part40``, ``part10``: accuracy on the test grid with all, 40 % and 10 % of the training spectra; the last
  with the configuration chosen for few spectra of a class, which has its own number of epochs;
- ``new``: 400 of 500 classes trained (the same share of fewer), the others identified by a gallery of their training
  spectra; as unknown classes they are rejected below a threshold set on validation spectra of the known ones;
- ``mixtures``: 1,000 mixtures of 2, 3 and 4 spectra of the test grid with the model of ``full``, components found by
  beam search over sums of what mixtures of training spectra say that classes add (``beam_k``) and over sums of class
  centres (``centres_k``), by non-negative least squares and, for a share of them, by listing everything; order known or
  chosen;
- ``challenge`` (needs ``--challenge``): 27 classes made hard, beside a matcher that knows the test's shifts;
- ``compounds`` (needs ``--compounds``): mass spectra of compounds that training did not see, against library search.

Each part and seed is a line of the file; what stands there with the same options is not run again. Without ``--table``
classes are drawn by the simulator.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._components import components
from benchmarks._identifying import (
    CHALLENGE,
    CLASSES,
    COMPOUNDS,
    FEW,
    Drawn,
    Model,
    challenge,
    configured,
    drawn,
    templates,
    train,
)
from spectrosim_search.baselines.classifiers import ClassInput
from spectrosim_search.config import registry
from spectrosim_search.evaluation.identification import Gallery, open_set, rejection_threshold
from spectrosim_search.evaluation.mixing import PER_CLASS
from spectrosim_search.search.programs import identify
from spectrosim_search.spectra.readers import read

PARTS = ("full", "part40", "part10", "new", "mixtures", "challenge", "compounds")
RIVALS = ("nearest-cosine", "nearest-weighted-cosine", "nearest-spectral-entropy")
Found = dict[str, float | list[float]]


class Benchmark:
    """The parts, each from a seed to what it found."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.configuration = configured(CLASSES, given.epochs)

    def _drawn(self, seed: int) -> Drawn:
        return drawn(self.given.table, self.given.classes, self.given.spectra, seed)

    def share(self, seed: int, share: float, document: Mapping[str, Any] = CLASSES) -> Found:
        """Accuracy on the test grid after training on the first `share` of each class's spectra."""
        data = self._drawn(seed)
        place = np.arange(len(data.train)) % self.given.spectra
        some = data.train.select(place < max(2, round(share * self.given.spectra)))
        c = configured(document, self.given.epochs)
        # a smaller set is seen more often, so that every share takes as many steps, ten times the epochs at most
        times = min(10, max(1, round(1 / share)))
        c = replace(c, training=replace(c.training, epochs=c.training.epochs * times))
        model = train(c, some, Drawn.codes(some), seed, self.given.device)
        if share == 1.0:
            model.save(self._stored(seed))
        known = identify.gallery(model.parameters)
        z, truth = model.embed(data.test.intensities), Drawn.codes(data.test)
        epochs = c.training.epochs
        return {
            "centroid": right(known.scores(z), truth),
            "nearest": right(known.scores(z, "nearest"), truth),
            "train": len(some),
            "test": truth.size,
            "epochs": epochs,
            "processor_seconds": model.seconds,
            "spectra_a_second": len(some) * epochs / model.seconds,
            "full_sets_an_hour": 3600
            * len(some)
            * epochs
            / model.seconds
            / (25_000 * self.configuration.training.epochs),
        }

    def _stored(self, seed: int) -> Path:
        where = Path(self.given.out)
        return where.with_name(f"{where.stem}-{self.given.classes}-{self.given.spectra}-{seed}.npz")

    def new(self, seed: int) -> Found:
        """Classes that training did not see: identified by their own gallery, rejected as unknown without it."""
        data = self._drawn(seed)
        train_codes, test_codes = Drawn.codes(data.train), Drawn.codes(data.test)
        count = int(train_codes.max()) + 1
        unseen = np.isin(np.arange(count), np.random.default_rng([seed, 0x4E]).permutation(count)[: max(2, count // 5)])
        number = np.where(unseen, np.cumsum(unseen), np.cumsum(~unseen)) - 1  # of a class among its own kind
        some = data.train.select(~unseen[train_codes])
        model = train(self.configuration, some, number[train_codes[~unseen[train_codes]]], seed, self.given.device)
        known = identify.gallery(model.parameters)
        gallery = data.train.select(unseen[train_codes])
        own = Gallery(model.embed(gallery.intensities), number[train_codes[unseen[train_codes]]])
        z = model.embed(data.test.intensities)
        new, old = z[unseen[test_codes]], z[~unseen[test_codes]]
        new_truth, old_truth = number[test_codes[unseen[test_codes]]], number[test_codes[~unseen[test_codes]]]
        validation = data.validation.select(~unseen[Drawn.codes(data.validation)])
        threshold = rejection_threshold(known.scores(model.embed(validation.intensities)).max(axis=1), 0.95)
        judged = open_set(known.scores(old).max(axis=1), known.scores(new).max(axis=1), threshold)
        return {
            "new_centroid": right(own.scores(new), new_truth),
            "new_nearest": right(own.scores(new, "nearest"), new_truth),
            "known_centroid": right(known.scores(old), old_truth),
            "auroc": judged.auroc,
            "known_kept": judged.kept,
            "unknown_rejected": judged.rejected,
            "classes_trained": int((~unseen).sum()),
            "classes_new": int(unseen.sum()),
        }

    def mixtures(self, seed: int) -> Found:
        """Components of mixtures of test spectra, with the model of the part ``full``."""
        data = self._drawn(seed)
        if not self._stored(seed).is_file():
            raise SystemExit("mixtures need the model that part full stores: run that first with the same options")
        model = Model.load(self._stored(seed), self.configuration, data.train)
        given = self.given
        return components(
            model, data, seed, count=given.mixtures, rivals=given.rivals, listed=given.listed, per_class=given.mixing
        )

    def challenge(self, seed: int) -> Found:
        """27 classes that are hard on purpose, by kind: minor peaks, positions, heights."""
        data = challenge(self.given.challenge, seed)
        c = configured(CHALLENGE, self.given.challenge_epochs)
        model = train(c, data.train, Drawn.codes(data.train), seed, self.given.device)
        known, truth = identify.gallery(model.parameters), Drawn.codes(data.test)
        table = known.scores(model.embed(data.test.intensities))
        ok = table.argmax(axis=1) == truth
        out: Found = {
            "centroid": float(ok.mean()),
            "by_kind": [float(ok[truth // 9 == kind].mean()) for kind in range(3)],
            "nearest": right(known.scores(model.embed(data.test.intensities), "nearest"), truth),
            "processor_seconds": model.seconds,
        }
        for power in (1.0, 0.25):
            named = templates(self.given.challenge, data.test, power=power) == truth
            out[f"templates_power_{power:g}"] = float(named.mean())
            out[f"templates_power_{power:g}_by_kind"] = [float(named[truth // 9 == kind].mean()) for kind in range(3)]
        return out

    def compounds(self, seed: int) -> Found:
        """A third of the compounds unseen in training: half of their spectra are the gallery, the others are asked."""
        spectra = read(self.given.compounds)
        rng = np.random.default_rng([seed, 0xC0])
        units = np.where(spectra.split != "", spectra.split, spectra.groups)
        names = np.unique(units)
        unseen = np.isin(units, rng.permutation(names)[: names.size // 3])
        some = spectra.select(~unseen)
        model = train(
            configured(COMPOUNDS, self.given.compounds_epochs), some, Drawn.codes(some), seed, self.given.device
        )
        rest = spectra.select(unseen)
        codes, key = Drawn.codes(rest), rng.random(int(unseen.sum()))
        place = np.empty(codes.size, dtype=np.int64)
        for code in range(int(codes.max()) + 1):
            own = np.flatnonzero(codes == code)
            place[own[np.argsort(key[own])]] = np.arange(own.size) * 2 // own.size  # 0: gallery, 1: asked
        known, asked = np.flatnonzero(place == 0), np.flatnonzero(place == 1)
        gallery = Gallery(model.embed(rest.intensities[known]), codes[known])
        z = model.embed(rest.intensities[asked])
        out: Found = {
            "centroid": right(gallery.scores(z), codes[asked]),
            "nearest": right(gallery.scores(z, "nearest"), codes[asked]),
            "compounds": int(codes.max()) + 1,
            "asked": asked.size,
        }
        library = ClassInput(
            rest,
            known,
            asked,
            np.where(place == 0, codes, -1),
            np.where(place == 0, np.arange(codes.size), -1),
            tuple(np.unique(rest.groups).tolist()),
        )
        for rival in RIVALS:
            out[rival] = float(
                (registry.load("baselines.classifiers", rival).fit(library).predicted == codes[asked]).mean()
            )
        return out

    def parts(self) -> Mapping[str, Callable[[int], Found]]:
        """What can be run."""
        return {
            "full": lambda seed: self.share(seed, 1.0),
            "part40": lambda seed: self.share(seed, 0.4),
            "part10": lambda seed: self.share(seed, 0.1, FEW),
            "new": self.new,
            "mixtures": self.mixtures,
            "challenge": self.challenge,
            "compounds": self.compounds,
        }


def right(scores: NDArray[np.float32], truth: NDArray[np.int64]) -> float:
    """Accuracy of scores ``(q, C)``."""
    return float((scores.argmax(axis=1) == truth).mean())


def options(given: argparse.Namespace, part: str) -> dict[str, object]:
    """What a line depends on, the identity of its configuration included."""
    document = {"challenge": CHALLENGE, "compounds": COMPOUNDS, "part10": FEW}.get(part, CLASSES)
    own = {"challenge": ("challenge", "challenge_epochs"), "compounds": ("compounds", "compounds_epochs")}
    names = own.get(
        part,
        (
            "table",
            "classes",
            "spectra",
            "epochs",
            *(("mixtures", "rivals", "listed", "mixing") if part == "mixtures" else ()),
        ),
    )
    out: dict[str, object] = {"configuration": configured(document).identity}
    for name in names:
        value = getattr(given, name)
        out[name] = Path(value).parent.name if isinstance(value, str) else value  # the folder names a set
    return out


def run(given: argparse.Namespace) -> list[dict[str, object]]:
    """Run what does not stand in the file; return the lines asked for."""
    import torch

    torch.set_num_threads(given.threads)
    out = Path(given.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.loads(x) for x in out.read_text().splitlines() if x.endswith("}")] if out.is_file() else []
    parts = Benchmark(given).parts()
    asked: list[dict[str, object]] = []
    for part in given.parts:
        for seed in range(given.first, given.first + given.seeds):
            head = {"part": part, "seed": seed, "options": options(given, part)}
            line = next((x for x in lines if {k: x.get(k) for k in head} == head), None)
            if line is None:
                line = {**head, "found": parts[part](seed)}
                with out.open("a") as file:
                    file.write(json.dumps(line) + "\n")
                print(json.dumps(line), flush=True)
            asked.append(line)
    return asked


def summary(lines: Sequence[Mapping[str, object]]) -> str:
    """Means over seeds, with the spread."""
    text = []
    for part in dict.fromkeys(str(x["part"]) for x in lines):
        found = [x["found"] for x in lines if x["part"] == part]
        assert all(isinstance(f, dict) for f in found)
        text.append(f"{part} ({len(found)} seeds)")
        for key in found[0]:  # type: ignore[index]
            table = np.array([f[key] for f in found], dtype=np.float64)  # type: ignore[index]
            mean, spread = np.atleast_1d(table.mean(axis=0)), np.atleast_1d(table.std(axis=0))
            text.append(f"  {key}: " + " / ".join(f"{m:.4g} ± {s:.2g}" for m, s in zip(mean, spread, strict=True)))
    return "\n".join(text)


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    out = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    out.add_argument("--parts", nargs="+", choices=PARTS, default=["full", "part40", "part10", "new", "mixtures"])
    out.add_argument("--table", default="", help="peaks of the classes; empty: drawn")
    out.add_argument("--challenge", default="", help="peaks of the challenge set")
    out.add_argument("--compounds", default="", help="table of mass spectra with groups")
    out.add_argument("--classes", type=int, default=500)
    out.add_argument("--spectra", type=int, default=50)
    out.add_argument("--epochs", type=int, default=0, help="0: those of the benchmark's configuration")
    out.add_argument("--challenge-epochs", type=int, default=0)
    out.add_argument("--compounds-epochs", type=int, default=0)
    out.add_argument("--mixtures", type=int, default=1000, help="of each order")
    out.add_argument("--mixing", type=int, default=PER_CLASS, help="training mixtures of each order for each class")
    out.add_argument("--rivals", type=int, default=1000, help="mixtures that least squares are asked about")
    out.add_argument("--listed", type=int, default=200, help="mixtures of 3 and 4 compared with listing everything")
    out.add_argument("--seeds", type=int, default=1)
    out.add_argument("--first", type=int, default=0, help="first seed")
    out.add_argument("--device", default="cpu")
    out.add_argument("--threads", type=int, default=1)
    out.add_argument("--out", default="runs/identification.jsonl")
    return out


def main() -> None:
    given = parser().parse_args()
    for part in ("challenge", "compounds"):
        if part in given.parts and not getattr(given, part):
            raise SystemExit(f"part {part} needs --{part} FILE")
    print(summary(run(given)))


if __name__ == "__main__":
    main()
