"""Several studies on one page, and the diagram of their ranks."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest

from spectrosim_search.config.errors import InputError
from spectrosim_search.evaluation.critical_difference import critical_difference
from spectrosim_search.report import comparison
from spectrosim_search.report.critical_difference import figure
from spectrosim_search.report.numbers import score
from spectrosim_search.search.records import StudyRecord


def moved(record: StudyRecord, name: str, **shift: float) -> StudyRecord:
    """The record as one of other data, its methods' scores moved by name."""
    c = record.confirmation
    assert c is not None
    rows = tuple(
        dataclasses.replace(
            r,
            metrics={
                m: dataclasses.replace(e, value=e.value + shift.get(r.name.replace("-", "_"), 0.0))
                for m, e in r.metrics.items()
            },
        )
        for r in c.rows
    )
    return dataclasses.replace(
        record,
        study=dataclasses.replace(record.study, name=f"study-{name}"),
        dataset=dataclasses.replace(record.dataset, name=name, fingerprint=name),
        confirmation=dataclasses.replace(c, rows=rows),
    )


@pytest.fixture(scope="module")
def three(rich: StudyRecord) -> list[StudyRecord]:
    return [
        moved(rich, "perch"),
        moved(rich, "cod", linear_metric_tuned=0.09),
        moved(rich, "<b>bass</b>", cosine=0.35, winner=-0.1),
    ]


def test_scores_are_those_of_the_tables_and_ranks_of_the_scores(three: list[StudyRecord]) -> None:
    found = comparison.compare(three)
    assert set(found.names) == {
        "winner", "spectrosim-paper", "spectrosim-chapter", "cosine", "cosine-tuned", "linear-metric",
        "linear-metric-tuned",
    }  # fmt: skip
    for i, name in enumerate(found.names):
        for s, record in enumerate(three):
            assert record.confirmation is not None
            row = next(r for r in record.confirmation.rows if r.name == name)
            assert found.scores[i, s] == row.metrics["matched_auc"].value
    assert found.ranks is not None and found.ranks.blocks == 3
    places = [1 + sum(found.scores[:, s] > found.scores[0, s]) for s in range(3)]
    assert found.ranks.ranks[0] == pytest.approx(np.mean(places))
    assert found.left_out == () and found.unranked == ""


def test_markdown_has_the_methods_by_mean_rank_and_cells_that_hold_their_text(three: list[StudyRecord]) -> None:
    found = comparison.compare(three)
    text = comparison.markdown(found)
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line.startswith("|")]
    assert {len(row) for row in rows} == {5} and len(rows) == len(found.names) + 3
    assert [cell.strip() for cell in rows[0]] == ["mean rank", "method", "perch", "cod", "&lt;b>bass&lt;/b>"]
    ranks = [float(row[0]) for row in rows[2:-1]]
    assert ranks == sorted(ranks)
    assert found.ranks is not None and ranks == [round(r, 2) for r in sorted(found.ranks.ranks)]
    winner = next(row for row in rows if row[1].strip() == "searched winner")
    assert winner[2].strip().startswith(f"{found.scores[0, 0]:.3f}".removeprefix("0"))
    assert "3 data sets; all methods alike" in text and "Winner against each" in text


def test_studies_of_one_data_set_have_no_tests_in_markdown_either(three: list[StudyRecord]) -> None:
    again = dataclasses.replace(three[0], study=dataclasses.replace(three[0].study, name="again"))
    assert "Two studies are of one data set" in comparison.markdown(comparison.compare([*three, again]))


def test_methods_that_one_study_lacks_are_named_and_left_out(three: list[StudyRecord]) -> None:
    c = three[1].confirmation
    assert c is not None
    rows = tuple(r for r in c.rows if r.name != "cosine")
    less = dataclasses.replace(three[1], confirmation=dataclasses.replace(c, rows=rows))
    found = comparison.compare([three[0], less])
    assert "cosine" not in found.names and found.left_out == ("cosine, fixed",)
    assert found.ranks is None and "3 data sets or more" in found.unranked
    text = comparison.render(found)
    assert "Left out, for not every study has scored them: cosine, fixed." in text
    assert "ranks are compared over 3 data sets or more" in text


def test_two_studies_of_one_data_set_are_no_blocks(three: list[StudyRecord]) -> None:
    found = comparison.compare([*three, three[0]])
    assert found.ranks is None and "no independent blocks" in found.unranked


def test_errors_rank_the_other_way(three: list[StudyRecord]) -> None:
    found = comparison.compare(three, "eer")
    assert found.ranks is not None
    paper, winner = found.names.index("spectrosim-chapter"), found.names.index("winner")
    assert found.ranks.ranks[paper] > found.ranks.ranks[winner]
    own = [
        mean for mean, kind in zip(found.scores.mean(axis=1), found.families, strict=True) if kind == found.families[-1]
    ]
    assert len(own) > 1 and own == sorted(own, reverse=True), "the best of a family stands first"


def test_the_winners_mean_keeps_its_sign(rich: StudyRecord) -> None:
    studies = [moved(rich, "perch", winner=-2.0), moved(rich, "cod", winner=-1.5), moved(rich, "bass", winner=-2.5)]
    found = comparison.compare(studies, "mcc")
    mean = float(found.scores[found.names.index("winner")].mean())
    assert mean < 0
    assert f"<dt>Winner, mean over data sets</dt><dd>{score(mean)}</dd>" in comparison.render(found)
    errors = comparison.compare(studies[:1] * 2, "eer")
    mean = float(-errors.scores[errors.names.index("winner")].mean())
    assert f"<dd>{score(mean)}</dd>" in comparison.render(errors)


def test_what_cannot_be_compared_is_refused_in_one_line(three: list[StudyRecord], unconfirmed: StudyRecord) -> None:
    c = three[1].confirmation
    assert c is not None
    other = dataclasses.replace(three[1], confirmation=dataclasses.replace(c, metric="auc"))
    for records, metric, words in (
        (three[:1], "", "name two or more"),
        ([three[0], unconfirmed], "", "study 'transformer' has no confirmation yet"),
        ([three[0], other], "", r"different metrics \(auc, matched_auc\)"),
        (three, "accuracy", "no study has the metric 'accuracy'"),
    ):
        with pytest.raises(InputError, match=words):
            comparison.compare(records, metric)
    found = comparison.compare([three[0], other], "auc")
    assert "is not corrected for the selection" in comparison.render(found)


def test_the_page_stands_alone_and_bolds_the_best_of_each_column(three: list[StudyRecord], tmp_path: Path) -> None:
    path = comparison.write_comparison(three, tmp_path / "compare.html")
    text = path.read_text(encoding="utf-8")
    assert len(text.encode()) < 8_000_000
    assert not re.search(r'(src|href)="(?!#|data:)', text)
    table = text.split('<table id="result-table">')[1].split("</table>")[0]
    assert "&lt;b&gt;bass" in table and "<b>bass" not in text
    assert table.count("<b>") == 3
    winner = table.split('<tr class="method winner">')[1].split("</tr>")[0]
    assert "<b>.874</b>" in winner
    content = json.loads(text.split('id="figure-ranks">')[1].split("</script>")[0])
    assert content["data"] and "template" not in content["layout"]
    assert "Winner against each by signed ranks" in text
    assert text.count("The searched model is better than the best baseline") == 3


def test_leaking_studies_are_marked(three: list[StudyRecord]) -> None:
    leaking = dataclasses.replace(
        three[2].study, protocol=dataclasses.replace(three[2].study.protocol, name="random-pairs")
    )
    text = comparison.render(comparison.compare([*three[:2], dataclasses.replace(three[2], study=leaking)]))
    assert text.count("(leaking protocol)") == 1 and '<p class="leak" role="note">' in text


def test_the_diagram_draws_ranks_bars_and_every_name() -> None:
    rng = np.random.default_rng(0)
    names = [f"method {i}" for i in range(7)]
    result = critical_difference(rng.normal(0, 1, (20, 7)) + np.array([3, 2, 2, 0, 0, 0, -3]), names)
    made = figure(result)
    shapes, texts = made.layout.shapes, [a.text for a in made.layout.annotations]
    assert sum(s.line.width == 6 for s in shapes) == len(result.cliques) >= 2
    (distance,) = [s.x1 - s.x0 for s in shapes if s.line.width == 3]
    assert distance == pytest.approx(result.distance)
    for name, rank in zip(names, result.ranks, strict=True):
        assert f"{name} <b>{rank:.2f}</b>" in texts
    assert list(made.data[0].x) == sorted(result.ranks)
    left = [a for a in made.layout.annotations if a.xanchor == "right"]
    assert len(left) == 4 and "method 0" in left[0].text
