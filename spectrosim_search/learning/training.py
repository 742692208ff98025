"""One stack from its first epoch to its results: scoring, choosing, stopping, shrinking."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from spectrosim_search.learning.scores import alignment, effective_rank, uniformity
from spectrosim_search.learning.stack import Stack
from spectrosim_search.learning.tasks import EvaluationPairs, ReplicateResult, ReplicateTask
from spectrosim_search.learning.validation import Choice, PairTable

__all__ = ["Run"]

_RANK_ROWS = 256  # embeddings the label-free scores are taken over at most
_JITTER = 0.1  # noise of the second view that alignment looks at, in standard deviations of the spectrum


@dataclass
class _Record:
    """What is known of one replicate while its stack trains."""

    task: ReplicateTask
    choice: Choice
    loss: list[float] = field(default_factory=list)
    status: Literal["finished", "stopped", "diverged"] | None = None
    reason: str = ""
    result: ReplicateResult | None = None
    train_seconds: float = 0.0
    total_seconds: float = 0.0


def _parts(task: ReplicateTask) -> tuple[EvaluationPairs, ...]:
    """Return the parts to score; without any, training spectra paired with themselves, for the effective rank."""
    if task.halves is not None:
        return task.halves
    if task.test is not None:
        return (task.test,)
    rows = task.train[:_RANK_ROWS]
    return (EvaluationPairs(rows, rows, np.ones(rows.shape, dtype=np.bool_), np.zeros(rows.shape, dtype=np.int64)),)


def _epochs(task: ReplicateTask) -> int:
    return task.configuration.training.epochs if task.epochs is None else task.epochs


class Run:
    """Trains a stack whose replicates all have halves, or all have none."""

    def __init__(self, stack: Stack, on_epoch: Callable[[str, int, float], bool] | None, began: float) -> None:
        """Prepare; `began` is the reading of `perf_counter` when work on the stack started."""
        self._stack, self._on_epoch, self._clock = stack, on_epoch, began
        self._records = [_Record(t, Choice(t)) for t in stack.tasks]
        self._all = list(self._records)
        self._halves = stack.tasks[0].halves is not None
        self._pairs = PairTable([_parts(t) for t in stack.tasks], [t.metric for t in stack.tasks], stack.device)
        self._best = torch.zeros(0, device=stack.device)  # (R, choosing half, scored half, P)

    def results(self) -> list[ReplicateResult]:
        """Train to the end; return one result a task, in the order of the stack's tasks."""
        if self._halves:
            self._score(0)
        longest = max(_epochs(r.task) for r in self._records)
        self._charge(train=False)
        if longest == 0:  # nothing to train: the model is what it fitted and what it started with
            for record in self._records:
                record.status = "finished" if record.status is None else record.status
            self._finish()
        for epoch in range(1, longest + 1):
            loss = self._stack.epoch(epoch)
            told = torch.stack([loss, self._stack.alive.to(loss.dtype)]).cpu().numpy()
            self._charge(train=True)
            for record, value, alive in zip(self._records, told[0], told[1]):
                if record.status is None:
                    record.loss.append(float(value))
                    if not alive:
                        record.status = "diverged"
                        record.reason = f"loss or gradient not finite in epoch {epoch}"
            if self._halves:
                self._score(epoch)
            self._judge(epoch)
            self._charge(train=False)
            self._finish()
            if not self._records:
                break
        return [r.result for r in self._all if r.result is not None]

    def _charge(self, *, train: bool) -> None:
        """Share the time since the last call evenly among the replicates still in training."""
        now = time.perf_counter()
        active = [r for r in self._records if r.result is None]
        for record in active:
            share = (now - self._clock) / len(active)
            record.total_seconds += share
            record.train_seconds += share if train else 0.0
        self._clock = now

    def _score(self, epoch: int) -> None:
        """Score all validation pairs and keep the similarities of the epochs chosen."""
        self._stack.fit_comparison()
        similarity = self._pairs.similarities(self._stack.compared(self._pairs.rows), self._stack.own)
        finite = torch.isfinite(similarity).flatten(1).all(dim=1)
        told = torch.cat([self._pairs.scores(similarity), finite.unsqueeze(1)], dim=1).cpu().numpy()
        chosen = []
        for record, (one, two, sound) in zip(self._records, told):
            if record.status is None and not sound:
                record.status, record.reason = "diverged", f"embeddings not finite after epoch {epoch}"
            if record.status is not None:
                chosen.append((False, False))
            else:
                chosen.append(record.choice.update(epoch, (float(one), float(two))))
        if epoch == 0:
            self._best = similarity.unsqueeze(1).repeat(1, 2, 1, 1)
        elif any(c[0] or c[1] for c in chosen):
            better = torch.tensor(chosen, device=similarity.device)
            self._best = torch.where(better[:, :, None, None], similarity.unsqueeze(1), self._best)

    def _judge(self, epoch: int) -> None:
        """Decide which replicates end after this epoch."""
        for record in self._records:
            if record.status is not None:
                continue
            task, choice = record.task, record.choice
            score = choice.latest if self._halves else record.loss[-1]
            stop = self._on_epoch(task.key, epoch, score) if self._on_epoch is not None else False
            floor = task.stop_below
            if epoch >= _epochs(task):
                record.status = "finished"
            elif self._halves and not any(choice.open):
                record.status, record.reason = "finished", f"no half improved after epoch {max(choice.epochs)}"
            elif stop:
                record.status, record.reason = "stopped", f"stopped on request after epoch {epoch}"
            elif floor is not None and epoch <= floor.shape[0] and choice.best < floor[epoch - 1]:
                record.status = "stopped"
                record.reason = f"best score {choice.best:.3f} below {floor[epoch - 1]:.3f} after epoch {epoch}"

    def _finish(self) -> None:
        """Write the results of replicates that ended, and shrink the stack once half of it is idle.

        Idle replicates go on computing until then, so that a stack takes few different sizes.
        """
        ended = [i for i, r in enumerate(self._records) if r.status is not None and r.result is None]
        if ended:
            self._write(ended)
        going = [i for i, r in enumerate(self._records) if r.result is None]
        if len(going) <= len(self._records) // 2:
            self._records = [self._records[i] for i in going]
            if going:
                self._stack.keep(going)
                self._pairs.keep(going)
                self._best = self._best[going]

    def _write(self, ended: list[int]) -> None:
        z = self._stack.outputs(self._pairs.rows)
        shaken = self._stack.outputs(self._pairs.rows[:, :_RANK_ROWS], _JITTER)
        if not self._halves:
            self._stack.fit_comparison()
            rows = self._stack.compared(self._pairs.rows) if self._stack.own else z
            self._best = self._pairs.similarities(rows, self._stack.own).unsqueeze(1)
        for i in ended:
            record, counts = self._records[i], self._pairs.counts[i]
            task, sound = record.task, record.status != "diverged"
            best = self._best[i].float().cpu().numpy() if sound else np.zeros(self._best.shape[1:], np.float32)
            tests: tuple[NDArray[np.float32], ...] = ()
            choosing: tuple[NDArray[np.float32], ...] = ()
            if self._halves:
                tests = (best[1, 0, : counts[0]].copy(), best[0, 1, : counts[1]].copy())
                choosing = (best[1, 1, : counts[1]].copy(), best[0, 0, : counts[0]].copy())
            elif task.test is not None:
                tests = (best[0, 0, : counts[0]].copy(),)
            own = min(self._pairs.own[i], _RANK_ROWS)
            looked_at, other = z[i : i + 1, :own], shaken[i : i + 1, :own]
            named = self._stack.named(i) if task.return_parameters else {}
            assert record.status is not None
            record.result = ReplicateResult(
                key=task.key,
                status=record.status,
                reason=record.reason,
                curve=np.array(record.choice.curve, dtype=np.float32).reshape(-1, 2),
                loss=np.array(record.loss, dtype=np.float32),
                chosen_epochs=(record.choice.epochs[0], record.choice.epochs[1]) if sound else (0, 0),
                similarities=tests,
                choosing=choosing,
                train_seconds=record.train_seconds,
                total_seconds=record.total_seconds,
                embedding_rank=float(effective_rank(looked_at)[0]) if sound else float("nan"),
                alignment=float(alignment(looked_at, other)[0]) if sound else float("nan"),
                uniformity=float(uniformity(looked_at)[0]) if sound else float("nan"),
                parameters={n: v.numpy() for n, v in named.items()},
            )
