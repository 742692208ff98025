from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from spectrosim_search.config.errors import DataError, InputError
from spectrosim_search.deploy import _folder_writing, model_folder
from spectrosim_search.deploy.model_folder import ModelFolder, load, save


def _rewrite_hash(path: Path, name: str) -> None:
    """Make the facts agree with a file that was changed on purpose."""
    import hashlib

    facts = json.loads((path / "model.json").read_text())
    facts["files"][name] = hashlib.sha256((path / name).read_bytes()).hexdigest()
    (path / "model.json").write_text(json.dumps(facts))


def test_round_trip(linear: ModelFolder) -> None:
    assert linear.path is not None
    again = load(linear.path)
    assert again.facts() == linear.facts()
    assert again.document == linear.document
    assert again.decision == linear.decision
    np.testing.assert_array_equal(again.axis, linear.axis)
    for name, values in linear.parts[0].parameters.items():
        np.testing.assert_array_equal(again.parts[0].parameters[name], values)
    np.testing.assert_array_equal(again.parts[0].preprocessing.factor, linear.parts[0].preprocessing.factor)


def test_no_file_holds_code(linear: ModelFolder) -> None:
    assert linear.path is not None
    names = {p.name for p in linear.path.iterdir()}
    assert names == {
        *("model.json", "configuration.yaml", "README.md"),
        *("weights.safetensors", "preprocessing.safetensors", "axis.safetensors"),
    }


def test_the_card_says_what_a_reader_needs(linear: ModelFolder) -> None:
    assert linear.path is not None
    assert linear.decision is not None
    card = (linear.path / "README.md").read_text()
    assert "48 spectra of 16 groups and 2 labels" in card
    assert "160 channels, 77.04 to 999.32 m/z" in card
    assert f"| different groups called the same | {linear.decision.false_same.value:.3f} (" in card
    assert f"similarity of {linear.decision.threshold:.4f} or more" in card
    assert "batch-disjoint" in card
    assert not re.search(r"\bnan\b", card)


@pytest.mark.parametrize(
    "name", ["configuration.yaml", "weights.safetensors", "preprocessing.safetensors", "axis.safetensors"]
)
def test_a_missing_or_changed_file_is_named(linear_path: Path, name: str) -> None:
    content = (linear_path / name).read_bytes()
    (linear_path / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DataError, match=rf"{name}' was changed or damaged") as error:
        load(linear_path)
    assert "\n" not in str(error.value)
    (linear_path / name).unlink()
    with pytest.raises(DataError, match=rf"{name}' is missing"):
        load(linear_path)


def test_not_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a model folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"model\.json is missing"):
        load(tmp_path)


def test_another_schema_version(linear_path: Path) -> None:
    facts = json.loads((linear_path / "model.json").read_text())
    (linear_path / "model.json").write_text(json.dumps(facts | {"schema_version": 99}))
    with pytest.raises(InputError, match="schema version 99, this program reads 1"):
        load(linear_path)


@pytest.mark.parametrize("text", ["", "[1, 2]", "{", '{"schema_version": 1}', '{"schema_version": 1, "files": 3}'])
def test_damaged_facts(linear_path: Path, text: str) -> None:
    (linear_path / "model.json").write_text(text)
    with pytest.raises(DataError, match=r"model\.json"):
        load(linear_path)


@pytest.mark.parametrize("key", ["axis", "decision", "preprocessing", "intensities", "notes"])
def test_facts_that_lack_something(linear_path: Path, key: str) -> None:
    facts = json.loads((linear_path / "model.json").read_text())
    del facts[key]
    (linear_path / "model.json").write_text(json.dumps(facts))
    with pytest.raises(DataError, match=rf"model\.json' is damaged \('{key}'\)"):
        load(linear_path)


def test_weights_of_another_shape(linear_path: Path) -> None:
    file = linear_path / "weights.safetensors"
    arrays = load_file(file)
    save_file({**arrays, "projection": np.ascontiguousarray(arrays["projection"][:-1])}, file)
    _rewrite_hash(linear_path, file.name)
    with pytest.raises(DataError, match=r"weights\.safetensors does not fit"):
        load(linear_path)


def test_preprocessing_of_another_axis(linear_path: Path) -> None:
    file = linear_path / "preprocessing.safetensors"
    arrays = {k: v[:-5].copy() for k, v in load_file(file).items() if k != "channels"}
    for channels, message in (
        ([155.0], "155 channels, the axis 160"),
        ([160.0], r"shape \(155,\)"),
        ([], "how many channels"),
    ):
        save_file({**arrays, "channels": np.array(channels)}, file)
        _rewrite_hash(linear_path, file.name)
        with pytest.raises(DataError, match=message):
            load(linear_path)


def test_a_folder_from_before_there_was_binning(linear_path: Path, linear: ModelFolder) -> None:
    file = linear_path / "preprocessing.safetensors"
    save_file({k: v for k, v in load_file(file).items() if k in ("mean", "factor")}, file)
    _rewrite_hash(linear_path, file.name)
    facts = json.loads((linear_path / "model.json").read_text())
    facts["preprocessing"] = {k: facts["preprocessing"][k] for k in ("intensity", "derivative", "window", "scale")}
    (linear_path / "model.json").write_text(json.dumps(facts))
    x = np.random.default_rng(0).gamma(2.0, size=(3, 160)).astype(np.float32)
    np.testing.assert_array_equal(
        load(linear_path).parts[0].preprocessing.transform(x), linear.parts[0].preprocessing.transform(x)
    )


def test_weights_that_are_not_numbers(linear_path: Path) -> None:
    file = linear_path / "weights.safetensors"
    arrays = load_file(file)
    save_file({**arrays, "mean": np.full_like(arrays["mean"], np.nan)}, file)
    _rewrite_hash(linear_path, file.name)
    with pytest.raises(DataError, match="not finite"):
        load(linear_path)


def test_a_file_that_is_no_safetensors(linear_path: Path) -> None:
    (linear_path / "axis.safetensors").write_bytes(b"nothing of the kind")
    _rewrite_hash(linear_path, "axis.safetensors")
    with pytest.raises(DataError, match=r"axis\.safetensors' is damaged"):
        load(linear_path)


def test_a_model_is_replaced_only_with_force(linear: ModelFolder, linear_path: Path) -> None:
    (linear_path / "trace").write_text("of the old one")
    with pytest.raises(InputError, match="a model lies in"):
        save(linear, linear_path)
    assert (linear_path / "trace").exists()
    save(linear, linear_path, force=True)
    assert not (linear_path / "trace").exists()
    assert load(linear_path).name == linear.name
    assert [p.name for p in linear_path.parent.iterdir()] == [linear_path.name]


def test_a_folder_of_somebody_else_is_never_touched(linear: ModelFolder, tmp_path: Path) -> None:
    mine = tmp_path / "thesis"
    mine.mkdir()
    (mine / "chapter.tex").write_text("years of work")
    with pytest.raises(InputError, match="holds other files"):
        save(linear, mine, force=True)
    assert (mine / "chapter.tex").read_text() == "years of work"
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is not a folder"):
        save(linear, tmp_path / "file", force=True)


def test_an_empty_folder_may_be_filled(linear: ModelFolder, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    save(linear, tmp_path / "empty")
    assert load(tmp_path / "empty").decision == linear.decision


def test_nothing_is_left_of_a_write_that_fails(
    linear: ModelFolder, linear_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk while the third file is written: no new folder, no half of one, the old model whole."""
    calls = 0

    def full(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(_folder_writing.os, "fsync", full)
    before = {p.name: p.read_bytes() for p in linear_path.iterdir()}
    with pytest.raises(InputError, match="No space left on device"):
        save(linear, linear_path, force=True)
    assert {p.name: p.read_bytes() for p in linear_path.iterdir()} == before
    calls = 0
    with pytest.raises(InputError, match="No space left on device"):
        save(linear, linear_path.parent / "fresh")
    assert [p.name for p in linear_path.parent.iterdir()] == [linear_path.name]


def test_the_old_model_comes_back_when_the_rename_fails(
    linear: ModelFolder, linear_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def fails_for_the_new(self: Path, target: Path) -> Path:
        if Path(target) == linear_path and ".old." not in str(self):
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails_for_the_new)
    with pytest.raises(InputError, match="Input/output error"):
        save(linear, linear_path, force=True)
    monkeypatch.undo()
    assert load(linear_path).decision == linear.decision
    assert [p.name for p in linear_path.parent.iterdir()] == [linear_path.name]


def test_declared_surface() -> None:
    assert set(model_folder.__all__) == {"MARKER", "SCHEMA_VERSION", "ModelFolder", "load", "save"}
