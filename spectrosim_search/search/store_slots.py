"""Slots: one row for each trial that was asked for, so that drivers together never exceed the number asked for.

Every change is one conditional statement on one row; whoever's statement matches owns the slot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError

from spectrosim_search.config.errors import RunError
from spectrosim_search.search import store_leases
from spectrosim_search.search.store_tables import LeaseRow, SlotRow

__all__ = ["DONE", "OPEN", "Final", "Slot", "claim", "finish", "free", "grant", "read", "start", "take_over"]

OPEN = ("asking", "running")
DONE = ("complete", "pruned")
Final = Literal["complete", "pruned"]


@dataclass(frozen=True)
class Slot:
    """One trial that was asked for; see :class:`SlotRow`."""

    slot: int
    attempt: int
    state: Literal["free", "asking", "running", "complete", "pruned"]
    driver: str
    number: int | None
    granted: int
    configuration_id: str
    value: float | None
    reason: str


_COLUMNS = (
    SlotRow.slot,
    SlotRow.attempt,
    SlotRow.state,
    SlotRow.driver,
    SlotRow.number,
    SlotRow.granted,
    SlotRow.configuration_id,
    SlotRow.value,
    SlotRow.reason,
)


def read(engine: Engine, study_id: int) -> tuple[Slot, ...]:
    """All slots of a study in order."""
    with engine.connect() as connection:
        rows = connection.execute(sa.select(*_COLUMNS).where(SlotRow.study_id == study_id).order_by(SlotRow.slot)).all()
    return tuple(Slot(**row._mapping) for row in rows)


def claim(engine: Engine, study_id: int, driver: str, total: int) -> Slot | None:
    """Claim the first slot below `total` that nobody holds; None where all are held or done."""
    held = SlotRow.study_id == study_id
    first_free = sa.select(*_COLUMNS).where(held, SlotRow.state == "free", SlotRow.slot < total).order_by(SlotRow.slot)
    while True:
        with engine.connect() as connection:
            vacant = connection.execute(first_free.limit(1)).first()
            following = connection.execute(sa.select(sa.func.count()).where(held)).scalar_one()
        if vacant is not None:
            with engine.begin() as connection:
                done = connection.execute(
                    sa.update(SlotRow)
                    .where(SlotRow.study_id == study_id, SlotRow.slot == vacant.slot, SlotRow.state == "free")
                    .values(state="asking", driver=driver)
                )
            if done.rowcount == 1:
                return Slot(vacant.slot, vacant.attempt, "asking", driver, None, 0, "", None, "")
            continue
        if following >= total:
            return None
        try:
            with engine.begin() as connection:
                connection.execute(
                    sa.insert(SlotRow).values(
                        study_id=study_id,
                        slot=following,
                        attempt=0,
                        state="asking",
                        driver=driver,
                        granted=0,
                        configuration_id="",
                        reason="",
                    )
                )
        except IntegrityError:
            continue  # another driver was faster; look again
        return Slot(following, 0, "asking", driver, None, 0, "", None, "")


def take_over(engine: Engine, study_id: int, driver: str, total: int) -> int:
    """Make unfinished slots of lapsed drivers ours, in one conditional update; return how many."""
    store_leases.drop_dead(engine, study_id)
    alive = sa.select(LeaseRow.driver).where(
        LeaseRow.study_id == study_id, LeaseRow.expires_at > store_leases.database_now()
    )
    with engine.begin() as connection:
        done = connection.execute(
            sa.update(SlotRow)
            .where(
                SlotRow.study_id == study_id,
                SlotRow.slot < total,
                SlotRow.state.in_(OPEN),
                SlotRow.driver != driver,
                SlotRow.driver.not_in(alive),
            )
            .values(driver=driver)
        )
    return int(done.rowcount)


def start(engine: Engine, study_id: int, slot: Slot, number: int, configuration_id: str, granted: int) -> None:
    """Note the Optuna trial that fills a slot."""
    _update(engine, study_id, slot, state="running", number=number, configuration_id=configuration_id, granted=granted)


def grant(engine: Engine, study_id: int, slot: Slot, cells: int) -> None:
    """Note how many cells a trial may train; what was once granted is not judged again."""
    _update(engine, study_id, slot, granted=cells)


def finish(engine: Engine, study_id: int, slot: Slot, state: Final, value: float | None, reason: str) -> None:
    """Close a slot for good."""
    _update(engine, study_id, slot, state=state, value=value, reason=reason)


def free(engine: Engine, study_id: int, slot: Slot) -> None:
    """Give a slot back after a failure of the infrastructure; the next attempt asks for another configuration."""
    _update(
        engine,
        study_id,
        slot,
        state="free",
        driver="",
        number=None,
        granted=0,
        configuration_id="",
        attempt=slot.attempt + 1,
    )


def _update(engine: Engine, study_id: int, slot: Slot, **values: object) -> None:
    with engine.begin() as connection:
        done = connection.execute(
            sa.update(SlotRow)
            .where(
                SlotRow.study_id == study_id,
                SlotRow.slot == slot.slot,
                SlotRow.attempt == slot.attempt,
                SlotRow.driver == slot.driver,
                SlotRow.state.in_(OPEN),
            )
            .values(**values)
        )
    if done.rowcount != 1:
        raise RunError(f"trial slot {slot.slot} was taken over by another driver; run again to join in")
