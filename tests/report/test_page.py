"""The report file: complete, offline, safe against hostile names, written at once or not at all."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from spectrosim_search.config.errors import InputError
from spectrosim_search.report import page
from spectrosim_search.report.members import members
from spectrosim_search.search.records import StudyRecord, TrialRecord

HOSTILE = (
    '<img src="http://evil.example/x.png" onerror="document.title=1"></script>'
    "<script>document.title=2</script>&amp;\"'%{x}"
)


class Outline(HTMLParser):
    """Tags, attributes and visible text of a page, scripts apart."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.scripts: dict[str, str] = {}
        self._script: str | None = None
        self._open: list[str] = []
        # The packed library is two megabytes of letters without meaning here.
        self.feed(re.sub(r'(id="plotly-gz">)[A-Za-z0-9+/=]+', r"\1", text))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)
        if tag == "script":
            self._script = dict(attrs).get("id") or f"script-{len(self.scripts)}"
            self.scripts[self._script] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._script = None
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._script is not None:
            self.scripts[self._script] += data
        elif "style" not in self._open:
            self.text += data + "\n"


@pytest.fixture(scope="module")
def outline(rich: StudyRecord) -> Outline:
    return Outline(page.render(rich))


def test_parts_stand_in_order(outline: Outline) -> None:
    titles = [m.title for m in members()]
    headings = (
        "Verdict: better",
        "Warnings",
        "Confirmed scores",
        *titles[:4],
        "Search scores, made",
        "History of",
        "Timeline",
    )
    places = [outline.text.index(t) for t in headings]
    assert places == sorted(places)
    for title in (*titles, "Environment", "linear metric, tuned", "oracle", "union-find", "preset spectrosim-paper"):
        assert title in outline.text
    assert "The searched model is better than the best baseline" in outline.text
    assert "37 trials, such as: rank at rung" in outline.text
    assert "2 trials: out of memory on two workers" in outline.text
    assert "AVX-512" in outline.text and "3f9ad1c2b4e5f607" in outline.text and "2.13.0" in outline.text


def test_every_figure_has_data_heading_and_caption(outline: Outline) -> None:
    plots = [a["data-figure"] for t, a in outline.tags if t == "div" and "data-figure" in a]
    assert plots == [f"figure-{m.name}" for m in members()]
    for name in plots:
        assert name is not None
        content = json.loads(outline.scripts[name])
        assert content["data"]
        assert "template" not in content["layout"], "the template stands once in the page"
    for m in members():
        assert m.caption in outline.text


def test_design_lists_its_parts(outline: Outline) -> None:
    assert "train groups" in outline.text
    assert "fold 3" in outline.text
    assert "detectable difference" in outline.text


def test_search_scores_are_marked_as_such(outline: Outline) -> None:
    assert outline.text.count("\nsearch scores\n") == sum(m.section == "search" for m in members())
    assert "none of the numbers in this section is the result" in outline.text


def test_small_and_without_any_address_to_load(rich: StudyRecord) -> None:
    text = page.render(rich)
    assert len(text.encode()) < 8_000_000
    for tag, attributes in Outline(text).tags:
        for name in ("src", "href", "action", "data", "poster", "srcset", "formaction"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:,")), (tag, name, value)
    assert "url(" not in text.split("</style>")[0]
    policy = next(a["content"] for t, a in Outline(text).tags if t == "meta" and a.get("http-equiv"))
    assert policy is not None and policy.startswith("default-src 'none'")
    assert not re.search(r"https?:|connect-src|unsafe-eval", policy)


def test_headings_descend_one_level_at_a_time(outline: Outline) -> None:
    levels = [int(t[1]) for t, _ in outline.tags if re.fullmatch(r"h[1-6]", t)]
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels[1:]))
    identities = [a["id"] for _, a in outline.tags if "id" in a]
    assert len(identities) == len(set(identities))
    links = [a["href"] for t, a in outline.tags if t == "a"]
    assert all(href is not None and href[1:] in identities for href in links)


def test_equal_records_give_equal_files(rich: StudyRecord) -> None:
    same = page.render(rich) == page.render(rich)  # compared outside assert: a difference of megabytes is not printed
    assert same


def test_unconfirmed_study(unconfirmed: StudyRecord) -> None:
    seen = Outline(page.render(unconfirmed))
    assert "Verdict: none yet" in seen.text
    assert "Scores of all methods: nothing is confirmed yet" in seen.text
    assert "figure-history" in seen.scripts and "figure-roc" not in seen.scripts
    assert not any(a.get("id") == "result-table" for _, a in seen.tags)


def test_running_trials_are_said_and_unknown_times_are_not(unconfirmed: StudyRecord) -> None:
    running = dataclasses.replace(unconfirmed.trials[0], number=60, state="RUNNING", value=None)
    record = dataclasses.replace(
        unconfirmed, trials=(*unconfirmed.trials, running), search_seconds=0.0, confirmation_seconds=0.0
    )
    text = Outline(page.render(record)).text
    assert "58 of 60 trials are done, 1 running when this was written, and nothing is confirmed" in text
    assert "search 0.0 s" not in text and "confirmation 0.0 s" not in text


def test_settings_stand_in_a_fold_and_notes_beside_their_method(rich: StudyRecord) -> None:
    assert rich.confirmation is not None
    first, *others = rich.confirmation.rows
    noted = (dataclasses.replace(first, note="corrected for its selection by 0.012"), *others)
    record = dataclasses.replace(rich, confirmation=dataclasses.replace(rich.confirmation, rows=noted))
    text = page.render(record)
    table = text.split('<table id="result-table">')[1].split("</table>")[0]
    fold = text.split("<summary>Settings of the methods</summary>")[1].split("</details>")[0]
    assert "k 20, shrinkage .1" in fold and "k 20, shrinkage .1" not in table
    assert "<small>corrected for its selection by 0.012</small>" in table


def test_many_parameters_are_folded_in_the_table_of_trials(rich: StudyRecord) -> None:
    def widened(trial: TrialRecord) -> TrialRecord:
        return dataclasses.replace(trial, parameters={f"encoder.setting_{i}": i for i in range(40)})

    def folds(record: StudyRecord) -> int:
        return sum(t == "details" and a.get("class") == "inside" for t, a in Outline(page.render(record)).tags)

    many = dataclasses.replace(rich, trials=tuple(map(widened, rich.trials)))
    assert folds(rich) == 0
    assert folds(many) == sum(t.state in ("COMPLETE", "PRUNED") for t in rich.trials)


def test_the_page_says_what_is_corrected_and_only_then(rich: StudyRecord) -> None:
    assert rich.confirmation is not None
    corrected = Outline(page.render(rich)).text
    assert "Corrected for the winner's selection (by .012): matched-label AUC of winner and finalists" in corrected
    assert "each judged on groups it was not trained on" in corrected
    verdict = dataclasses.replace(rich.confirmation.verdict, optimism=0.0)
    held_out = dataclasses.replace(rich.confirmation, scoring="hold-out", verdict=verdict)
    plain = Outline(page.render(dataclasses.replace(rich, confirmation=held_out))).text
    assert "Corrected for" not in plain
    assert "judged once on groups held out of the whole search" in plain


@pytest.mark.parametrize(
    ("wide", "rows"),
    [
        ([False, False], [False, False]),
        ([False, True, False], [True, True, True]),
        ([True, False, False, False], [True, False, False, True]),
        ([False, False, True, False, False], [False, False, True, False, False]),
        ([], []),
    ],
)
def test_no_figure_leaves_half_a_row_empty(wide: list[bool], rows: list[bool]) -> None:
    assert page._fills_row(wide) == rows


def test_empty_study(empty: StudyRecord) -> None:
    seen = Outline(page.render(empty))
    assert "No verdict yet: no trial has been started." in seen.text
    assert not [s for s in seen.scripts if s.startswith("figure-")]
    for m in members():
        assert f"{m.title}: {m.missing(empty)}" in seen.text
    assert "n/a: the design recorded none" in seen.text


def test_leaking_protocol_is_marked_at_every_number(build: Callable[..., StudyRecord]) -> None:
    seen = Outline(page.render(build(30, protocol="random-pairs")))
    marks = [a for _, a in seen.tags if "leak" in (a.get("class") or "").split()]
    numbered = sum(m.section != "process" for m in members())
    assert len(marks) == numbered + 4, "banner, result table, front, trials, and each figure with scores"
    assert "Verdict: better, under a leaking protocol" in seen.text
    assert "judged on groups" not in seen.text
    assert "Leaking" not in Outline(page.render(build(30))).text


def hostile(record: StudyRecord) -> StudyRecord:
    """The record with every text from outside replaced by an attack."""
    c = record.confirmation
    assert c is not None
    rows = tuple(
        dataclasses.replace(
            r, title=HOSTILE, settings=HOSTILE, note=HOSTILE, configuration_id=r.configuration_id and HOSTILE
        )
        for r in c.rows
    )
    return dataclasses.replace(
        record,
        study=dataclasses.replace(record.study, name=HOSTILE, description=HOSTILE, dimensions=()),
        dataset=dataclasses.replace(record.dataset, name=HOSTILE, axis_unit=HOSTILE, fingerprint=HOSTILE),
        confirmation=dataclasses.replace(
            c,
            rows=rows,
            warnings=(HOSTILE,),
            group_names=(HOSTILE,) * len(c.group_names),
            verdict=dataclasses.replace(c.verdict, sentence=HOSTILE),
        ),
        trials=tuple(
            dataclasses.replace(
                t,
                reason=HOSTILE,
                configuration_id=HOSTILE,
                parameters={**t.parameters, HOSTILE: HOSTILE if t.number % 2 else "b"},
            )
            for t in record.trials
        ),
        replicates=tuple(
            dataclasses.replace(r, worker=HOSTILE, environment_id=HOSTILE, configuration_id=HOSTILE)
            for r in record.replicates
        ),
        baselines=tuple(dataclasses.replace(b, title=HOSTILE) for b in record.baselines),
        environments=tuple(
            dataclasses.replace(e, id=HOSTILE, packages={HOSTILE: HOSTILE}, hardware={HOSTILE: HOSTILE})
            for e in record.environments
        ),
        design={HOSTILE: HOSTILE, "warnings": [HOSTILE], "importance": {HOSTILE: 0.5, "b": 0.2}},
    )


def test_hostile_names_stay_text(rich: StudyRecord) -> None:
    seen, plain = Outline(page.render(hostile(rich))), Outline(page.render(rich))
    assert not [t for t, _ in seen.tags if t == "img"]
    assert len([t for t, _ in seen.tags if t == "script"]) == len([t for t, _ in plain.tags if t == "script"])
    assert not any(name.startswith("on") for _, attributes in seen.tags for name in attributes)
    assert HOSTILE in seen.text
    for name, script in seen.scripts.items():
        if name.startswith("figure-"):
            assert "<" not in script
            assert "<img" not in json.dumps(json.loads(script))


def test_written_whole_or_not_at_all(rich: StudyRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "report.html"
    target.write_text("the old report")

    def refuse(self: Path, _: Path) -> Path:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", refuse)
        with pytest.raises(InputError, match="No space left on device; choose another place"):
            page.write_report(rich, target)
    assert target.read_text() == "the old report"
    assert list(tmp_path.iterdir()) == [target]
    assert page.write_report(rich, target) == target
    assert target.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert list(tmp_path.iterdir()) == [target]
    assert target.stat().st_mode & 0o444 == 0o444 & ~_umask()


def _umask() -> int:
    import os

    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_wrong_places_are_refused_in_one_line(empty: StudyRecord, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder; name a file"):
        page.write_report(empty, tmp_path)
    with pytest.raises(InputError, match="does not exist; create it") as caught:
        page.write_report(empty, tmp_path / "no" / "report.html")
    assert "\n" not in str(caught.value)
