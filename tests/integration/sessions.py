"""Sessions of the command line in processes of their own, to be watched, killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spectrosim_search.config.errors import InputError
from spectrosim_search.search.records import StudyRecord
from spectrosim_search.search.store import Store
from tests.search.searching import numbers

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 270.0  # nothing here may take longer, on a machine that does much else too


@dataclass(frozen=True)
class Session:
    """One run of a command."""

    process: subprocess.Popen[str]
    output: Path

    def text(self) -> str:
        """What it printed so far, standard error included."""
        return self.output.read_text(encoding="utf-8")

    def end(self) -> str:
        """Wait until it ends in good order; what it printed."""
        self.process.wait(SECONDS)
        assert self.process.returncode == 0, self.text()
        return self.text()

    def workers(self) -> list[int]:
        """Processes of its Ray workers."""
        return [p for p in descendants(self.process.pid) if "ray::Trainer" in command_line(p)]


@contextmanager
def session(
    folder: Path,
    arguments: Sequence[str | Path],
    *,
    log: Path | None = None,
    environment: Mapping[str, str] | None = None,
    prefix: Sequence[str] = (),
) -> Iterator[Session]:
    """Start a command in `folder`, in a process group of its own; whatever is left of it ends with the block."""
    program = ["-m", "tests.integration.logged", str(log)] if log is not None else [str(ROOT / "cli.py")]
    output = folder / f"output-{time.monotonic_ns()}.txt"
    given = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "200"} | dict(environment or {})
    with output.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            [*prefix, sys.executable, *program, *map(str, arguments)],
            cwd=folder,
            env=given,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    family: set[int] = set()
    try:
        yield Session(process, output)
    finally:
        family.update(descendants(process.pid))
        if process.poll() is None:
            process.kill()
            process.wait()
        end_all(family)


def run(folder: Path, *arguments: str | Path, log: Path | None = None, **given: Any) -> str:
    """Run a command that must succeed; what it printed."""
    with session(folder, arguments, log=log, **given) as one:
        return one.end()


def kill_driver(one: Session) -> set[int]:
    """SIGKILL the driver; the processes it leaves behind."""
    left = set(descendants(one.process.pid))
    one.process.kill()
    one.process.wait()
    return left


def end_all(processes: set[int]) -> None:
    """End processes that a killed driver left behind."""
    for process in processes:
        if "ray" in command_line(process):
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue


def descendants(pid: int) -> list[int]:
    """All processes below one, by /proc."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def command_line(pid: int) -> str:
    """How a process calls itself; empty once it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def until(happened: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
    """Wait for something."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def stored(url: str | Path, name: str = "s") -> int:
    """Number of replicates in the database so far."""
    try:
        with Store(url, read_only=True) as store:
            return sum(store.status(name).replicates.values())
    except InputError:
        return 0  # not there yet


def reaches(one: Session, url: str | Path, replicates: int) -> None:
    """Wait until a session has stored so many replicates; it must still be at work."""
    until(lambda: stored(url) >= replicates or one.process.poll() is not None, f"nothing was stored: {one.text()}")
    assert one.process.poll() is None, f"ended too early: {one.text()}"


def read(url: str | Path, name: str = "s") -> StudyRecord:
    """The study's record."""
    with Store(url, read_only=True) as store:
        return store.record(name)


def everything(record: StudyRecord) -> dict[str, Any]:
    """All numbers of a study that must repeat, its confirmation included."""
    assert record.confirmation is not None
    rows = [
        (m.name, m.configuration_id, m.seeds, {k: (e.value, e.low, e.high) for k, e in m.metrics.items()})
        for m in record.confirmation.rows
    ]
    return numbers(record) | {
        "rows": repr(rows),
        "winner": record.confirmation.winner_configuration_id,
        "verdict": record.confirmation.verdict.sentence,
        "threshold": record.confirmation.threshold,
    }


def scores(record: StudyRecord) -> dict[tuple[str, str, int, int], tuple[float, list[list[float]]]]:
    """Score and curve of every replicate by phase, configuration, fold and seed."""
    return {(r.phase, r.configuration_id, r.fold, r.seed): (r.score, r.curve.tolist()) for r in record.replicates}


def trained(log: Path) -> list[str]:
    """Keys of all replicates that workers delivered, over all sessions."""
    return [line.split("\t")[1] for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []


def exactly(record: StudyRecord, trials: int) -> None:
    """The study has the trials asked for, none lost, none doubled, none left open."""
    states = [t.state for t in record.trials]
    assert states.count("COMPLETE") + states.count("PRUNED") == trials == len(states)
    keys = [r.key for r in record.replicates]
    assert len(set(keys)) == len(keys)
    places = [(r.phase, r.configuration_id, r.fold, r.seed) for r in record.replicates]
    assert len(set(places)) == len(places)
