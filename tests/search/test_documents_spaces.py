from pathlib import Path

import pytest
import yaml

from spectrosim_search.config.errors import ConfigurationError, InputError
from spectrosim_search.search.documents import list_spaces, load_space, load_study
from spectrosim_search.search.documents.bundled import bundled_directory, bundled_names
from spectrosim_search.search.documents.dimensions import short_form


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_bundled_spaces_are_there_and_every_key_is_documented() -> None:
    assert set(bundled_names("search_spaces")) >= {
        "encoder-transformer",
        "temperature",
        "batch-size",
        "heads",
        "augmentation-policy",
        "optimiser",
        "preprocessing",
        "positives",
    }
    for space in list_spaces():
        assert space.description and space.vary and not space.clashes
    for name in bundled_names("search_spaces"):
        text = (bundled_directory("search_spaces") / f"{name}.yaml").read_text(encoding="utf-8")
        assert text.startswith("# yaml-language-server: $schema=../schemas/space.schema.json\n")
        document = yaml.safe_load(text)
        assert document["name"] == name
        assert all(entry["description"] for entry in document["vary"].values()), name


def test_each_bundled_space_makes_a_study_alone(tmp_path: Path) -> None:
    for name in bundled_names("search_spaces"):
        task = "task: pretrain\n" if name == "pretext" else ""  # the only one that varies what one task alone has
        study = load_study(str(write(tmp_path, "s", f"{task}spaces: [{name}]")))
        assert study.dimensions, name


def test_includes_compose_and_the_including_space_decides(tmp_path: Path) -> None:
    write(tmp_path, "a", "vary: {objective.temperature: {low: .1, high: 1}}\nfixed: {training.epochs: 5}")
    write(tmp_path, "b", "vary: {objective.temperature: {low: .2, high: 1}, head.out: [8, 16]}")
    write(tmp_path, "both", "include: [a, b]\nvary: {objective.temperature: 0.3..0.5}")
    space = load_space("both", tmp_path)
    assert (space.vary["objective.temperature"].low, space.vary["head.out"].choices) == (0.3, (8, 16))
    assert space.fixed == {"training.epochs": 5} and not space.clashes
    write(tmp_path, "clash", "include: [a, b]")
    assert set(load_space("clash", tmp_path).clashes) == {"objective.temperature"}


def test_two_spaces_that_differ_are_refused_until_the_study_says_which(tmp_path: Path) -> None:
    write(tmp_path, "warm", "vary: {objective.temperature: {low: .5, high: 1}}")
    study = write(tmp_path, "s", "spaces: [temperature, warm]")
    with pytest.raises(
        ConfigurationError, match=r"objective\.temperature is asked differently by 'temperature' and 'warm'"
    ):
        load_study(str(study))
    assert load_study(str(study), vary=["temperature=0.5..1"]).dimensions[0].low == 0.5
    assert load_study(str(study), set_=["temperature=0.5"]).dimensions == ()
    study.write_text("spaces: [temperature, warm]\nvary: {objective.temperature: .1...9:log}", encoding="utf-8")
    assert load_study(str(study)).dimensions[0].high == 0.9


def test_the_same_range_twice_is_no_clash(tmp_path: Path) -> None:
    write(tmp_path, "again", "vary: {objective.temperature: {low: .02, high: 1, log: true, description: other words}}")
    study = load_study(str(write(tmp_path, "s", "spaces: [temperature, again]")))
    assert [d.path for d in study.dimensions] == ["objective.temperature"]


def test_a_space_that_includes_itself_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "a", "include: [b]")
    write(tmp_path, "b", "include: [a]")
    with pytest.raises(InputError, match=r"includes itself: a\.yaml → b\.yaml → a\.yaml"):
        load_space("a", tmp_path)


def test_all_problems_of_a_space_are_told_at_once(tmp_path: Path) -> None:
    write(
        tmp_path,
        "bad",
        """
vary:
  objective.temprature: {low: .1, high: 1}
  encoder.width: {choices: [32, 64], low: 3}
  encoder.depth: {low: 3, high: 1}
  encoder.patch: {low: 8}
  head.type: {low: 1, high: 2}
  head.out: {choices: [8, 8]}
  optimiser.learning_rate: {low: 0, high: 1, log: true}
  training.batch_size: {low: 8, high: 64, log: true, step: 8}
  training.epochs: {low: 1.5, high: 9}
  head.width: {choices: [8], when: {head.typ: mlp}}
  positives.source: {choices: [views, grups]}
fixed: {training.batch_size: 8}
""",
    )
    with pytest.raises(ConfigurationError) as caught:
        load_space("bad", tmp_path)
    text = "\n".join(caught.value.problems)
    for expected in (
        "line 3, vary.objective.temprature: unknown key 'objective.temprature' (did you mean 'objective.temperature'?)",
        "vary.encoder.width: has choices and a range",
        "vary.encoder.depth: low 3 is above high 1",
        "vary.encoder.patch: needs choices, or low and high",
        "vary.head.type: takes no range: give choices",
        "vary.head.out: the choice 8 stands twice",
        "vary.optimiser.learning_rate: a logarithmic range has to start above 0",
        "vary.training.batch_size: a logarithmic range has no step",
        "vary.training.epochs: 1.5 is not a whole number",
        "vary.head.width: when: unknown key 'head.typ' (did you mean 'head.type'?)",
        "vary.positives.source: 'grups' is unknown (did you mean 'groups'?)",
        "fixed.training.batch_size: varies and is fixed",
    ):
        assert expected in text


def test_unknown_keys_in_a_space_offer_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, "bad", "varry: {}\nvary: {objective.temperature: {low: .1, hihg: 1}, head.out: {choices: []}}")
    with pytest.raises(ConfigurationError) as caught:
        load_space("bad", tmp_path)
    text = "\n".join(caught.value.problems)
    assert "bad.yaml, line 1, varry: unknown key (did you mean 'vary'?)" in text
    assert "hihg: unknown key (did you mean 'high'?)" in text


@pytest.mark.parametrize(
    ("text", "low", "high", "log", "step"),
    [
        ("0.02..1:log", 0.02, 1, True, None),
        ("1e-5..1e-2:log", 1e-5, 1e-2, True, None),
        ("1..4", 1, 4, False, None),
        ("8..64:step=8", 8, 64, False, 8),
        (" -1 .. .5 ", -1, 0.5, False, None),
        ("0...5", 0, 0.5, False, None),
    ],
)
def test_short_ranges(text: str, low: float, high: float, log: bool, step: float | None) -> None:
    entry = short_form(text, "test")
    assert (entry.low, entry.high, entry.log, entry.step) == (low, high, log, step)


@pytest.mark.parametrize(
    ("text", "choices"),
    [
        ("{1,2,3}", [1, 2, 3]),
        ("a|b", ["a", "b"]),
        ("[true, false]", [True, False]),
        ("mlp", ["mlp"]),
        ("1|2.5", [1, 2.5]),
    ],
)
def test_short_choices(text: str, choices: list[object]) -> None:
    assert short_form(text, "test").choices == choices


@pytest.mark.parametrize("text", ["1..", "..2", "1..2:lin", "a..b", "{1,,2}", "1..2:step=0", "", "1..inf"])
def test_short_forms_that_mean_nothing(text: str) -> None:
    with pytest.raises(ConfigurationError):
        short_form(text, "test")
