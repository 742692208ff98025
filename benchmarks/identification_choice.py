"""Which configuration the identification benchmark uses: chosen on validation spectra, the test grid is never drawn.

Run: ``python -m benchmarks.identification_choice --table FILE [--classes 100] [--out FILE.jsonl] …``.

Twelve candidates, the first of them and eleven that differ from it in one respect, are trained alike on `--spectra`
spectra of every class. Each is judged on validation spectra, drawn as training spectra are, by one number laid down
before anything was trained: the mean, over 1, 2, 3 and 4 components, of the share of spectra and mixtures all of whose
classes are named (nearest class centre, beam search; order known). Candidates and seeds already in `--out` are not
trained again.

``--few`` chooses for five spectra of a class, among candidates of its own that differ in augmentations. What counts
there, laid down before anything was trained, is the mean of two shares of single validation spectra named
rightly: by the nearest training spectrum and by the nearest class centre.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._candidates import CHANGES, FEW_CHANGES, document, few_document
from benchmarks._identifying import VALIDATION, Drawn, configured, train
from spectrosim_search.evaluation.mixtures import at_least, draw_mixtures, mixed, name_components
from spectrosim_search.search.programs import identify
from spectrosim_search.spectra.simulators import simulate

ORDERS = (1, 2, 3, 4)


def settled(given: argparse.Namespace) -> argparse.Namespace:
    """The options with what depends on ``--few`` filled in. Raises SystemExit for a candidate of the other choice."""
    spectra, epochs, changes = (5, 0, FEW_CHANGES) if given.few else (20, 12, CHANGES)
    out = argparse.Namespace(**vars(given))
    out.candidates = list(changes) if given.candidates is None else given.candidates
    out.spectra = spectra if given.spectra is None else given.spectra
    out.epochs = epochs if given.epochs is None else given.epochs
    out.held = given.held or out.spectra
    unknown = [name for name in out.candidates if name not in changes]
    if unknown:
        raise SystemExit(f"no candidate {', '.join(unknown)}; there are: {', '.join(changes)}")
    return out


def judge(candidate: str, seed: int, given: argparse.Namespace) -> dict[str, float]:
    """Train a candidate and name validation spectra, without ``--few`` their mixtures too."""
    common: dict[str, Any] = {"table": given.table, "classes": given.classes}
    spectra = simulate("class-table", seed=seed, spectra=given.spectra, **common)
    held = simulate("class-table", seed=seed + VALIDATION, spectra=given.held, **common)
    wanted = (few_document if given.few else document)(candidate)
    model = train(configured(wanted, given.epochs), spectra, Drawn.codes(spectra), seed, given.device)
    known, codes = identify.gallery(model.parameters), Drawn.codes(held)
    found: dict[str, float] = {}
    if given.few:
        z = model.embed(held.intensities)
        found["nearest"] = float((known.scores(z, "nearest").argmax(axis=1) == codes).mean())
        found["centroid"] = float((known.scores(z).argmax(axis=1) == codes).mean())
    else:
        for order in ORDERS:
            rows = draw_mixtures(codes, order, given.mixtures, seed) if order > 1 else np.arange(codes.size)[:, None]
            sets, _ = name_components(model.embed(mixed(held.intensities, rows)), known.centroids, order)
            found[f"all_right_{order}"] = float(at_least(sets[-1], codes[rows])[-1])
    found["criterion"] = float(np.mean(list(found.values())))
    return {**found, "processor_seconds": model.seconds}


def run(given: argparse.Namespace) -> list[dict[str, Any]]:
    """Judge what does not stand in the file; return the lines asked for, seed by seed."""
    import torch

    torch.set_num_threads(given.threads)
    if not given.table:
        raise SystemExit("give --table FILE: without it every seed draws classes of its own")
    given = settled(given)
    out = Path(given.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.loads(x) for x in out.read_text().splitlines() if x.endswith("}")] if out.is_file() else []
    asked: list[dict[str, Any]] = []
    for seed in range(given.first, given.first + given.seeds):
        for candidate in given.candidates:
            head: dict[str, Any] = {"candidate": candidate, "seed": seed, "table": Path(given.table).parent.name}
            head |= {name: getattr(given, name) for name in ("classes", "spectra", "epochs")}
            head |= {"mixtures": 0 if given.few else given.mixtures}
            # as many validation spectra as training spectra, as ever, go without saying
            head |= {"held": given.held} if given.held != given.spectra else {}
            head["configuration"] = configured((few_document if given.few else document)(candidate)).identity
            line = next((x for x in lines if {k: x.get(k) for k in head} == head), None)
            if line is None:
                line = {**head, "found": judge(candidate, seed, given)}
                with out.open("a") as file:
                    file.write(json.dumps(line) + "\n")
                print(json.dumps(line), flush=True)
            asked.append(line)
    return asked


def ranked(lines: Sequence[Mapping[str, Any]]) -> list[tuple[str, dict[str, float]]]:
    """Candidates with their means over seeds, best criterion first; of equals the one named first."""
    names = list(dict.fromkeys(str(x["candidate"]) for x in lines))
    table = {
        n: {k: float(np.mean([x["found"][k] for x in lines if x["candidate"] == n])) for k in lines[0]["found"]}
        for n in names
    }
    return sorted(table.items(), key=lambda item: -round(item[1]["criterion"], 9))


def summary(lines: Sequence[Mapping[str, Any]]) -> str:
    """A Markdown table, best first."""
    shares = [key for key in lines[0]["found"] if key not in ("criterion", "processor_seconds")]
    text = ["| candidate | criterion | " + " | ".join(k.replace("_", " ") for k in shares) + " | processor seconds |"]
    text.append("|---" * (len(shares) + 3) + "|")
    for name, found in ranked(lines):
        row = " | ".join(f"{found[key]:.4f}" for key in shares)
        text.append(f"| {name} | {found['criterion']:.4f} | {row} | {found['processor_seconds']:.0f} |")
    return "\n".join(text)


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    out = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    out.add_argument("--table", default="", help="peaks of the classes")
    out.add_argument("--few", action="store_true", help="choose for few spectra of a class")
    out.add_argument("--candidates", nargs="+", help="some of them; all by default")
    out.add_argument("--classes", type=int, default=100)
    out.add_argument("--spectra", type=int, help="of each class; 20, with --few 5")
    out.add_argument("--held", type=int, default=0, help="validation spectra of each class; 0: as many as --spectra")
    out.add_argument("--epochs", type=int, help="12; 0: the candidate's own, so with --few")
    out.add_argument("--mixtures", type=int, default=1000, help="of each order")
    out.add_argument("--seeds", type=int, default=1)
    out.add_argument("--first", type=int, default=0, help="first seed")
    out.add_argument("--device", default="cpu")
    out.add_argument("--threads", type=int, default=1)
    out.add_argument("--out", default="runs/identification-choice.jsonl")
    return out


def main() -> None:
    print(summary(run(parser().parse_args())))


if __name__ == "__main__":
    main()
