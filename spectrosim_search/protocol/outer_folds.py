"""Outer folds of nested scoring: whole groups put aside in turn, a search on the others, the pairs inside as judges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import InputError
from spectrosim_search.protocol.batch_disjoint import masked
from spectrosim_search.protocol.cells import Codes, HoldOut, check_disjoint
from spectrosim_search.protocol.folds import grouped_folds
from spectrosim_search.protocol.forming import pairs_inside

__all__ = ["outer_folds"]

JUDGED = 2  # units with a pair of their own that every outer fold must hold


def outer_folds(codes: Codes, k: int, seed: int, *, searchable: int) -> tuple[HoldOut, ...]:
    """Deal units into `k` outer folds, label-stratified; each is judged by a model that the others alone have made.

    searchable: units with a pair of their own that a search needs. Raises InputError where a fold would hold fewer than
    two of them or leave too few to the search, or where it has no same or no different pair.
    """
    rows = codes.usable()
    independent = len(codes.repeated(rows))
    most = independent - -(-independent // k)
    if independent < JUDGED * k or most < searchable:
        possible = min(independent // JUDGED, 20)
        fits = [n for n in range(2, possible + 1) if independent - -(-independent // n) >= searchable]
        hint = f"set protocol.outer_folds to {fits[0]} to {fits[-1]}" if fits else "measure more groups"
        raise InputError(
            f"too few groups for {k} outer folds: of {independent} independent groups of two or more spectra each fold "
            f"needs {JUDGED}, and each search {searchable}; {hint}, or leave out scoring: nested"
        )
    names = np.array([str(unit) for unit in codes.units[rows]], dtype=np.str_)
    fold_of = grouped_folds(codes.groups[rows], codes.labels[rows], names, k, seed)
    return tuple(
        _outer(codes, rows[fold_of != fold], rows[fold_of == fold], fold, k, seed, searchable) for fold in range(k)
    )


def _outer(
    codes: Codes, train: NDArray[np.int64], judged: NDArray[np.int64], fold: int, k: int, seed: int, searchable: int
) -> HoldOut:
    check_disjoint(codes.units, train=train, judged=judged)
    where = f"outer fold {fold + 1} of {k}"
    if len(codes.repeated(judged)) < JUDGED or len(codes.repeated(train)) < searchable:
        raise InputError(
            f"too few groups for {k} outer folds: {where} holds {len(codes.repeated(judged))} and leaves "
            f"{len(codes.repeated(train))} independent groups of two or more spectra; use fewer or more outer folds"
        )
    pairs = pairs_inside(codes, judged, np.random.default_rng([seed, 227, fold]))
    if pairs.positive.all() or not pairs.positive.any():
        raise InputError(f"too few groups for {k} outer folds: {where} lacks a same or a different pair; use fewer")
    return HoldOut(train, masked(codes.groups, train), None, pairs)
