"""From a data source of a study to its spectra."""

from __future__ import annotations

from spectrosim_search.config.errors import InputError
from spectrosim_search.config.study import DataSource
from spectrosim_search.spectra.readers import read
from spectrosim_search.spectra.simulators import simulate
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["load"]


def load(source: DataSource, *, need_groups: bool = True) -> SpectraSet:
    """Read the file that `source` names or, where it names none, simulate.

    `need_groups` False: a file without any group will do.

    Raises InputError (also DataError) as the readers and simulators do, and where column options are given for
    simulated spectra.
    """
    if source.path:
        return read(
            source.path,
            group_column=source.group_column,
            label_column=source.label_column,
            id_column=source.id_column,
            split_column=source.split_column,
            group_pattern=source.group_pattern,
            need_groups=need_groups,
        )
    for option in ("group_column", "label_column", "id_column", "split_column", "group_pattern"):
        if getattr(source, option):
            raise InputError(f"{option} is set but no file is given (data.path); simulated spectra have their columns")
    return simulate(source.simulator, **dict(source.simulator_parameters))
