"""Working through a fixed list on a pool: replicates of a confirmation, fits of baselines."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from spectrosim_search.config.errors import RunError
from spectrosim_search.search.baseline_items import BaselineItem
from spectrosim_search.search.driver_interrupt import GRACE_SECONDS, Interrupted, Interruption, interrupted
from spectrosim_search.search.progress import Listener, ReplicateDone, WorkerLost, silent
from spectrosim_search.search.records import ReplicateRecord
from spectrosim_search.search.store import Store
from spectrosim_search.search.work_item import WorkItem
from spectrosim_search.search.workers.pool import Finished, Fitted, Pool, WorkerDied

__all__ = ["run_items", "work_through"]

WAIT_SECONDS = 1.0
DEATHS = 2

Item = TypeVar("Item", WorkItem, BaselineItem)


def run_items(
    pool: Pool,
    items: Iterable[WorkItem],
    store: Store,
    on_result: Callable[[ReplicateRecord], None],
    *,
    study: str,
    go_on: Callable[[], bool] = lambda: True,
    listener: Listener = silent,
    grace: float = GRACE_SECONDS,
) -> tuple[ReplicateRecord, ...]:
    """Train items in their order, but those stored before; commit each as it ends and hand it to `on_result`.

    Stored ones are handed over first. `go_on` is asked before each submission: once it says no, running replicates end
    and the rest is left out. Replicates that kill two workers are left out as well. Returns all records, in the order
    of the items. Raises Interrupted on Ctrl-C and RunError where no replicate survives its workers.
    """
    wanted = {item.key: item for item in items}
    phases = {item.phase for item in wanted.values()}
    records = {r.key: r for phase in sorted(phases) for r in store.replicates(study, phase) if r.key in wanted}
    for record in records.values():
        on_result(record)
    units: dict[str, list[WorkItem]] = {}
    for item in wanted.values():
        units.setdefault(item.together or item.key, []).append(item)
    cut = {item.together for key, item in wanted.items() if key not in records and item.together}
    # Of a unit that was cut short all is trained again, so that its stack, and with it every number, is what it was.
    waiting = deque(item for key, item in wanted.items() if key not in records or item.together in cut)
    for item in waiting:
        store.add_configuration(item.configuration)

    def take(event: Finished | Fitted) -> None:
        if isinstance(event, Finished) and event.record.key not in records:
            record = event.record
            store.add_replicate(study, record, event.environment)
            records[record.key] = record
            listener(ReplicateDone.of(record))
            on_result(record)

    lost = work_through(
        pool,
        waiting,
        take,
        _stack,
        lambda item: units[item.together or item.key],
        study=study,
        go_on=go_on,
        listener=listener,
        grace=grace,
    )
    if lost and not records:
        raise RunError(f"every replicate killed its workers ({[*lost.values()][-1]}); look at memory and drivers")
    return tuple(records[key] for key in wanted if key in records)


def work_through(
    pool: Pool,
    waiting: deque[Item],
    take: Callable[[Finished | Fitted], None],
    stack: Callable[[deque[Item], int], list[Item]],
    unit: Callable[[Item], Sequence[Item]],
    *,
    study: str,
    go_on: Callable[[], bool],
    listener: Listener = silent,
    grace: float = GRACE_SECONDS,
) -> Mapping[str, str]:
    """Keep the pool busy until nothing waits, `go_on` says no, or the user interrupts; `take` gets what ended.

    `stack` takes from `waiting` what one worker of that capacity does together; with capacity 0 (the next lost its
    worker) no more than it must, so that one that kills takes no others with it. `unit` names in their order all items
    without which one would come out otherwise, itself among them: they are done again with one that lost its worker,
    though some of them may have ended. Returns the items that killed two
    workers with the reason. Raises Interrupted on Ctrl-C, after what runs has ended or the grace is over.
    """
    running: dict[str, Item] = {}
    deaths: Counter[str] = Counter()
    lost: dict[str, str] = {}
    try:
        with Interruption(pool.hurry, grace=grace) as interruption:
            while waiting or running:
                more = not interruption.requested and go_on()
                while more and waiting and pool.free > 0:
                    alone = any(deaths[item.key] for item in unit(waiting[0]))
                    batch = stack(waiting, 0 if alone else pool.capacity)
                    running |= {item.key: item for item in batch}
                    pool.submit(batch)
                    more = go_on()
                if interruption.requested and (not running or interruption.left <= 0):
                    raise Interrupted(interrupted(study))
                if not running and not more:
                    break
                for event in pool.events(min(WAIT_SECONDS, interruption.left)):
                    if not isinstance(event, WorkerDied):
                        running.pop(event.record.key, None)
                        take(event)
                        continue
                    listener(WorkerLost(event.worker, event.reason, len(event.keys)))
                    again: dict[str, Item] = {}
                    for key in event.keys:
                        deaths[key] += 1
                        item = running.pop(key, None)
                        if item is not None and deaths[key] < DEATHS:
                            again |= {other.key: other for other in unit(item)}
                        elif item is not None:
                            lost[key] = event.reason
                    held = {item.key for item in waiting} | lost.keys() | running.keys()
                    waiting.extendleft(item for key, item in reversed(again.items()) if key not in held)
    except KeyboardInterrupt:
        raise Interrupted(interrupted(study)) from None
    return lost


def _stack(waiting: deque[WorkItem], capacity: int) -> list[WorkItem]:
    """Take the next item, the rest of its unit, and others that can be trained together with it."""
    first = waiting.popleft()
    batch = [first]
    while waiting and first.together and waiting[0].together == first.together:
        batch.append(waiting.popleft())
    if capacity > 1:
        # One configuration's replicates share a stack; looking further is not worth the search. Held-out parts differ
        # in the size of what they are trained on, and so in their steps.
        for item in [i for i in waiting if _alike(i, first)]:
            if len(batch) >= capacity:
                break
            waiting.remove(item)
            batch.append(item)
    return batch


def _alike(a: WorkItem, b: WorkItem) -> bool:
    if a.phase == "hold-out" and (a.fold, a.epochs) != (b.fold, b.epochs):
        return False
    return a.configuration_id == b.configuration_id and a.phase == b.phase
