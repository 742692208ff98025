"""Optuna's tables in the same database: opened with our engine settings, created once, errors in our words."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from spectrosim_search.config.errors import InputError
from spectrosim_search.search import store_engine
from spectrosim_search.search.objectives import OBJECTIVES, titled

if TYPE_CHECKING:
    import optuna
    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage, RDBStorage

__all__ = ["create_optuna_study", "directions", "open_storage", "optuna_errors"]

_ATTEMPTS = 8


@contextmanager
def optuna_errors(url: URL) -> Iterator[None]:
    """Turn what Optuna's storage reports into one line."""
    from optuna.exceptions import StorageInternalError

    try:
        yield
    except StorageInternalError as error:
        cause = error.__cause__ or error
        raise InputError(store_engine.explain(url, cause)) from error
    except SQLAlchemyError as error:
        raise InputError(store_engine.explain(url, error)) from error


def open_storage(url: URL, *, read_only: bool) -> tuple[RDBStorage, BaseStorage]:
    """Return Optuna's storage and its caching wrapper. Tables are created here, before any worker exists.

    Creation is not atomic in Optuna: where several processes start at once the losers try again.
    """
    import optuna
    from optuna.storages import RDBStorage, get_storage

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    shown = url.render_as_string(hide_password=False)
    escaped = shown.replace("{", "{{").replace("}", "}}")  # Optuna fills templates in the URL
    for attempt in range(_ATTEMPTS):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                raw = RDBStorage(
                    escaped,
                    engine_kwargs=store_engine.engine_options(url),
                    skip_table_creation=read_only,
                )
            break
        except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            if read_only or attempt == _ATTEMPTS - 1:
                raise InputError(store_engine.explain(url, error.__cause__ or error)) from error
            time.sleep(0.1 * (attempt + 1))
        except RuntimeError as error:
            raise InputError(
                f"{store_engine.redacted(url)} was written by another version of Optuna: {str(error).split('.')[0]}"
            ) from error
    file = store_engine.sqlite_file(url)
    wal = file is not None and not store_engine.on_network(file)
    store_engine.tune(raw.engine, wal=wal, read_only=read_only)
    raw.remove_session()
    raw.engine.dispose()  # connections made so far lack the pragmas
    return raw, get_storage(raw)


def directions(objectives: Sequence[str]) -> list[Literal["minimize", "maximize"]]:
    """Optuna's words for where each objective is to go."""
    return ["maximize" if OBJECTIVES[name].maximise else "minimize" for name in objectives]


def create_optuna_study(
    name: str, storage: BaseStorage, sampler: BaseSampler | None, objectives: Sequence[str]
) -> optuna.Study:
    """Create Optuna's study, or load it where it exists; it has no pruner, for pruning is the ladder's."""
    import optuna

    study = optuna.create_study(
        study_name=name,
        storage=storage,
        sampler=sampler,
        pruner=optuna.pruners.NopPruner(),
        directions=directions(objectives),
        load_if_exists=True,
    )
    if len(objectives) > 1:
        with warnings.catch_warnings():
            # marked experimental since Optuna 3.4; the dashboard writes these names on its axes
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names([titled(objective) for objective in objectives])
    return study
