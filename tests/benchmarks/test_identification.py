"""The identification benchmark in small: every part runs, and what is done is not done again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import identification, identification_choice
from benchmarks._candidates import CHANGES, CHOSEN, CHOSEN_FEW, FEW_CHANGES, document, few_document
from benchmarks._identifying import CLASSES, FEW, Model, challenge, configured, drawn, templates, train
from spectrosim_search.spectra.simulators import simulate
from spectrosim_search.spectra.spectra_set import SpectraSet

TABLE = "class,position,height\n" + "\n".join(
    f"{c},{200 + 12 * c},1\n{c},{4500 - 151 * c},{0.3 + 0.02 * c}\n{c},2500,0.2" for c in range(27)
)


def write(folder: Path, name: str) -> str:
    (folder / name).mkdir()
    path = folder / name / "peaks.csv"
    path.write_text(TABLE + "\n")
    return str(path)


def found(out: Path) -> dict[str, Any]:
    return {line["part"]: line["found"] for line in map(json.loads, out.read_text().splitlines())}


def test_parts_run_once_and_say_what_they_found(tmp_path: Path) -> None:
    out = tmp_path / "found.jsonl"
    given = identification.parser().parse_args(
        [
            *("--parts", "full", "new", "mixtures", "challenge"),
            *("--table", write(tmp_path, "some"), "--challenge", write(tmp_path, "hard")),
            *("--classes", "10", "--spectra", "5", "--epochs", "2", "--challenge-epochs", "1"),
            *("--mixtures", "20", "--rivals", "5", "--listed", "5", "--out", str(out)),
        ]
    )
    lines = identification.run(given)
    table = found(out)
    assert table["full"]["test"] == 90
    assert table["full"]["centroid"] > 0.2  # chance: .1
    assert (table["new"]["classes_trained"], table["new"]["classes_new"]) == (8, 2)
    for order in (2, 3, 4):
        shares = table["mixtures"][f"beam_{order}"]
        assert len(shares) == order
        assert (np.diff(shares) <= 0).all()
        assert table["mixtures"][f"as_listing_all_{order}"] >= 0.9
    assert len(table["challenge"]["by_kind"]) == 3
    before = out.read_text()
    assert identification.run(given) == lines
    assert out.read_text() == before
    assert "mixtures (1 seeds)" in identification.summary(lines)


def test_unseen_compounds_meet_library_search(tmp_path: Path) -> None:
    path = tmp_path / "spectra.csv"
    s = simulate("reims", batches=9, batch_size=6, channels=120, mz_high=140.0, peaks=20, batch_spread=0.8)
    rows = [",".join(["sample_id", "group", *(f"{a:.3f}" for a in s.axis)])]
    rows += [",".join([i, g, *map(str, x)]) for i, g, x in zip(s.sample_ids, s.groups, s.intensities, strict=True)]
    path.write_text("\n".join(rows) + "\n")
    given = identification.parser().parse_args(
        [
            "--parts",
            "compounds",
            "--compounds",
            str(path),
            "--compounds-epochs",
            "2",
            "--out",
            str(tmp_path / "o.jsonl"),
        ]
    )
    table = identification.run(given)[0]["found"]
    assert isinstance(table, dict)
    assert (table["compounds"], table["asked"]) == (3, 9)
    assert all(0 <= float(table[name]) <= 1 for name in (*identification.RIVALS, "centroid", "nearest"))


def test_validation_spectra_are_others_of_the_same_classes(tmp_path: Path) -> None:
    for table in ("", write(tmp_path, "some")):
        data = drawn(table, 6, 5, seed=0)
        assert [len(p) for p in (data.train, data.validation, data.test)] == [30, 6, 54]
        assert set(data.train.groups) == set(data.validation.groups) == set(data.test.groups)
        wide = [s.intensities.reshape(len(s), 50, 100).sum(axis=2) for s in (data.train, data.validation)]
        assert (
            data.codes(data.train)[(wide[1] @ wide[0].T).argmax(axis=1)] == data.codes(data.validation)
        ).mean() > 0.8
        same = (data.train.intensities[:, None] == data.validation.intensities[None]).all(axis=2)
        assert not same.any()


def test_templates_know_the_test(tmp_path: Path) -> None:
    path = write(tmp_path, "hard")
    data = challenge(path, seed=0)
    truth = data.codes(data.test)
    assert (templates(path, data.test, power=0.25) == truth).mean() > 0.9


def test_a_tenth_of_the_data_is_trained_as_chosen_for_few_spectra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[tuple[Any, int]] = []

    def noted(configuration: Any, spectra: SpectraSet, *rest: Any) -> Model:
        trained.append((configuration, len(spectra)))
        short = replace(configuration, training=replace(configuration.training, epochs=1))
        return train(short, spectra, *rest)

    monkeypatch.setattr(identification, "train", noted)
    for epochs in ("0", "1"):
        given = identification.parser().parse_args(
            [
                *("--parts", "part10", "--table", write(tmp_path, f"some{epochs}"), "--classes", "4"),
                *("--spectra", "20", "--epochs", epochs, "--out", str(tmp_path / "o.jsonl")),
            ]
        )
        line = identification.run(given)[0]
        assert line["options"]["configuration"] == configured(FEW).identity  # type: ignore[index]
        passes = 80 if epochs == "0" else 10  # ten times what all spectra would see; 80 as in the choice
        assert trained.pop() == (configured(FEW, passes), 8)
    assert identification.options(given, "part40")["configuration"] == configured(CLASSES).identity


def no_grid(name: str, **parameters: Any) -> SpectraSet:
    assert parameters.get("draw", "random") == "random", "the test grid is not drawn"
    return simulate(name, **parameters)


def test_the_choice_sees_validation_spectra_alone_and_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identification_choice, "simulate", no_grid)
    given = identification_choice.parser().parse_args(
        [
            *("--table", write(tmp_path, "some"), "--candidates", "first", "triplet", "--classes", "8"),
            *("--spectra", "4", "--epochs", "2", "--mixtures", "20", "--out", str(tmp_path / "o.jsonl")),
        ]
    )
    lines = identification_choice.run(given)
    before = (tmp_path / "o.jsonl").read_text()
    assert identification_choice.run(given) == lines and (tmp_path / "o.jsonl").read_text() == before
    ranked = identification_choice.ranked(lines)
    assert {name for name, _ in ranked} == {"first", "triplet"}
    assert ranked[0][1]["criterion"] >= ranked[1][1]["criterion"]
    shares = [ranked[0][1][f"all_right_{k}"] for k in (1, 2, 3, 4)]
    assert ranked[0][1]["criterion"] == pytest.approx(np.mean(shares)) and shares[0] > 0.4  # chance: .125
    assert identification_choice.summary(lines).count("\n") == 3


def test_every_candidate_differs_in_one_respect_and_the_benchmark_uses_the_chosen_one() -> None:
    assert len({configured(document(name)).identity for name in CHANGES}) == len(CHANGES) == 12
    assert all(len(change) == (name != "first") for name, change in CHANGES.items())
    assert document(CHOSEN) == CLASSES


def test_the_choice_for_few_spectra_goes_by_single_validation_spectra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identification_choice, "simulate", no_grid)
    some = ["superpose .25", "warp .008"]
    out = tmp_path / "o.jsonl"
    options = ["--few", "--table", write(tmp_path, "some"), "--classes", "8", "--held", "10", "--out", str(out)]
    given = identification_choice.parser().parse_args([*options, "--epochs", "2", "--candidates", *some])
    lines = identification_choice.run(given)
    assert [line["spectra"] for line in lines] == [5, 5]
    before = out.read_text()
    assert identification_choice.run(given) == lines and out.read_text() == before
    for line in lines:
        found = line["found"]
        assert found["criterion"] == pytest.approx((found["nearest"] + found["centroid"]) / 2)
        assert found["nearest"] > 0.4  # chance: .125
        assert round(found["nearest"] * 80, 6).is_integer()  # 10 validation spectra of each of 8 classes
    assert "| candidate | criterion | nearest | centroid |" in identification_choice.summary(lines)
    with pytest.raises(SystemExit, match="no candidate triplet"):
        identification_choice.run(identification_choice.parser().parse_args([*options, "--candidates", "triplet"]))


def test_candidates_for_few_spectra_are_all_different_and_the_benchmark_uses_the_chosen_one() -> None:
    assert len({configured(few_document(name)).identity for name in FEW_CHANGES}) == len(FEW_CHANGES)
    assert few_document("superpose .25")["augmentations"] == CLASSES["augmentations"]
    assert few_document(CHOSEN_FEW, epochs=8) == FEW
