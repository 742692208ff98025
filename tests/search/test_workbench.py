from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spectrosim_search.config.configuration import Preprocessing
from spectrosim_search.config.errors import RunError
from spectrosim_search.config.study import Protocol
from spectrosim_search.evaluation import verification
from spectrosim_search.learning.engine import train_stack
from spectrosim_search.search import bench as bench_module
from spectrosim_search.search.documents import load_preset
from spectrosim_search.search.space import build_configuration
from spectrosim_search.search.workbench import Workbench
from spectrosim_search.spectra import preprocessing
from spectrosim_search.spectra.simulators import simulate
from tests.search.searching import small_spectra, small_study

STUDY = small_study()
CONFIGURATION = build_configuration(STUDY, dict(STUDY.known_good[0]))


@pytest.fixture(scope="module")
def bench() -> Workbench:
    return Workbench(small_spectra(), STUDY)


def test_keys_name_what_defines_a_replicate(bench: Workbench) -> None:
    item = bench.search_item(CONFIGURATION, 3, 4)
    assert item.key == Workbench(small_spectra(), STUDY).search_item(CONFIGURATION, None, 4).key
    others = {
        bench.search_item(CONFIGURATION, 3, 5).key,
        bench.search_item(load_preset("spectrosim-paper"), 3, 4).key,
        Workbench(small_spectra(seed=1), STUDY).search_item(CONFIGURATION, 3, 4).key,
        Workbench(small_spectra(), dataclasses.replace(STUDY, seed=1)).search_item(CONFIGURATION, 3, 4).key,
        Workbench(small_spectra(), dataclasses.replace(STUDY, protocol=dataclasses.replace(STUDY.protocol, seed=1)))
        .search_item(CONFIGURATION, 3, 4)
        .key,
        *(i.key for i in bench.confirmation_items(CONFIGURATION, 2)),
    }
    assert len(others) == 5 + 6
    assert item.key not in others
    more_seeds = dataclasses.replace(STUDY, protocol=dataclasses.replace(STUDY.protocol, seeds=9))
    assert Workbench(small_spectra(), more_seeds).search_item(CONFIGURATION, 3, 4).key == item.key


def test_trials_share_the_luck_of_a_cell(bench: Workbench) -> None:
    one = bench.task(bench.search_item(CONFIGURATION, 0, 2))
    two = bench.task(bench.search_item(load_preset("spectrosim-paper"), 1, 2))
    other = bench.task(bench.search_item(CONFIGURATION, 0, 5))
    assert one.seed == two.seed != other.seed
    assert 0 <= one.seed < 2**63


def test_preprocessing_is_fitted_on_training_rows_only(bench: Workbench) -> None:
    item = bench.search_item(CONFIGURATION, 0, 1)
    task = bench.task(item)
    data = bench.data([item])[task.data]
    judged = np.setdiff1d(np.arange(36), task.train)
    assert (data.groups[judged] == -1).all()
    spectra = bench.spectra
    changed = spectra.intensities.copy()
    changed[judged] *= 3.0
    twisted = Workbench(dataclasses.replace(spectra, intensities=changed), STUDY)
    again = twisted.data([twisted.search_item(CONFIGURATION, 0, 1)])
    (twin,) = again.values()
    assert np.array_equal(twin.spectra[task.train], data.spectra[task.train])
    state = preprocessing.fit(CONFIGURATION.preprocessing, spectra.intensities[task.train])
    assert np.array_equal(data.spectra, state.transform(spectra.intensities))


def test_data_are_prepared_once_for_a_fold(bench: Workbench) -> None:
    first, second = bench.search_item(CONFIGURATION, 0, 0), bench.search_item(CONFIGURATION, 0, 3)
    assert (first.fold, first.seed, second.fold, second.seed) == (0, 0, 0, 1)
    data = bench.data([first, second])
    assert len(data) == 1
    assert bench.data([first])[bench.task(first).data] is data[bench.task(second).data]


def test_what_needs_no_fitting_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    spectra = small_spectra()
    bench = Workbench(spectra, STUDY)
    done: list[Preprocessing] = []
    rowwise = preprocessing.rowwise

    def counted(settings: Preprocessing, x: np.ndarray) -> np.ndarray:
        done.append(settings)
        return rowwise(settings, x)

    monkeypatch.setattr(preprocessing, "rowwise", counted)
    asked = Preprocessing("msc", scale="pareto", baseline="snip", baseline_width=9, binning=3)
    for kind, cell in (("msc", 0), ("msc", 1), ("msc", 2), ("none", 1)):
        chosen = dataclasses.replace(asked, intensity=kind)
        item = bench.search_item(dataclasses.replace(CONFIGURATION, preprocessing=chosen), 0, cell)
        (data,) = bench.data([item]).values()
        state = preprocessing.fit(chosen, spectra.intensities[bench.task(item).train])
        assert np.array_equal(data.spectra, state.finish(rowwise(chosen, spectra.intensities)))
        assert np.array_equal(data.axis, state.axis(spectra.axis))
        assert data.spectra.shape == (36, len(data.axis)) == (36, chosen.channels(len(spectra.axis)))
    assert done.count(preprocessing.rowwise_settings(asked)) == 1


def test_shared_spectra_are_forgotten_when_they_take_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Workbench(small_spectra(), STUDY)
    monkeypatch.setattr(bench_module, "ROWWISE_BYTES", 2 * bench.spectra.intensities.nbytes)
    for kind in ("tic", "sqrt", "log", "snv"):
        chosen = Preprocessing(kind)  # type: ignore[arg-type] # literals
        bench.data([bench.search_item(dataclasses.replace(CONFIGURATION, preprocessing=chosen), 0, 0)])
    assert [s.intensity for s in bench._rowwise] == ["log", "snv"]


def test_training_leaves_shared_spectra_alone() -> None:
    bench = Workbench(small_spectra(), STUDY)
    plain = dataclasses.replace(CONFIGURATION, preprocessing=Preprocessing("sqrt", scale="none"))
    items = [bench.search_item(plain, 0, cell) for cell in (0, 1)]
    data = bench.data(items)
    one, two = data.values()
    assert one.spectra is two.spectra
    before = one.spectra.copy()
    train_stack([bench.task(item) for item in items], data)
    assert np.array_equal(one.spectra, before)


def test_thresholds_come_from_the_other_half(bench: Workbench) -> None:
    item = bench.search_item(CONFIGURATION, 0, 0)
    task = bench.task(item)
    (result,) = train_stack([task], bench.data([item]))
    record = bench.record(item, result, worker="w", started_at=1.0, environment_id="e")
    assert task.halves is not None
    for own in (0, 1):
        other = task.halves[1 - own]
        pairs = record.pairs[own]
        assert np.array_equal(pairs.left, task.halves[own].left)
        assert pairs.threshold == verification.choose_threshold(result.choosing[own], other.positive)
        assert not set(pairs.left) & set(other.left), "halves share no spectrum"
    assert record.score == verification.primary(verification.metrics(record.pairs), STUDY.metric)


def test_hold_out_items_are_scored_on_the_held_out_pairs() -> None:
    spectra = simulate("reims", batches=60, batch_size=2, channels=32, peaks=6, peak_width=10.0)
    bench = Workbench(spectra, STUDY)
    assert bench.design.hold_out is not None
    (item, second) = bench.hold_out_items(CONFIGURATION, seeds=2, epochs=2)
    assert item.key != second.key != bench.hold_out_items(CONFIGURATION, seeds=2, epochs=3)[1].key
    (result,) = train_stack([bench.task(item)], bench.data([item]))
    record = bench.record(item, result, worker="w", started_at=1.0, environment_id="e", threshold=0.25)
    (pairs,) = record.pairs
    held = bench.design.hold_out
    assert np.array_equal(pairs.left, held.pairs.left)
    assert pairs.threshold == 0.25
    assert not set(held.train) & set(pairs.left)
    assert record.metrics["auc"] == verification.auc(pairs.similarity, pairs.positive)


def test_small_studies_hold_nothing_out(bench: Workbench) -> None:
    (item,) = bench.hold_out_items(CONFIGURATION, seeds=1, epochs=2)
    with pytest.raises(RunError, match="holds nothing out"):
        bench.task(item)


@pytest.mark.parametrize("protocol", ["shared-batch", "random-pairs"])
def test_other_protocols_train_as_well(protocol: str) -> None:
    study = dataclasses.replace(STUDY, protocol=Protocol(name=protocol, seeds=1))  # type: ignore[arg-type]
    bench = Workbench(small_spectra(), study)
    item = bench.search_item(CONFIGURATION, 0, 0)
    (result,) = train_stack([bench.task(item)], bench.data([item]))
    record = bench.record(item, result, worker="w", started_at=1.0, environment_id="e")
    assert 0.0 <= record.score <= 1.0
