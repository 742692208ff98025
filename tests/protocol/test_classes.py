"""Folds of tasks that name a class: no block is cut, every class is on both sides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from spectrosim_search.config.errors import DataError, InputError
from spectrosim_search.config.study import Protocol, Task
from spectrosim_search.protocol.classes import ClassDesign, make_class_design


def _columns(labels: int = 3, groups: int = 8, size: int = 4) -> tuple[NDArray[np.str_], ...]:
    rows = [(f"l{a}-g{b}", f"l{a}") for a in range(labels) for b in range(groups) for _ in range(size)]
    group, label = (np.array(x, dtype=np.str_) for x in zip(*rows, strict=True))
    return group, label, np.full(len(rows), "", dtype=np.str_)


def _design(task: Task, columns: tuple[NDArray[np.str_], ...], searchable: bool = True, **protocol: Any) -> ClassDesign:
    return make_class_design(*columns, Protocol(**protocol), task, searchable=searchable)


def test_labels_are_named_and_whole_groups_are_kept_apart() -> None:
    columns = _columns()
    design = _design("pretrain", columns)
    assert (design.folds, design.scoring, design.unit_plural, design.leaks) == (5, "corrected-cv", "groups", False)
    judged = []
    for fold in range(design.folds):
        split = design.split(fold)
        assert not set(columns[0][split.train]) & set(columns[0][split.judged])
        assert set(columns[1][split.judged]) <= set(columns[1][split.train])
        assert (split.classes[split.judged] == -1).all() and (split.blocks[split.judged] == -1).all()
        judged.append(split.judged)
    assert np.array_equal(np.sort(np.concatenate(judged)), np.arange(len(columns[0])))


def test_plain_folds_cut_groups_and_say_so() -> None:
    columns = _columns()
    design = _design("pretrain", columns, name="shared-batch")
    assert design.leaks and design.unit_plural == "spectra"
    assert any("overstate" in w for w in design.warnings)
    split = design.split(0)
    assert set(columns[0][split.train]) & set(columns[0][split.judged])
    without = _design("pretrain", (np.full_like(columns[0], ""), columns[1], columns[2]), name="shared-batch")
    assert not without.leaks  # there are no groups to keep apart


def test_groups_are_named_and_near_duplicates_stay_together() -> None:
    group, label, split = _columns(labels=2, groups=6, size=6)
    split = np.array([f"{g}-{i // 2}" for i, g in enumerate(group)], dtype=np.str_)
    design = _design("identify", (group, label, split))
    assert len(design.class_names) == 12 and design.unit_plural == "classes" and design.folds == 3
    for fold in range(design.folds):
        part = design.split(fold)
        assert not set(split[part.train]) & set(split[part.judged])
        assert set(group[part.judged]) == set(group)


def test_a_third_is_held_out_from_many_groups_on() -> None:
    design = _design("pretrain", _columns(labels=3, groups=24, size=2))
    assert design.scoring == "hold-out" and design.hold_out is not None
    held = design.hold_out
    assert len(np.unique(design.blocks[held.judged])) == 24
    assert not np.intersect1d(design.blocks[held.train], design.blocks[held.judged]).size
    for fold in range(design.folds):
        split = design.split(fold)
        assert not np.intersect1d(np.concatenate([split.train, split.judged]), held.judged).size


def test_folds_do_not_depend_on_the_training_seed_but_on_the_split_seed() -> None:
    columns = _columns()
    design, other = _design("pretrain", columns), _design("pretrain", columns, seed=1)
    assert np.array_equal(design.split(0, 0).judged, design.split(0, 7).judged)
    assert not np.array_equal(design.fold_of, other.fold_of)
    assert np.array_equal(design.fold_of, _design("pretrain", columns).fold_of)


def test_what_cannot_be_judged_is_left_out_and_counted() -> None:
    group, label, split = _columns()
    label = label.copy()
    label[:2] = ""
    label[2] = "rare"
    design = _design("pretrain", (group, label, split))
    assert (design.classes[:3] == -1).all()
    assert any("without a label" in w for w in design.warnings) and any("1 of 4 classes" in w for w in design.warnings)


@pytest.mark.parametrize(
    ("protocol", "text"),
    [
        ({"name": "random-pairs"}, "judges spectra, not pairs"),
        ({"scoring": "nested"}, "nested"),
        ({"folds": 1}, "protocol.folds is 1"),
        ({"folds": 9}, "fewer folds"),
    ],
)
def test_protocols_without_a_meaning_here_are_refused(protocol: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        _design("pretrain", _columns(labels=4, groups=2), **protocol)


def test_data_without_classes_are_refused() -> None:
    group, label, split = _columns()
    empty = np.full_like(label, "")
    with pytest.raises(DataError, match="no spectrum has a label"):
        _design("pretrain", (group, empty, split))
    with pytest.raises(DataError, match="at least two such classes"):
        _design("pretrain", (group, np.full_like(label, "one"), split))
    with pytest.raises(InputError, match="a search needs 8"):
        _design("pretrain", _columns(labels=2, groups=3))
    assert not _design("pretrain", _columns(labels=2, groups=3), searchable=False).searchable


@pytest.mark.parametrize("scoring", ["corrected-cv", "hold-out"])
def test_a_share_of_the_training_spectra_leaves_the_judged_ones(scoring: str) -> None:
    columns = _columns(labels=2, groups=6, size=12)
    full = _design("identify", columns, scoring=scoring, folds=2)
    for share in (0.5, 0.2):
        some = _design("identify", columns, scoring=scoring, folds=2, train_share=share)
        splits = [(d.split(0), d.split(1), *([d.hold_out] if d.hold_out is not None else [])) for d in (full, some)]
        for all_of, part in zip(*splits, strict=True):
            assert np.array_equal(part.judged, all_of.judged) and set(part.train) < set(all_of.train)
            counts = [np.bincount(s.classes[s.train]) for s in (part, all_of)]
            assert np.array_equal(counts[0], np.round(share * counts[1]).astype(np.int64))
            left = np.setdiff1d(all_of.train, part.train)
            assert (part.classes[left] == -1).all()


def test_a_share_of_everything_is_no_other_question() -> None:
    assert "train_share" not in Protocol().question and Protocol(train_share=0.5).question["train_share"] == 0.5
