from __future__ import annotations

import dataclasses
import pkgutil
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import optuna
import pytest

from spectrosim_search.config.errors import InputError, RunError
from spectrosim_search.config.study import Budget, Ladder
from spectrosim_search.search import progress
from spectrosim_search.search.budget import Allowance, Usage, reserve_for
from spectrosim_search.search.driver import Interrupted, search
from spectrosim_search.search.driver_items import run_items
from spectrosim_search.search.lease import LeaseKeeper
from spectrosim_search.search.records import ReplicateRecord
from spectrosim_search.search.store import Store
from spectrosim_search.search.work_item import WorkItem
from spectrosim_search.search.workbench import CHANCE, Workbench
from spectrosim_search.search.workers.in_process import InProcessPool
from spectrosim_search.search.workers.pool import PoolEvent, WorkerDied
from tests.search.searching import ROOT, numbers, run_small, small_spectra, small_study


class Stop(Exception):
    """Stands for a driver that dies."""


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    study = small_study(10)
    return run_small(tmp_path_factory.mktemp("whole") / "a.db", study)


def test_a_search_ends_with_exactly_the_trials_asked_for(uninterrupted) -> None:  # type: ignore[no-untyped-def]
    outcome, record = uninterrupted
    states = Counter(t.state for t in record.trials)
    assert states["COMPLETE"] + states["PRUNED"] == 10 == len(record.trials)
    assert states["COMPLETE"] == outcome.complete >= 1
    assert states["PRUNED"] == outcome.pruned >= 1
    assert outcome.reason == ""
    assert len({r.key for r in record.replicates}) == len(record.replicates) == outcome.replicates
    assert record.search_seconds > 0
    assert record.design["folds"] == 3
    by_trial = {t.number: [r for r in record.replicates if r.trial_number == t.number] for t in record.trials}
    for trial in record.trials:
        cells = by_trial[trial.number]
        assert trial.configuration is not None
        assert trial.configuration.identity == trial.configuration_id == cells[0].configuration_id
        assert [r.cell for r in cells] == list(range(len(cells)))
        scores = [r.score for r in cells]
        assert list(trial.intermediate) == list(range(1, len(cells) + 1))
        for n, value in trial.intermediate.items():
            assert value == pytest.approx(sum(scores[:n]) / n)
        assert trial.value == pytest.approx(sum(scores) / len(scores))
        assert (len(cells) == 6) == (trial.state == "COMPLETE")
        assert bool(trial.reason) == (trial.state == "PRUNED")


def test_the_same_study_twice_is_the_same_number_for_number(uninterrupted, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    _, again = run_small(tmp_path / "b.db", small_study(10))
    assert numbers(again) == numbers(uninterrupted[1])


@pytest.mark.parametrize(
    "event",
    [
        progress.TrialEnded,
        pytest.param(progress.TrialStarted, marks=pytest.mark.slow),
        pytest.param(progress.TrialRung, marks=pytest.mark.slow),
        pytest.param(progress.ReplicateDone, marks=pytest.mark.slow),
    ],
)
def test_interrupted_anywhere_and_resumed_is_as_if_not(  # type: ignore[no-untyped-def]
    uninterrupted, tmp_path: Path, event: type[progress.Event]
) -> None:
    """The driver dies at every third event of a kind and is started again each time."""
    seen = 0

    def die(happened: progress.Event) -> None:
        nonlocal seen
        if type(happened) is event and not getattr(happened, "resumed", False):
            seen += 1
            if seen % 3 == 0:
                raise Stop

    deaths = 0
    for _ in range(60):
        try:
            run_small(tmp_path / "a.db", small_study(10), listener=die)
            break
        except Stop:
            deaths += 1
    assert deaths >= 2
    with Store(tmp_path / "a.db", read_only=True) as store:
        assert numbers(store.record("small")) == numbers(uninterrupted[1])


@pytest.mark.parametrize(
    "where",
    [
        "configured",
        "told",
        *(pytest.param(w, marks=pytest.mark.slow) for w in ("claimed", "written", "reported", "stored")),
    ],
)
def test_a_driver_that_dies_between_two_writes(  # type: ignore[no-untyped-def]
    uninterrupted, tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each place where two writes belong together but cannot be one."""
    target = {
        "claimed": "spectrosim_search.search.driver_trials.TrialBook.ask",
        "written": "spectrosim_search.search.store.Store.add_configuration",
        "configured": "spectrosim_search.search.store_slots.start",
        "reported": "spectrosim_search.search.driver_trials.TrialBook.tell",
        "told": "spectrosim_search.search.store_slots.finish",
        "stored": "spectrosim_search.search.driver_field.Field.add_result",
    }[where]
    module, _, name = target.rpartition(".")
    owner = pkgutil.resolve_name(module)
    original = getattr(owner, name)
    for call in (2, 5):
        left = call

        def die(*args: object, **kwargs: object) -> object:
            nonlocal left
            left -= 1
            if left == 0:
                raise Stop
            return original(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(owner, name, die)
            with pytest.raises(Stop):
                run_small(tmp_path / "a.db", small_study(10))
    _, record = run_small(tmp_path / "a.db", small_study(10))
    assert numbers(record) == numbers(uninterrupted[1])


@pytest.mark.slow
def test_records_of_a_unit_may_come_one_by_one_or_all_at_once(tmp_path: Path) -> None:
    """A worker of another process hands over what is ready, and Ctrl-C waits for the rest of a unit: a trial is judged
    by the same cells."""

    class AtOnce(InProcessPool):
        def events(self, timeout: float) -> list[PoolEvent]:
            out = super().events(timeout)
            while self._left:
                out += super().events(timeout)
            return out

    spectra, study = small_spectra(), small_study(10, options=["protocol.seeds=4"])
    found = []
    for name, pool in (("one", InProcessPool), ("all", AtOnce)):
        with Store(tmp_path / f"{name}.db") as store:
            search(store, Workbench(spectra, study), pool(spectra, study))
            found.append(numbers(store.record("small")))
    assert found[0] == found[1]


def test_more_trials_go_on_where_the_study_ended(uninterrupted, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    outcome, _ = run_small(tmp_path / "a.db", small_study(8))
    assert outcome.complete + outcome.pruned == 8
    outcome, record = run_small(tmp_path / "a.db", small_study(8))
    assert outcome.complete + outcome.pruned == 8
    assert len(record.trials) == 8
    outcome, record = run_small(tmp_path / "a.db", small_study(9))
    assert outcome.complete + outcome.pruned == 9
    assert numbers(record)["trials"][:8] == numbers(uninterrupted[1])["trials"][:8]


def test_fewer_trials_than_were_begun_do_not_wait_for_the_others(tmp_path: Path) -> None:
    """The driver dies while the first trials wait at the first rung for one that is no longer asked for."""
    seen = 0

    def die(happened: progress.Event) -> None:
        nonlocal seen
        seen += isinstance(happened, progress.ReplicateDone)
        if seen == 3:
            raise Stop

    with pytest.raises(Stop):
        run_small(tmp_path / "a.db", small_study(20), listener=die)

    outcome, _ = run_small(tmp_path / "a.db", small_study(3))
    assert outcome.complete + outcome.pruned == 3
    with Store(tmp_path / "a.db", read_only=True) as store:
        assert store.status("small").running == 1


def test_optuna_sees_pruned_trials_with_their_reports(tmp_path: Path) -> None:
    run_small(tmp_path / "a.db", small_study(6))
    study = optuna.load_study(study_name="small", storage=f"sqlite:///{tmp_path / 'a.db'}")
    pruned = [t for t in study.trials if t.state == optuna.trial.TrialState.PRUNED]
    assert pruned
    assert all(t.intermediate_values and t.user_attrs["reason"] for t in pruned)
    assert study.direction == optuna.study.StudyDirection.MAXIMIZE


def test_known_good_configurations_come_first(uninterrupted) -> None:  # type: ignore[no-untyped-def]

    wanted = [dict(entry) for entry in small_study(10).known_good]
    assert len(wanted) == 2
    for values, trial in zip(wanted, uninterrupted[1].trials):
        assert dict(trial.parameters) == values


def test_diverged_replicates_score_chance_and_prune_their_trial(tmp_path: Path) -> None:
    """Intensities beyond what single precision can square, and nothing that scales them."""
    spectra = small_spectra()
    huge = dataclasses.replace(spectra, intensities=(spectra.intensities * np.float32(1e32)))
    study = small_study(3, options=["preprocessing.intensity=none", "preprocessing.scale=none"])
    with Store(tmp_path / "a.db") as store:
        outcome = search(store, Workbench(huge, study), InProcessPool(huge, study))
        record = store.record("small")
    assert outcome.pruned == 3
    assert {r.status for r in record.replicates} == {"diverged"}
    assert {r.score for r in record.replicates} == {CHANCE[study.metric]}
    assert len(record.replicates) == 3, "one cell is enough"
    for trial in record.trials:
        assert (trial.state, trial.value) == ("PRUNED", 0.5)
        assert trial.reason.startswith("cell 0 diverged")


def test_data_a_configuration_cannot_take_prune_its_trial(tmp_path: Path) -> None:
    """Negative intensities and a square root: the configuration's matter, not the study's."""
    spectra = small_spectra()
    negative = dataclasses.replace(spectra, intensities=spectra.intensities - spectra.intensities.mean())
    study = small_study(4, options=["preprocessing.intensity=sqrt", "preprocessing.baseline=none"])
    with Store(tmp_path / "a.db") as store:
        outcome = search(store, Workbench(negative, study), InProcessPool(negative, study))
        record = store.record("small")
    assert outcome.pruned == 4
    assert {r.status for r in record.replicates} == {"failed"}
    assert all("negative" in t.reason for t in record.trials)
    assert all(t.value == 0.5 for t in record.trials)


class Stacking(InProcessPool):
    """Trains up to three replicates together, as a GPU does."""

    capacity = 3


def test_stacks_train_what_single_replicates_would(uninterrupted, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    spectra, study = small_spectra(), small_study(6)
    sizes: list[int] = []

    class Counting(Stacking):
        def submit(self, items: Sequence[WorkItem]) -> None:
            sizes.append(len(items))
            super().submit(items)

    with Store(tmp_path / "a.db") as store:
        outcome = search(store, Workbench(spectra, study), Counting(spectra, study))
        record = store.record("small")
    assert outcome.complete + outcome.pruned == 6
    assert max(sizes) == 3
    alone = {r.key: r.score for r in uninterrupted[1].replicates}
    shared = [r for r in record.replicates if r.key in alone and r.status == "finished"]
    assert len(shared) >= 6
    # Summation order differs in a stack; on a dozen pairs a swapped rank or two moves a single score visibly.
    differences = [abs(r.score - alone[r.key]) for r in shared]
    assert statistics.median(differences) < 0.03
    assert statistics.fmean(differences) < 0.06


def test_trials_of_other_bins_do_not_share_a_stack(tmp_path: Path) -> None:
    spectra = small_spectra()
    study = small_study(8, vary=["preprocessing.binning=1|2|3"])
    stacks: list[set[int]] = []

    class Watching(Stacking):
        def submit(self, items: Sequence[WorkItem]) -> None:
            stacks.append({item.configuration.preprocessing.binning for item in items})
            super().submit(items)

    with Store(tmp_path / "a.db") as store:
        outcome = search(store, Workbench(spectra, study), Watching(spectra, study))
        record = store.record("small")
    assert outcome.complete + outcome.pruned == 8
    assert {r.status for r in record.replicates} == {"finished"}
    assert all(len(bins) == 1 for bins in stacks)
    assert len(set[int]().union(*stacks)) > 1


def test_trials_asked_for_together_train_in_one_stack(tmp_path: Path) -> None:
    """With `sampler.batch` the trials of a batch share an architecture and differ in the rest."""
    spectra = small_spectra()
    study = small_study(
        11, options=["sampler.batch=3"], vary=["encoder.width=8|16|32", "head.out=4|8|16", "training.batch_size=8|12"]
    )
    first: list[set[int]] = []

    class Watching(Stacking):
        def submit(self, items: Sequence[WorkItem]) -> None:
            if all(item.cell == 0 for item in items):
                first.append({item.trial_number or 0 for item in items})
            super().submit(items)

    with Store(tmp_path / "a.db") as store:
        search(store, Workbench(spectra, study), Watching(spectra, study))
        trials = store.record("small").trials
    shapes = ("encoder.width", "head.out", "training.batch_size", "positives.source")
    known = len(study.known_good)
    of_batches = []
    for start in range(3, 11, 3):
        batch = [dict(t.parameters) for t in trials[start : start + 3]]
        assert len({tuple(values[key] for key in shapes) for values in batch}) == 1
        assert len({values["objective.temperature"] for values in batch}) == len(batch)
        of_batches.append(tuple(batch[0][key] for key in shapes))
    assert known < 3
    assert len(set(of_batches)) > 1, "batches differ from each other"
    assert {3, 4, 5} in first
    assert {6, 7, 8} in first
    alone = run_small(tmp_path / "b.db", study)[1]
    assert [t.parameters for t in alone.trials[:6]] == [t.parameters for t in trials[:6]], "whatever the pool holds"


class Deadly(InProcessPool):
    """A real pool, but the process that trains one of the named cells dies."""

    def __init__(self, *args, deadly: int, times: int) -> None:  # type: ignore[no-untyped-def]
        super().__init__(*args)
        self.deadly, self.times, self.lost = deadly, times, Counter[str]()

    def events(self, timeout: float) -> list[PoolEvent]:
        if self._waiting and self._waiting[0][0].trial_number == self.deadly:
            key = self._waiting[0][0].key
            if self.lost[key] < self.times:
                self.lost[key] += 1
                self._waiting.popleft()
                return [WorkerDied("main", "its process ended unexpectedly", (key,))]
        return super().events(timeout)


def test_a_replicate_that_kills_one_worker_is_trained_again(uninterrupted, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    spectra, study = small_spectra(), small_study(10)
    with Store(tmp_path / "a.db") as store:
        search(store, Workbench(spectra, study), Deadly(spectra, study, deadly=3, times=1))
        assert numbers(store.record("small")) == numbers(uninterrupted[1])


def test_a_replicate_that_kills_two_workers_fails_its_trial_and_frees_its_slot(tmp_path: Path) -> None:
    spectra, study = small_spectra(), small_study(6)
    with Store(tmp_path / "a.db") as store:
        outcome = search(store, Workbench(spectra, study), Deadly(spectra, study, deadly=3, times=2))
        record = store.record("small")
        status = store.status("small")
    states = [t.state for t in record.trials]
    assert states[3] == "FAIL"
    assert "killed 2 workers" in record.trials[3].reason
    assert outcome.complete + outcome.pruned == 6 == states.count("COMPLETE") + states.count("PRUNED")
    assert outcome.failed == status.failed == 1
    assert len({t.configuration_id for t in record.trials}) == 7, "the next attempt asks for something else"


def test_a_search_gives_up_where_every_trial_kills_its_workers(tmp_path: Path) -> None:
    class Doomed(Deadly):
        def events(self, timeout: float) -> list[PoolEvent]:
            self.deadly = (self._waiting[0][0].trial_number or 0) if self._waiting else 0
            return super().events(timeout)

    spectra, study = small_spectra(), small_study(6)
    with Store(tmp_path / "a.db") as store, pytest.raises(RunError, match="3 trials in a row"):
        search(store, Workbench(spectra, study), Doomed(spectra, study, deadly=0, times=2))


def test_other_data_and_other_questions_are_refused(tmp_path: Path) -> None:
    run_small(tmp_path / "a.db", small_study(2))
    other = small_spectra(seed=1)
    study = small_study(2)
    with Store(tmp_path / "a.db") as store:
        with pytest.raises(InputError, match="other data"):
            search(store, Workbench(other, study), InProcessPool(other, study))
        changed = dataclasses.replace(study, ladder=Ladder(minimum=3))
        with pytest.raises(InputError, match=r"another question: ladder\.minimum"):
            search(store, Workbench(small_spectra(), changed), InProcessPool(small_spectra(), changed))


def test_curves_stop_replicates_that_fall_behind(tmp_path: Path) -> None:
    study = small_study(24, options=["training.epochs=10"], ladder=Ladder(rungs=(6,), keep=1.0, minimum=1, p_value=0.0))
    spectra = small_spectra()
    bench = Workbench(spectra, study)
    with Store(tmp_path / "a.db") as store:
        search(store, bench, InProcessPool(spectra, study))
        record = store.record("small")
    stopped = [r for r in record.replicates if r.status == "stopped"]
    assert stopped, "with 24 trials some curve lies below the lowest fifth"
    for r in stopped:
        trial = record.trials[r.trial_number or 0]
        assert trial.state == "PRUNED"
        own = [x for x in record.replicates if x.trial_number == r.trial_number]
        first = min(x.cell for x in own if x.status == "stopped")
        assert f"cell {first} stopped" in trial.reason
        assert 3 < len(r.curve) <= 11, "not in the warm-up"
    first = [r for r in record.replicates if r.cell == 0]
    assert all(r.status == "finished" for r in first[:8]), "not before eight curves"


def test_budgets_end_a_search_before_its_trials_are_done(tmp_path: Path) -> None:
    study = dataclasses.replace(small_study(50), budget=Budget(trials=50, replicates=20))
    allowance = Allowance(study.budget, reserve_replicates=lambda usage: 5)
    outcome, record = run_small(tmp_path / "a.db", study, allowance=allowance)
    assert len(record.replicates) == 15
    assert outcome.reason == "15 replicates are trained, 5 are kept for the confirmation"
    study = dataclasses.replace(study, budget=Budget(trials=50, minutes=1.0))
    outcome, again = run_small(
        tmp_path / "a.db", study, allowance=Allowance(study.budget, reserve_seconds=lambda usage: 60.0)
    )
    assert "minutes are used up" in outcome.reason
    assert len(again.replicates) == 15


def test_a_search_that_is_done_says_nothing_of_its_budget(tmp_path: Path) -> None:
    done, _ = run_small(tmp_path / "a.db", small_study(4))
    late = dataclasses.replace(small_study(4), budget=Budget(trials=4, minutes=1e-6))
    again, record = run_small(tmp_path / "a.db", late)
    assert done.reason == again.reason == ""
    assert again.complete + again.pruned == 4 == len(record.trials)


def test_a_search_without_time_finishes_one_trial_and_no_more(tmp_path: Path) -> None:
    study = dataclasses.replace(small_study(50), budget=Budget(trials=50, minutes=1.0))
    late = Allowance(study.budget, reserve_seconds=lambda usage: 60.0)
    outcome, record = run_small(tmp_path / "a.db", study, allowance=late)
    assert "minutes are used up" in outcome.reason
    assert [t.state for t in record.trials if t.value is not None] == ["COMPLETE"]
    assert len(record.replicates) == 6, "one trial, all its cells"
    _, again = run_small(tmp_path / "a.db", study, allowance=late)
    assert len(again.replicates) == 6, "there is one now"
    counted = dataclasses.replace(study, budget=Budget(trials=50, minutes=1.0, replicates=2))
    both = Allowance(counted.budget, reserve_seconds=lambda usage: 60.0)
    _, few = run_small(tmp_path / "b.db", counted, allowance=both)
    assert len(few.replicates) == 2, "what is counted is not exceeded"


def test_reserve_follows_the_pace_up_to_its_share() -> None:
    study = dataclasses.replace(small_study(5), budget=Budget(minutes=10))
    reserve = reserve_for(study, folds=3)
    usage = Usage(0.0, 0, 0, 0, float("nan"), 2)
    assert reserve(usage) == 300.0
    count = (study.confirmation.finalists + len(study.confirmation.presets)) * study.confirmation.seeds * 3
    assert reserve(dataclasses.replace(usage, mean_replicate_seconds=1.0)) == count / 2
    assert reserve(dataclasses.replace(usage, mean_replicate_seconds=100.0)) == 300.0


def test_fixed_items_are_trained_once_and_in_order(tmp_path: Path) -> None:
    spectra, study = small_spectra(), small_study(1)
    _, record = run_small(tmp_path / "a.db", study)
    configuration = record.trials[0].configuration
    assert configuration is not None
    bench = Workbench(spectra, study)
    items = bench.confirmation_items(configuration, seeds=2, trial_number=0)
    assert [(i.fold, i.seed) for i in items] == [(f, s) for s in (1000, 1001) for f in (0, 1, 2)]
    seen: list[str] = []

    def note(result: ReplicateRecord) -> None:
        seen.append(result.key)

    with Store(tmp_path / "a.db") as store:
        some = run_items(InProcessPool(spectra, study), items, store, note, study="small", go_on=lambda: len(seen) < 3)
        assert [r.key for r in some] == [i.key for i in items[:3]]
        whole = run_items(InProcessPool(spectra, study), items, store, note, study="small")
        assert [r.key for r in whole] == [i.key for i in items]
        assert seen == [i.key for i in items[:3]] * 2 + [i.key for i in items[3:]]
        assert len(store.replicates("small", "confirm")) == 6
    assert {r.phase for r in whole} == {"confirm"}
    assert not {r.key for r in whole} & {r.key for r in record.replicates}


class Pressed(InProcessPool):
    """Presses Ctrl-C while the named replicate trains."""

    def __init__(self, *args, at: Sequence[int]) -> None:  # type: ignore[no-untyped-def]
        super().__init__(*args)
        self.at, self.count = list(at), 0

    def submit(self, items: Sequence[WorkItem]) -> None:
        self.count += 1
        for _ in range(self.at.count(self.count)):
            signal.raise_signal(signal.SIGINT)
        super().submit(items)


def test_the_first_interrupt_lets_replicates_end_and_the_study_goes_on(uninterrupted, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    spectra, study = small_spectra(), small_study(10)
    for at, stored in ((5, 6), (3, 14)):  # a unit may be of several replicates
        with Store(tmp_path / "a.db") as store, pytest.raises(Interrupted, match="goes on") as caught:
            search(store, Workbench(spectra, study), Pressed(spectra, study, at=[at]))
        assert caught.value.exit_code == 130
        with Store(tmp_path / "a.db", read_only=True) as store:
            assert len(store.record("small").replicates) == stored
            assert store.status("small").drivers == (), "the lease is given back"
    _, record = run_small(tmp_path / "a.db", small_study(10))
    assert numbers(record) == numbers(uninterrupted[1])


def test_replicates_without_grace_are_trained_again(uninterrupted, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    spectra, study = small_spectra(), small_study(10)
    with Store(tmp_path / "a.db") as store, pytest.raises(Interrupted):
        search(store, Workbench(spectra, study), Pressed(spectra, study, at=[5]), grace=0.0)
    with Store(tmp_path / "a.db", read_only=True) as store:
        assert len(store.record("small").replicates) == 4
    _, record = run_small(tmp_path / "a.db", small_study(10))
    assert numbers(record) == numbers(uninterrupted[1])


def test_the_second_interrupt_stops_at_once(tmp_path: Path) -> None:
    spectra, study = small_spectra(), small_study(10)
    before = signal.getsignal(signal.SIGINT)
    with Store(tmp_path / "a.db") as store, pytest.raises(Interrupted):
        search(store, Workbench(spectra, study), Pressed(spectra, study, at=[4, 4]))
    with Store(tmp_path / "a.db", read_only=True) as store:
        assert len(store.record("small").replicates) == 3
    assert signal.getsignal(signal.SIGINT) is before


def _start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.search.searching", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)


def _wait_for(file: Path, replicates: int) -> None:
    for _ in range(600):
        if file.is_file():
            try:
                with Store(file, read_only=True) as store:
                    if sum(store.status("small").replicates.values()) >= replicates:
                        return
            except InputError:
                pass  # not there yet
        time.sleep(0.05)
    raise AssertionError("the driver stored nothing")


@pytest.mark.slow
def test_a_killed_driver_loses_nothing(uninterrupted, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """SIGKILL in mid-study, twice, then another hash seed of Python: the same study, number for number."""
    file = tmp_path / "a.db"
    for replicates in (6, 15):
        child = _start(str(file), "0", "trials=10")
        _wait_for(file, replicates)
        child.kill()
        child.communicate()
    done = _start(str(file), "0", "trials=10")
    output = done.communicate(timeout=120)[0]
    assert done.returncode == 0, output
    with Store(file, read_only=True) as store:
        assert numbers(store.record("small")) == numbers(uninterrupted[1])


def test_a_driver_that_is_refused_changes_nothing(tmp_path: Path) -> None:
    run_small(tmp_path / "a.db", small_study(1))
    with Store(tmp_path / "a.db") as store, LeaseKeeper(store.engine, store.study_id("small")):
        with pytest.raises(InputError, match="being worked on"):
            run_small(tmp_path / "a.db", small_study(500))
        assert store.status("small").asked == 1
        assert store.record("small").study.budget.trials == 1


@pytest.mark.slow
def test_a_second_driver_on_one_sqlite_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    child = _start(str(file), "0", "trials=500")
    try:
        _wait_for(file, 1)
        with pytest.raises(InputError, match=f"worked on by process {child.pid}"):
            run_small(file, small_study(10))
        with Store(file) as store, pytest.raises(InputError, match="being worked on"):
            store.delete("small")
    finally:
        child.send_signal(signal.SIGINT)
        output = child.communicate(timeout=60)[0]
    assert child.returncode == 130, output
    assert "goes on with study 'small'" in output
