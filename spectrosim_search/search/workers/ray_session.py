"""Starting Ray on this machine, or joining a cluster.

The local Ray binds to the loopback address, has no dashboard and lives in a directory of its own, so that it is never
taken for another program's and nobody joins it after its driver has died.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from spectrosim_search.config.errors import InputError

__all__ = ["RaySession", "import_ray"]

REACH_SECONDS = 5.0
_PREFIX = "spectrosim-"
_IN_USE = "in-use"
_MEGABYTE = 1 << 20
_BEFORE_IMPORT = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # loopback only
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_gcs_server_port_wait_time_s": "120",  # of 30: a head node on a busy machine may take longer
    # Memory that one training step frees is kept for the next instead of going back to the system page by page.
    "MALLOC_TRIM_THRESHOLD_": "1073741824",
    "MALLOC_MMAP_THRESHOLD_": "1073741824",
    "MALLOC_TOP_PAD_": "67108864",
}


def import_ray(*, local: bool) -> Any:
    """Import Ray with its environment set; the variables are read once, at import."""
    if sys.platform == "win32":
        raise InputError("workers are not available on Windows: run with --workers 0")
    if local:
        for name, value in _BEFORE_IMPORT.items():
            os.environ.setdefault(name, value)
    else:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        if _has_token():  # `ray start --head` asks for one by default; without it Ray would ask for minutes
            os.environ.setdefault("RAY_AUTH_MODE", "token")
    import ray

    return ray


def _has_token() -> bool:
    """Whether Ray would find a token in the places it documents."""
    named = os.environ.get("RAY_AUTH_TOKEN_PATH", "")
    places = [Path(named)] if named else [Path.home() / ".ray" / "auth_token"]
    return bool(os.environ.get("RAY_AUTH_TOKEN")) or any(place.is_file() for place in places)


class RaySession:
    """A connection to Ray; :meth:`close` ends a local Ray and leaves a cluster.

    A Ray that this process is connected to already (a notebook) is used as it is and left running. Raises InputError
    where a cluster cannot be joined or lacks what is asked for.
    """

    def __init__(self, *, workers: int, gpus_per_trial: float, address: str, data_bytes: int) -> None:
        self.ray = import_ray(local=not address)
        self._owned = not self.ray.is_initialized()
        self._directory: Path | None = None
        self._lock: IO[bytes] | None = None
        if self._owned and address:
            self._join(address)
        elif self._owned:
            self._start(workers, data_bytes)
        try:
            self._check(workers, gpus_per_trial, address)
        except InputError:
            self.close()
            raise

    def _start(self, workers: int, data_bytes: int) -> None:
        # Sockets live in this directory and their paths may have a hundred characters or so: keep it short.
        base = Path("/tmp") if Path("/tmp").is_dir() else Path(tempfile.gettempdir())
        _sweep(base)
        self._directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
        self._lock = _lock(self._directory / _IN_USE)
        with _importable():
            self.ray.init(
                address="local",
                num_cpus=workers,
                include_dashboard=False,
                _node_ip_address="127.0.0.1",
                _temp_dir=str(self._directory),
                log_to_driver=False,
                logging_level="ERROR",
                object_store_memory=max(128 * _MEGABYTE, 3 * data_bytes),
            )

    def _join(self, address: str) -> None:
        self._reach(address)
        try:
            self.ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, RuntimeError, ValueError, self.ray.exceptions.RayError) as error:
            reason = " ".join(str(error).split())[:300]
            raise InputError(
                f"cannot join the Ray cluster at {address}: {reason}; a cluster with token authentication needs its "
                "token here too, in ~/.ray/auth_token or RAY_AUTH_TOKEN"
            ) from error

    @staticmethod
    def _reach(address: str) -> None:
        """Try the head node's port first: Ray itself waits for minutes."""
        host, _, port = address.rpartition(":")
        if address == "auto":
            return
        if "/" in address or not host or not port.isdigit():
            raise InputError(f"'{address}' is no address of a Ray cluster: write host:port of its head node, or auto")
        try:
            socket.create_connection((host, int(port)), timeout=REACH_SECONDS).close()
        except OSError as error:
            raise InputError(
                f"cannot join the Ray cluster at {address}: {error.strerror or error}; start it with ray start --head"
            ) from error

    def _check(self, workers: int, gpus_per_trial: float, address: str) -> None:
        there = self.ray.cluster_resources()
        place = f"the cluster at {address}" if address else "this machine"
        if gpus_per_trial > 0 and there.get("GPU", 0.0) < gpus_per_trial:
            raise InputError(
                f"{place} has {there.get('GPU', 0.0):g} GPUs, {gpus_per_trial:g} a worker were asked for: leave out "
                "--gpus-per-trial"
            )
        if there.get("CPU", 0.0) < workers:
            raise InputError(
                f"{place} has {there.get('CPU', 0.0):g} processors for Ray, {workers} workers were asked for: use "
                "--workers with a smaller number"
            )
        if gpus_per_trial > 0 and there["GPU"] / gpus_per_trial < workers:
            raise InputError(
                f"{place} has {there['GPU']:g} GPUs, too few for {workers} workers of {gpus_per_trial:g} each"
            )

    def close(self) -> None:
        """Leave Ray; end it where this session started it."""
        if self._owned and self.ray.is_initialized():
            self.ray.shutdown()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _lock(file: Path) -> IO[bytes] | None:
    """Lock a file for as long as this process lives; None where another process holds it."""
    import fcntl

    opened = file.open("ab")
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        opened.close()
        return None
    return opened


def _sweep(base: Path) -> None:
    """Remove what drivers that were killed have left behind: directories whose lock nobody holds any more."""
    for left in base.glob(f"{_PREFIX}*/{_IN_USE}"):
        if not os.access(left, os.W_OK):
            continue  # another user's
        lock = _lock(left)
        if lock is not None:
            shutil.rmtree(left.parent, ignore_errors=True)
            lock.close()


@contextmanager
def _importable() -> Iterator[None]:
    """Let worker processes find this package where it is run from a checkout."""
    root = str(Path(__file__).resolve().parents[3])
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = root if before is None else os.pathsep.join([root, before])
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
