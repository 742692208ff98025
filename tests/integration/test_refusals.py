"""A full disk, a locked file, a folder without write permission: one clear line each, and what was finished is kept."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.integration.sessions import ROOT, exactly, read, run, session, stored

pytestmark = pytest.mark.slow
Job = tuple[str | Path, ...]


def _error(text: str) -> str:
    """The one line an error is."""
    assert "Traceback" not in text, text
    lines = [line for line in text.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, text
    return lines[0]


def test_a_full_disk_keeps_what_was_finished(job: Job, tmp_path: Path) -> None:
    """A small file system of its own, made larger once it is full."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = sys.platform == "linux" and os.geteuid() == 0 and _mount(place)
    if not mounted:
        pytest.skip("mounting a small file system needs root")
    arguments = (*job, "--workers", "0", "--storage", str(place / "a.db"))
    try:
        with session(tmp_path, arguments) as one:
            assert one.process.wait(120) == 2, one.text()
        assert f"the disk that holds {place / 'a.db'} is full" in _error(one.text())
        kept = stored(place / "a.db")
        assert kept > 0
        subprocess.run(["mount", "-o", "remount,size=30m", str(place)], check=True)
        run(tmp_path, *arguments)
        record = read(place / "a.db")
        exactly(record, 6)
        assert len(record.replicates) > kept
    finally:
        subprocess.run(["umount", str(place)], check=True)


def _mount(place: Path) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(place)]
    return subprocess.run(command, capture_output=True).returncode == 0


def test_a_limit_on_file_size_is_one_line(job: Job, tmp_path: Path) -> None:
    limited = ("bash", "-c", 'ulimit -f 400; exec "$@"', "limited")
    with session(tmp_path, (*job, "--workers", "0"), prefix=limited) as one:
        assert one.process.wait(120) == 2, one.text()
    assert "spectrosim.db" in _error(one.text())


def test_a_locked_database_is_one_line(job: Job, whole: Path, tmp_path: Path) -> None:
    """Another program holds the file; the time a run waits for it is shortened from 60 s."""
    file = tmp_path / "spectrosim.db"
    shutil.copy(whole, file)
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    code = (
        "import sys; from spectrosim_search.search import store_engine; store_engine.BUSY_SECONDS = 1\n"
        "from spectrosim_search.cli import main; main()"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, job), "--trials", "7", "--workers", "0"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
        )
    finally:
        holder.close()
    assert done.returncode == 2, done.stderr
    assert "locked by another program" in _error(done.stderr)
    assert "close it and run again" in done.stderr
    run(tmp_path, *job, "--trials", "7", "--workers", "0")
    exactly(read(file), 7)


def test_a_folder_without_permission_is_one_line(job: Job, whole: Path, tmp_path: Path) -> None:
    prefix: tuple[str, ...] = ()
    if os.geteuid() == 0:  # root may write everywhere
        if shutil.which("setpriv") is None:
            pytest.skip("running as root, and setpriv is missing")
        prefix = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    base = Path(tempfile.mkdtemp(prefix="spectrosim-", dir="/tmp" if Path("/tmp").is_dir() else tmp_path))
    folder = base / "closed"
    folder.mkdir()
    base.chmod(0o755)
    try:
        shutil.copy(str(job[4]), folder / "small.csv")
        shutil.copy(whole, folder / "old.db")
        for file in folder.iterdir():
            file.chmod(0o444)
        folder.chmod(0o555)
        arguments = (*job[:4], str(folder / "small.csv"), *job[5:], "--workers", "0")
        for option, name in (("--storage", "new.db"), ("--storage", "old.db"), ("--report", "r.html")):
            with session(base, (*arguments, option, str(folder / name)), prefix=prefix) as one:
                assert one.process.wait(60) == 2, one.text()
            assert name in _error(one.text())
        assert sorted(p.name for p in folder.iterdir()) == ["old.db", "small.csv"]
        with session(base, ("status", "s", "--storage", str(folder / "old.db")), prefix=prefix) as reading:
            assert "complete" in reading.end(), "reading needs no permission to write"
        folder.chmod(0o700)
        with session(base, arguments, prefix=prefix) as one:
            assert one.process.wait(60) == 2, one.text()
        assert "small.csv" in _error(one.text())
    finally:
        folder.chmod(0o755)
        shutil.rmtree(base)
