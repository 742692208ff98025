from __future__ import annotations

import dataclasses
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from spectrosim_search.config.errors import InputError, RunError
from spectrosim_search.config.study import Budget, DataSource, Study
from spectrosim_search.evaluation.posterior import Posterior
from spectrosim_search.evaluation.scores import Estimate, PairScores
from spectrosim_search.search import store_schema
from spectrosim_search.search.documents import load_preset, load_study
from spectrosim_search.search.lease import LeaseKeeper
from spectrosim_search.search.records import (
    AxisView,
    BaselineRecord,
    ConfirmationRecord,
    DatasetRecord,
    EnvironmentRecord,
    MethodRow,
    ReplicateRecord,
    VerdictRecord,
)
from spectrosim_search.search.store import Store, redacted
from spectrosim_search.search.store_blobs import pack, unpack
from spectrosim_search.search.store_codec import from_json, to_json
from spectrosim_search.search.store_engine import locate
from spectrosim_search.search.store_tables import VERSION_TABLE, Base
from tests.search.searching import ROOT

DATASET = DatasetRecord("f" * 16, "fish", 36, 64, 12, 2, "m/z", 77.0, 999.0)
ENVIRONMENT = EnvironmentRecord("e1", {"torch": "2"}, {"cores": "2"})
NAN = float("nan")


def scored(seed: int, n: int = 30) -> PairScores:
    rng = np.random.default_rng(seed)
    return PairScores(
        left=np.arange(n, dtype=np.int64),
        right=np.arange(n, dtype=np.int64) + 1,
        positive=np.arange(n) % 3 == 0,
        stratum=np.arange(n, dtype=np.int64) % 4 - 1,
        similarity=rng.normal(size=n).astype(np.float32),
        threshold=float(rng.normal()),
    )


def replicate(key: str, **changes: object) -> ReplicateRecord:
    base = ReplicateRecord(
        key=key,
        phase="search",
        configuration_id="c1",
        trial_number=3,
        cell=1,
        fold=1,
        seed=0,
        status="finished",
        reason="",
        score=0.71,
        metrics={"auc": 0.7, "mcc": NAN},
        curve=np.random.default_rng(0).random((5, 2)).astype(np.float32),
        loss=np.ones(4, dtype=np.float32),
        chosen_epochs=(2, 4),
        pairs=(scored(len(key)), scored(7)),
        worker="worker 1",
        started_at=1.5e9,
        train_seconds=1.25,
        total_seconds=1.5,
        environment_id=ENVIRONMENT.id,
    )
    return dataclasses.replace(base, **changes)  # type: ignore[arg-type]


def same(a: object, b: object) -> bool:
    """Equality that looks into arrays and takes NaN for equal to NaN."""
    if dataclasses.is_dataclass(a) and type(a) is type(b):
        return all(same(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a))
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return a == b or (isinstance(a, float) and isinstance(b, float) and np.isnan(a) and np.isnan(b))


@pytest.fixture
def store(tmp_path: Path):  # type: ignore[no-untyped-def]
    with Store(tmp_path / "study.db") as made:
        made.open_study(Study(name="fish"), DATASET, {"folds": 3})
        yield made


def test_blobs_keep_every_array() -> None:
    arrays = {
        "a": np.arange(6, dtype=np.int32).reshape(2, 3),
        "empty": np.zeros((0, 2), dtype=np.float32),
        "flags": np.array([True, False]),
        "scalar": np.float64(np.pi).reshape(()),
    }
    back = unpack(pack(arrays))
    assert list(back) == list(arrays)
    for name, array in arrays.items():
        assert same(np.asarray(array), np.asarray(back[name]))


def test_blobs_refuse_objects_and_damage() -> None:
    with pytest.raises(TypeError, match="type object"):
        pack({"a": np.array([object()])})
    blob = pack({"a": np.arange(100)})
    for damaged in (blob[:-8], b"", b"y" + blob[1:], blob[:20] + bytes([blob[20] ^ 255]) + blob[21:]):
        with pytest.raises(RunError, match="damaged"):
            unpack(damaged)


@pytest.mark.parametrize("name", ["quick", "transformer"])
def test_studies_and_configurations_come_back_equal(name: str) -> None:
    study = load_study(name)
    assert from_json(Study, to_json(study)) == study
    for preset in ("spectrosim-paper", "spectrosim-chapter"):
        configuration = load_preset(preset)
        back = from_json(type(configuration), to_json(configuration))
        assert back == configuration
        assert back.identity == configuration.identity


def test_codec_refuses_unknown_fields() -> None:
    with pytest.raises(ValueError, match="no field surprise"):
        from_json(Study, '{"name": "x", "surprise": 1}')


def test_replicates_come_back_equal_and_count_once(store: Store) -> None:
    first = replicate("k1")
    other = replicate("k22", score=NAN, status="diverged", reason="loss is not finite", trial_number=None)
    assert store.add_replicate("fish", first, ENVIRONMENT)
    assert store.add_replicate("fish", other, ENVIRONMENT)
    assert not store.add_replicate("fish", replicate("k1", score=0.1), ENVIRONMENT), "the first one counts"
    record = store.record("fish")
    assert len(record.replicates) == 2
    assert same(record.replicates[0], first)
    assert same(record.replicates[1], other)
    assert record.environments == (ENVIRONMENT,)
    assert [r.key for r in store.replicates("fish", "search", skip=frozenset({"k1"}))] == ["k22"]
    assert store.replicates("fish", "confirm") == ()


def test_pair_indices_are_stored_once(store: Store) -> None:
    for i in range(5):
        store.add_replicate("fish", replicate(f"k{i}"), ENVIRONMENT)
    with store.engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM spectrosim_pair_sets")).scalar() == 1
    one, two, *_ = store.record("fish").replicates
    assert one.pairs[0].left is two.pairs[0].left


def test_baselines_and_confirmation_come_back_equal(store: Store) -> None:
    estimate = Estimate(0.7, 0.6, 0.8, 0.05)
    row = MethodRow("winner", "winner", "winner", "c1", 30, {"auc": estimate}, 0.01, None, NAN, "", "")
    confirmation = ConfirmationRecord(
        created_at=1.0,
        scoring="corrected-cv",
        metric="matched_auc",
        rows=(row, dataclasses.replace(row, name="cosine", difference=estimate)),
        verdict=VerdictRecord(
            "cannot tell",
            "It cannot be told.",
            estimate,
            "linear-metric",
            0.01,
            Posterior(0.01, 0.6, 0.3, 0.1),
            Estimate(0.4, -0.1, 0.9),
        ),
        winner_trial=4,
        winner_configuration_id="c1",
        export_kind="model",
        leakage={"auc": 0.5},
        threshold=0.2,
        epochs=17,
        pairs=(scored(1),),
        embedding=np.zeros((0, 2), dtype=np.float32),
        warnings=("few groups",),
        group_names=("a", "b"),
        group_codes=np.array([0, 0, 1, -1], dtype=np.int64),
        axis_view=AxisView(
            axis=np.linspace(1, 2, 5),
            spectrum=np.arange(5, dtype=np.float32),
            gradients=np.ones((3, 5), dtype=np.float32),
            shuffled=np.zeros((3, 5), dtype=np.float32),
            activations=np.zeros((0, 5), dtype=np.float32),
            gap=0.02,
            pairs=17,
        ),
    )
    baseline = BaselineRecord("cosine", "plain cosine", (scored(2), scored(3)), "", 0.5)
    for _ in range(2):  # a second one takes the place of the first
        store.set_baseline("fish", baseline)
        store.set_confirmation("fish", confirmation)
    record = store.record("fish")
    assert same(record.baselines, (baseline,))
    assert same(record.confirmation, confirmation)
    status = store.status("fish")
    assert status.confirmed
    assert status.outcome == "It cannot be told."


def test_a_verdict_stored_before_probabilities_were_kept_still_reads() -> None:
    old = {"outcome": "better", "sentence": "Better.", "best_baseline": "cosine", "optimism": 0.01}
    difference = {"value": 0.05, "low": 0.01, "high": 0.09, "standard_error": 0.02, "note": ""}
    verdict = from_json(VerdictRecord, json.dumps(old | {"difference": difference}))
    assert verdict.difference.low == 0.01 and verdict.posterior is None and verdict.effect is None


def test_a_study_goes_on_with_another_budget_and_path_only(store: Store) -> None:
    moved = Study(name="fish", budget=Budget(trials=99), data=DataSource(path="elsewhere.csv"))
    store.open_study(moved, DATASET, {})
    assert store.record("fish").study.budget.trials == 99
    other_data = dataclasses.replace(DATASET, fingerprint="0" * 16, spectra=40)
    with pytest.raises(InputError, match=r"other data: fish \(36 × 64.*now fish \(40 × 64"):
        store.open_study(moved, other_data, {})
    with pytest.raises(InputError, match='another question: metric was "matched_auc", is "auc", seed was 0, is 1'):
        store.open_study(dataclasses.replace(moved, metric="auc", seed=1), DATASET, {})
    assert store.record("fish").study.metric == "matched_auc"


def test_unknown_studies_offer_the_nearest_name(store: Store) -> None:
    with pytest.raises(InputError, match=r"no study 'fsh'.*did you mean 'fish'"):
        store.record("fsh")


def test_delete_takes_nothing_where_one_of_the_searches_is_worked_on(store: Store) -> None:
    inner = [store.open_study(Study(name=f"fish/outer-{number}"), DATASET, {}) for number in (1, 2)]
    for busy in (store.study_id("fish"), inner[1]):
        with LeaseKeeper(store.engine, busy), pytest.raises(InputError, match="stop it first"):
            store.delete("fish")
        assert [s.name for s in store.studies(inner=True)] == ["fish", "fish/outer-1", "fish/outer-2"]
    store.delete("fish")
    assert store.studies(inner=True) == ()


def test_delete_leaves_nothing_of_a_study_and_all_of_the_others(store: Store) -> None:
    store.open_study(Study(name="other"), dataclasses.replace(DATASET, fingerprint="a" * 16), {})
    configuration = load_preset("spectrosim-paper")
    store.add_configuration(configuration)
    for name in ("fish", "other"):
        store.optuna_study(name).ask()
        changed = replicate("k1", configuration_id=configuration.identity if name == "fish" else "c2")
        store.add_replicate(name, changed, ENVIRONMENT)
        store.set_baseline(name, BaselineRecord("cosine", "cosine", (scored(2),), "", 0.5))
    store.delete("fish")
    assert [s.name for s in store.studies()] == ["other"]
    assert len(store.record("other").trials) == 1
    with store.engine.connect() as connection:
        tables = [t for t in Base.metadata.tables if t not in ("spectrosim_trials", "spectrosim_leases")]
        counts = {t: connection.execute(sa.text(f"SELECT count(*) FROM {t}")).scalar() for t in tables}
    assert counts == {
        "spectrosim_datasets": 1,
        "spectrosim_environments": 1,
        "spectrosim_configurations": 0,
        "spectrosim_studies": 1,
        "spectrosim_trial_costs": 0,
        "spectrosim_pair_sets": 1,  # the same pairs everywhere
        "spectrosim_replicates": 1,
        "spectrosim_baselines": 1,
        "spectrosim_baseline_fits": 0,
        "spectrosim_confirmations": 0,
    }
    with pytest.raises(InputError, match="no study 'fish'"):
        store.status("fish")


def test_tables_of_the_migrations_are_those_of_the_code(store: Store) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    store.optuna_study("fish")  # Optuna's tables must not be seen
    with store.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_object": store_schema.ours, "version_table": VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, Base.metadata) == []


def test_optuna_and_the_store_keep_versions_apart(tmp_path: Path) -> None:
    import optuna

    url = f"sqlite:///{tmp_path / 'a.db'}"
    optuna.create_study(storage=url, study_name="theirs")  # Optuna first
    with Store(url) as store:
        store.open_study(Study(name="ours"), DATASET, {})
        store.optuna_study("ours")
        assert {s.study_name for s in store.optuna_storage().get_all_studies()} == {"theirs", "ours"}
    with Store(url) as store:
        assert [s.name for s in store.studies()] == ["ours"]


def test_newer_databases_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    Store(file).close()
    with sqlite3.connect(file) as connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '0099_from_the_future'")
    connection.close()
    for read_only in (False, True):
        with pytest.raises(InputError, match="newer version of spectrosim-search"):
            Store(file, read_only=read_only)


def test_sqlite_settings(store: Store) -> None:
    store.optuna_study("fish")
    storage = store._storage
    assert storage is not None
    for engine in (store.engine, storage[0].engine):
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 60_000


def test_plain_journal_and_a_warning_on_network_file_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spectrosim_search.search.store_engine.on_network", lambda file: True)
    with pytest.warns(RuntimeWarning, match="network file system"):
        store = Store(tmp_path / "a.db")
    with store, store.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "delete"


def test_read_only_creates_and_changes_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no study database"):
        Store(tmp_path / "missing.db", read_only=True)
    assert list(tmp_path.iterdir()) == []
    sqlite3.connect(tmp_path / "empty.db").close()
    (tmp_path / "empty.db").write_bytes(b"")
    with pytest.raises(InputError, match="no studies in"):
        Store(tmp_path / "empty.db", read_only=True)
    (tmp_path / "empty.db").unlink()
    file = tmp_path / "a #1%.db"
    with Store(file) as store:
        store.open_study(Study(name="fish"), DATASET, {})
        store.optuna_study("fish").ask()
        store.add_replicate("fish", replicate("k"), ENVIRONMENT)
    before = file.read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == [file.name], "a closed study is one file"
    with Store(file, read_only=True) as store:
        assert store.status("fish").replicates == {"search": 1}
        assert len(store.record("fish").trials) == 1
        with pytest.raises(InputError, match="read-only"):
            store.add_seconds("fish", "search", 1.0)
    assert file.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [file.name]


def test_readers_see_a_study_while_it_is_written(store: Store, tmp_path: Path) -> None:
    store.add_replicate("fish", replicate("k1"), ENVIRONMENT)
    with Store(tmp_path / "study.db", read_only=True) as reader:
        assert reader.status("fish").replicates == {"search": 1}
        store.add_replicate("fish", replicate("k2"), ENVIRONMENT)
        assert reader.status("fish").replicates == {"search": 2}


def test_status_needs_nothing_heavy(store: Store, tmp_path: Path) -> None:
    code = (
        "import sys; from spectrosim_search.search.store import Store\n"
        f"print(Store({str(tmp_path / 'study.db')!r}, read_only=True).status('fish').name)\n"
        "print([m for m in ('torch', 'ray', 'sklearn', 'pandas', 'optuna', 'scipy', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split("\n")[:2] == ["fish", "[]"]


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no directory"):
        Store(tmp_path / "no" / "where" / "a.db")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="no directory"):
        Store(tmp_path / "file" / "a.db")
    with pytest.raises(InputError, match="is a directory"):
        Store(tmp_path)
    (tmp_path / "text.db").write_text("this is no database, but a text that is long enough to be looked at" * 9)
    with pytest.raises(InputError, match="not an SQLite database"):
        Store(tmp_path / "text.db")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permissions do not bind the superuser")
def test_unwritable_directory(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(InputError, match="directory exists and can be written"):
            Store(tmp_path / "a.db")
    finally:
        tmp_path.chmod(0o755)


def test_locked_database(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = sqlite3.connect(tmp_path / "study.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr("spectrosim_search.search.store_engine.BUSY_SECONDS", 0.2)
    try:
        with Store(tmp_path / "study.db", read_only=True) as reader:
            assert reader.status("fish").name == "fish", "reading goes on"
        with pytest.raises(InputError, match="locked by another program"):
            Store(tmp_path / "study.db")
    finally:
        other.close()


def test_full_disk(store: Store) -> None:
    """SQLite's own page limit raises what a full disk raises."""

    def limit(connection: sqlite3.Connection, record: object) -> None:
        connection.execute("PRAGMA max_page_count=60")

    store.engine.dispose()
    sa.event.listen(store.engine, "connect", limit)
    noise = np.random.default_rng(0).random((40_000, 2)).astype(np.float32)
    store.add_replicate("fish", replicate("small"), ENVIRONMENT)
    with pytest.raises(InputError, match=r"disk that holds .*study\.db is full"):
        store.add_replicate("fish", replicate("large", curve=noise), ENVIRONMENT)
    assert [r.key for r in store.record("fish").replicates] == ["small"]


def test_urls_and_passwords() -> None:
    secret = "postgresql://anna:geheim@db.example/lab?password=geheim2&sslmode=require"
    assert "geheim" not in redacted(secret)
    assert "anna" in redacted(secret)
    assert locate(secret).drivername == "postgresql+psycopg"
    assert locate("postgres://h/d").drivername == "postgresql+psycopg"
    assert str(locate("some/file.db")) == "sqlite:///some/file.db"
    for wrong in ("sqlite://", "sqlite:///:memory:"):
        with pytest.raises(InputError, match="needs a database file"):
            locate(wrong)
    with pytest.raises(InputError) as caught:
        Store("nonsense://anna:geheim@x/y")
    assert "geheim" not in str(caught.value)
    with pytest.raises(InputError) as caught:
        Store("postgresql://anna:geheim@127.0.0.1:1/lab")
    assert "geheim" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_many_processes_create_one_database(tmp_path: Path) -> None:
    code = (
        "import sys; from spectrosim_search.search.store import Store\n"
        "store = Store(sys.argv[1]); store.optuna_study('fish'); print('ok')"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.db")]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(6)]
    assert [child.communicate(timeout=120)[0].strip() for child in children] == ["ok"] * 6
