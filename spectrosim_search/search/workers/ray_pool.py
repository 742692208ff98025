"""Workers as Ray actors: one long-lived actor a slot, on this machine or across a cluster.

An actor has two threads: one trains and streams records as they come, the other takes calls of `stop`, which the
training reads at each epoch. Actors are never restarted by Ray; the pool replaces the dead, and the driver decides what
becomes of their replicates. Nothing is cancelled (Ray would discard what is not delivered) and nothing is held back
(a slow driver must not stall training).
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from spectrosim_search.config.errors import InputError, RunError
from spectrosim_search.config.study import Study
from spectrosim_search.search.workers.pool import Finished, Fitted, PoolEvent, Work, WorkerDied
from spectrosim_search.search.workers.ray_session import RaySession
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["RayPool"]

START_SECONDS = 180.0  # without any worker ready for so long the run is given up
START_FAILURES = 3  # starts in a row that may fail


@dataclass
class _Worker:
    name: str
    actor: Any
    starting: Any  # reference that is ready once the actor is; None from then on
    stream: Any = None  # generator of the records being trained
    keys: list[str] = field(default_factory=list)  # not delivered yet

    @property
    def idle(self) -> bool:
        return self.starting is None and not self.keys


class RayPool:
    """`workers` actors of one processor each, with `gpus_per_trial` of a GPU.

    `address` joins a cluster, on whose nodes this package must be installed; without it a Ray of its own is started on
    the loopback address. `capacity` replicates share a stack on a GPU. Use as a context manager, or call :meth:`close`.
    """

    def __init__(
        self,
        spectra: SpectraSet,
        study: Study,
        *,
        workers: int,
        gpus_per_trial: float = 0.0,
        address: str = "",
        capacity: int = 1,
    ) -> None:
        if workers < 1:
            raise InputError(f"{workers} workers: at least one is needed, or 0 to train in this process")
        if not 0 <= gpus_per_trial <= 8:
            raise InputError(f"--gpus-per-trial is {gpus_per_trial:g}: give a share of a GPU between 0 and 8")
        self.capacity = capacity
        self._session = RaySession(
            workers=workers,
            gpus_per_trial=gpus_per_trial,
            address=address,
            data_bytes=spectra.intensities.nbytes,
        )
        self._ray = self._session.ray
        self._address = address
        self._gpus = gpus_per_trial
        self._study = study
        self._spectra = self._ray.put(spectra)
        self._started = 0
        self._failed_starts = 0
        self._ready_at = time.monotonic()
        self._workers = [self._start(f"worker {i + 1}") for i in range(workers)]

    def __enter__(self) -> RayPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def slots(self) -> int:
        """Workers, those that are still starting included."""
        return len(self._workers)

    @property
    def free(self) -> int:
        """Workers that are ready and have nothing to do."""
        return sum(worker.idle for worker in self._workers)

    def submit(self, items: Sequence[Work]) -> None:
        """Hand one stack to an idle worker."""
        worker = next(w for w in self._workers if w.idle)
        worker.keys = [item.key for item in items]
        worker.stream = worker.actor.train.remote(list(items))

    def events(self, timeout: float) -> list[PoolEvent]:
        """Records as they come, deaths as they are noticed."""
        watched = {self._watched(w): w for w in self._workers if not w.idle}
        if not watched:
            time.sleep(timeout)
            return []
        ready, _ = self._ray.wait(list(watched), num_returns=1, timeout=timeout, fetch_local=False)
        if ready:  # whatever else is ready by now comes along
            ready, _ = self._ray.wait(list(watched), num_returns=len(watched), timeout=0, fetch_local=False)
        out: list[PoolEvent] = []
        for place in ready:
            worker = watched[place]
            out += self._started_up(worker) if worker.starting is not None else self._delivered(worker)
        if self._all_starting() and time.monotonic() - self._ready_at > START_SECONDS:
            raise RunError(
                f"no worker has started within {START_SECONDS:.0f} s; look at the machine's memory, and whether other "
                "work holds Ray's processors"
            )
        return out

    def stop(self, keys: Collection[str]) -> None:
        """Ask running replicates to end at their next epoch."""
        for worker in self._workers:
            named = [key for key in worker.keys if key in keys]
            if named:
                worker.actor.stop.remote(named)

    def hurry(self, seconds: float) -> None:
        """Nothing to do: what has not ended when the pool is closed ends with it."""

    def close(self) -> None:
        """End all actors, and Ray where this pool started it."""
        if self._ray.is_initialized():
            for worker in self._workers:
                self._ray.kill(worker.actor, no_restart=True)
        self._workers = []
        self._session.close()

    # --- workers -----------------------------------------------------------------------------------------------

    def _start(self, name: str) -> _Worker:
        from spectrosim_search.search.workers.trainer import Trainer

        remote = self._ray.remote(Trainer).options(
            num_cpus=1,
            num_gpus=self._gpus,
            max_concurrency=2,
            max_restarts=0,
            max_task_retries=0,
        )
        device = "cuda" if self._gpus > 0 else "cpu"
        actor = remote.remote(self._spectra, self._study, worker=name, device=device)
        return _Worker(name, actor, actor.place.remote())

    def _watched(self, worker: _Worker) -> Any:
        return worker.starting if worker.starting is not None else worker.stream

    def _all_starting(self) -> bool:
        return all(worker.starting is not None for worker in self._workers)

    def _started_up(self, worker: _Worker) -> list[PoolEvent]:
        errors = self._ray.exceptions
        try:
            node = self._ray.get(worker.starting)
        except (errors.RayActorError, errors.RayTaskError) as error:
            self._failed_starts += 1
            if self._failed_starts >= START_FAILURES:
                raise self._explained(error) from error
            self._replace(worker)
            return []
        self._failed_starts = 0
        self._ready_at = time.monotonic()
        worker.starting = None
        if self._address:
            worker.name = f"{worker.name.partition(' on ')[0]} on {node}"
        return []

    def _delivered(self, worker: _Worker) -> list[PoolEvent]:
        """Take every record that is ready from one worker."""
        errors = self._ray.exceptions
        out: list[PoolEvent] = []
        try:
            while worker.keys:
                ended: Finished | Fitted = self._ray.get(next(worker.stream))
                worker.keys.remove(ended.record.key)
                # The worker knows its number; where Ray put it, the pool knows.
                out.append(ended.by(worker.name))
                if worker.keys and not self._ray.wait([worker.stream], timeout=0, fetch_local=False)[0]:
                    break
        except (errors.RayActorError, errors.WorkerCrashedError, StopIteration) as error:
            reason = " ".join(str(error).split())
            out.append(WorkerDied(worker.name, _death(reason), tuple(worker.keys)))
            self._replace(worker)
        except errors.RayTaskError as error:
            cause = error.cause if isinstance(error.cause, Exception) else error
            raise RunError(
                f"{worker.name} failed on replicate {worker.keys[0]}: {type(cause).__name__}: "
                f"{str(cause).splitlines()[0] if str(cause) else ''}"
            ) from error
        return out

    def _replace(self, worker: _Worker) -> None:
        self._ray.kill(worker.actor, no_restart=True)
        fresh = self._start(worker.name.partition(" on ")[0])
        worker.actor, worker.starting, worker.stream, worker.keys = fresh.actor, fresh.starting, None, []
        if self._all_starting():
            self._ready_at = time.monotonic()

    def _explained(self, error: Exception) -> Exception:
        text = str(error)
        if "No module named 'spectrosim_search" in text:
            return InputError(
                f"the nodes of the cluster at {self._address} lack this package: pip install spectrosim-search on each"
            )
        last = [line.strip() for line in text.splitlines() if line.strip()]
        return RunError(f"workers cannot be started: {last[-1] if last else type(error).__name__}")


def _death(text: str) -> str:
    """Why Ray says a worker died, in a few words."""
    low = text.lower()
    if "running low on memory" in low or "out-of-memory" in low:  # Ray's own guard; other deaths only mention it
        return "out of memory"
    if "node" in low and ("node died" in low or "node has died" in low or "node was terminated" in low):
        return "its machine left"
    return "its process ended unexpectedly"
