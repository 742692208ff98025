"""One worker's work: train replicates, fit baselines, score them, hand their records over one by one."""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

from spectrosim_search.config.errors import InputError
from spectrosim_search.config.study import Study
from spectrosim_search.search.baseline_items import BaselineItem, fit_baseline
from spectrosim_search.search.benches import make_bench
from spectrosim_search.search.class_bench import ClassBench
from spectrosim_search.search.class_fits import fit_class_baseline
from spectrosim_search.search.records import BaselineFit
from spectrosim_search.search.work_item import WorkItem
from spectrosim_search.search.workbench import Workbench
from spectrosim_search.search.workers.environment import environment
from spectrosim_search.search.workers.pool import CANCELLED, Finished, Fitted, Work
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["Trainer"]


def _never() -> bool:
    return False


class Trainer:
    """Trains stacks of replicates on one device with one thread.

    :meth:`stop` may be called from another thread; it takes effect at the next epoch.
    """

    def __init__(
        self,
        spectra: SpectraSet,
        study: Study,
        *,
        worker: str,
        device: str = "cpu",
        abandon: Callable[[], bool] = _never,
    ) -> None:
        import torch

        torch.set_num_threads(1)
        # Whether there are groups enough to search, the driver asks.
        self.bench = make_bench(spectra, study, searchable=False)
        self._visited = self.bench  # of the last items that belonged to another study on the same spectra
        self._worker = worker
        self._device = device
        self._abandon = abandon
        self._stopped: set[str] = set()
        self._lock = threading.Lock()
        self._environment = environment(device)

    def place(self) -> str:
        """Name of the machine this worker runs on and its node's address there; answers once the worker is ready."""
        from spectrosim_search.search.workers.ray_session import import_ray

        ray = import_ray(local=False)  # this worker's, imported long ago
        mine = ray.get_runtime_context().get_node_id()
        address = next((n["NodeManagerAddress"] for n in ray.nodes() if n["NodeID"] == mine), "?")
        return f"{platform.node()} ({address})"

    def process(self) -> int:
        """Number of the process this worker runs in."""
        return os.getpid()

    def stop(self, keys: Collection[str]) -> None:
        """End these replicates at their next epoch."""
        with self._lock:
            self._stopped.update(keys)

    def _bench_of(self, item: Work) -> Workbench | ClassBench:
        if item.study is None:
            return self.bench
        if self._visited.study != item.study:
            self._visited = make_bench(self.bench.spectra, item.study, searchable=False)
        return self._visited

    def train(self, items: Sequence[Work]) -> Iterator[Finished | Fitted]:
        """Do what was handed over: fits of baselines one by one, replicates together."""
        shared: dict[str, Any] = {}  # of this hand-over: what a worker keeps does not grow
        for item in items:
            if isinstance(item, BaselineItem):
                yield Fitted(self._fit(item, shared), self._environment)
        replicates = [item for item in items if isinstance(item, WorkItem)]
        if not replicates:
            return
        bench = self._bench_of(replicates[0])
        if isinstance(bench, Workbench):
            yield from self._train(bench, replicates)
        else:
            for item in replicates:
                yield self._run(bench, item)

    def _fit(self, item: BaselineItem, shared: dict[str, Any]) -> BaselineFit:
        bench, known = self._bench_of(item), {"worker": self._worker, "environment_id": self._environment.id}
        if isinstance(bench, ClassBench):
            return fit_class_baseline(bench, item, **known)
        return fit_baseline(bench, item, **known, shared=shared)

    def _run(self, bench: ClassBench, item: WorkItem) -> Finished:
        """Run a program once; what a configuration is to blame for becomes a record with status failed."""
        import torch

        torch.set_num_threads(1)  # threads of a worker start with the default
        started, begun = time.time(), time.perf_counter()
        known = {"worker": self._worker, "environment_id": self._environment.id}
        try:
            record = bench.run(
                item, device=self._device, on_epoch=lambda epoch, loss: self._on_epoch(item.key, epoch, loss), **known
            )
        except (InputError, MemoryError, torch.OutOfMemoryError) as error:
            reason = str(error) if isinstance(error, InputError) else "out of memory"
            seconds = time.perf_counter() - begun
            record = bench.failed(item, reason, started_at=started, seconds=seconds, **known)
        finally:
            with self._lock:
                cancelled = item.key in self._stopped
                self._stopped.discard(item.key)
        if record.status == "stopped" and cancelled:
            record = replace(record, reason=CANCELLED)
        return Finished(record, self._environment)

    def _train(self, bench: Workbench, items: Sequence[WorkItem]) -> Iterator[Finished]:
        """Train a stack (all items share a stack key and a study) and yield its records.

        What a configuration is to blame for (data it cannot take, memory) becomes a record with status failed;
        anything else is an error of the program and is raised. A stack that memory does not hold is trained one by one.
        """
        import torch

        from spectrosim_search.learning.engine import train_stack

        torch.set_num_threads(1)  # threads of a worker start with the default
        started = time.time()
        begun = time.perf_counter()
        keys = {item.key for item in items}
        try:
            tasks = [bench.task(item) for item in items]
            results = train_stack(tasks, bench.data(items), device=self._device, on_epoch=self._on_epoch)
        except (InputError, MemoryError, torch.OutOfMemoryError) as error:
            if len(items) > 1 and not isinstance(error, InputError):
                for item in items:
                    yield from self._train(bench, [item])
                return
            reason = str(error) if isinstance(error, InputError) else "out of memory"
            for item in items:
                record = bench.failed(
                    item,
                    reason,
                    worker=self._worker,
                    started_at=started,
                    seconds=(time.perf_counter() - begun) / len(items),
                    environment_id=self._environment.id,
                )
                yield Finished(record, self._environment)
            return
        finally:
            with self._lock:
                cancelled = self._stopped & keys
                self._stopped -= keys
        by_key = {result.key: result for result in results}
        # Preparing belongs to what a replicate costs; a stack shares it.
        prepared = (time.perf_counter() - begun - sum(r.total_seconds for r in results)) / len(items)
        for item in items:
            scoring = time.perf_counter()
            result = by_key[item.key]
            if result.status == "stopped" and item.key in cancelled:
                result = replace(result, reason=CANCELLED)
            record = bench.record(
                item,
                result,
                worker=self._worker,
                started_at=started,
                environment_id=self._environment.id,
            )
            seconds = result.total_seconds + prepared + time.perf_counter() - scoring
            yield Finished(replace(record, total_seconds=seconds), self._environment)

    def _on_epoch(self, key: str, epoch: int, score: float) -> bool:
        del epoch, score
        with self._lock:
            stopped = key in self._stopped
        return stopped or self._abandon()
