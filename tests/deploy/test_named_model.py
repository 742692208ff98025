"""Models that name a class: what they answer, how fast, and models that are never right."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import numpy as np
import pytest

from spectrosim_search.deploy.document import ExportDocument
from spectrosim_search.deploy.named_model import NamedSpectra, load_named
from spectrosim_search.deploy.retrain_named import train_named
from spectrosim_search.learning.engine import single_thread
from spectrosim_search.search.plan import first_configuration
from spectrosim_search.search.run import prepare_study
from spectrosim_search.spectra.spectra_set import SpectraSet


def _misnamed() -> SpectraSet:
    """Six classes of four spectra: two alike, and two like those of another class, held out together."""
    rng = np.random.default_rng(0)
    shapes = np.eye(6).repeat(10, axis=1) * 100 + 1
    values = np.concatenate([shapes, shapes, *[np.roll(shapes, -1, axis=0)] * 2]) + rng.random((24, 60))
    names = np.array([f"class{i}" for i in range(6)] * 4)
    units = np.array([f"{name} {half}" for name, half in zip(names, np.repeat(["a", "b"], 12), strict=True)])
    ids = np.array([f"s{i}" for i in range(24)])
    return SpectraSet(values.astype(np.float32), np.arange(60.0), "", ids, names, np.full(24, "", dtype=np.str_), units)


def test_a_model_that_is_never_right_knows_nothing(tmp_path: Path) -> None:
    study = prepare_study("identify", set_=["encoder.type=whitened", "training.epochs=0"]).study
    document = ExportDocument("model", configuration=first_configuration(study))
    with single_thread():
        model = train_named(document, _misnamed(), tmp_path / "model", seeds=1, folds=2)
        loaded = load_named(tmp_path / "model")
        found = loaded.identify(_misnamed())
    assert model.scores["accuracy"]["value"] == 0
    assert loaded.reject_below == math.inf
    assert json.loads((tmp_path / "model" / "model.json").read_text())["reject_below"] is None
    assert {row["class"] for row in found.rows(reject=True)} == {""}
    card = (tmp_path / "model" / "README.md").read_text()
    assert "named none rightly" in card
    assert "chosen by a search" not in card


def _answers(n: int) -> NamedSpectra:
    scores = np.random.default_rng(n).random((n, 50), dtype=np.float32)
    return NamedSpectra(np.array([f"s{i}" for i in range(n)]), tuple(f"c{i}" for i in range(50)), scores, 0.99)


@pytest.mark.parametrize("reject", [False, True])
def test_rows_say_what_the_scores_do(reject: bool) -> None:
    found = _answers(30)
    for i, row in enumerate(found.rows(reject=reject, best=3)):
        order = np.argsort(-found.scores[i])
        known = bool(found.scores[i, order[0]] >= 0.99)
        assert row["known"] is known
        assert row["class"] == ("" if reject and not known else f"c{order[0]}")
        assert (row["class 2"], row["class 3"]) == (f"c{order[1]}", f"c{order[2]}")


def test_rows_of_many_spectra_take_time_in_proportion() -> None:
    def seconds(n: int) -> float:
        found = _answers(n)
        start = time.process_time()
        found.rows()
        return time.process_time() - start

    small = min(seconds(1000) for _ in range(3))
    assert seconds(16_000) < 16 * 5 * small
