"""Scored pairs and curves as blobs; the index arrays of pairs are stored once for all replicates of a cell."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError

from spectrosim_search.evaluation.scores import ClassScores, MixtureScores, PairScores
from spectrosim_search.search.records import AxisView
from spectrosim_search.search.store_blobs import pack, unpack
from spectrosim_search.search.store_tables import PairSetRow

__all__ = ["PairSets", "class_arrays", "classes_of", "mixture_arrays", "mixtures_of", "view_arrays", "view_of"]

_VIEW = "axis_view."
_CLASSES = "classes."
_MIXTURES = "mixtures."


class PairSets:
    """Index arrays of one study's pairs, by content; what was seen once is not looked up again."""

    def __init__(self, engine: Engine, study_id: int) -> None:
        self._engine = engine
        self._study_id = study_id
        self._known: dict[str, Mapping[str, NDArray[Any]]] = {}

    def store(self, pairs: Sequence[PairScores], **others: NDArray[Any]) -> tuple[str, bytes]:
        """Return the ids of the index arrays as JSON, and the blob of similarities, thresholds and `others`."""
        ids: list[str] = []
        for p in pairs:
            index = {
                "left": _narrow(p.left),
                "right": _narrow(p.right),
                "positive": p.positive,
                "stratum": _narrow(p.stratum),
            }
            blob = pack(index)
            name = hashlib.sha256(blob).hexdigest()[:32]
            if name not in self._known:
                self._insert(name, blob)
                self._known[name] = _widen(index)
            ids.append(name)
        arrays: dict[str, NDArray[Any]] = {f"similarity{i}": p.similarity for i, p in enumerate(pairs)}
        arrays["thresholds"] = np.array([p.threshold for p in pairs], dtype=np.float64)
        return json.dumps(ids), pack({**arrays, **others})

    def load(self, ids: str, blob: bytes) -> tuple[tuple[PairScores, ...], dict[str, NDArray[Any]]]:
        """Return the pairs and the other arrays that were stored."""
        arrays: dict[str, NDArray[Any]] = dict(unpack(blob))
        thresholds = arrays.pop("thresholds")
        pairs = []
        for i, name in enumerate(json.loads(ids)):
            index = self._index(name)
            pairs.append(
                PairScores(
                    left=index["left"],
                    right=index["right"],
                    positive=index["positive"],
                    stratum=index["stratum"],
                    similarity=arrays.pop(f"similarity{i}"),
                    threshold=float(thresholds[i]),
                )
            )
        return tuple(pairs), arrays

    def _index(self, name: str) -> Mapping[str, NDArray[Any]]:
        if name not in self._known:
            with self._engine.connect() as connection:
                blob = connection.execute(
                    sa.select(PairSetRow.arrays).where(PairSetRow.study_id == self._study_id, PairSetRow.id == name)
                ).scalar_one()
            self._known[name] = _widen(unpack(blob))
        return self._known[name]

    def _insert(self, name: str, blob: bytes) -> None:
        try:
            with self._engine.begin() as connection:
                connection.execute(sa.insert(PairSetRow).values(study_id=self._study_id, id=name, arrays=blob))
        except IntegrityError:
            return  # stored before, by this driver or another


def _narrow(index: NDArray[np.int64]) -> NDArray[np.int32]:
    return index.astype(np.int32)


def _widen(index: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
    return {k: (v if v.dtype == np.bool_ else v.astype(np.int64)) for k, v in index.items()}


def view_arrays(view: AxisView | None) -> dict[str, NDArray[Any]]:
    """The fields of an axis view as arrays to store under names of their own; none where there is no view."""
    if view is None:
        return {}
    return {_VIEW + f.name: np.asarray(getattr(view, f.name)) for f in dataclasses.fields(view)}


def view_of(arrays: Mapping[str, NDArray[Any]]) -> AxisView | None:
    """Rebuild what :func:`view_arrays` took apart; None where it was not stored."""
    found = {name.removeprefix(_VIEW): value for name, value in arrays.items() if name.startswith(_VIEW)}
    if not found:
        return None
    gap, pairs = float(found.pop("gap")), int(found.pop("pairs"))
    return AxisView(**found, gap=gap, pairs=pairs)


def class_arrays(classes: Sequence[ClassScores]) -> dict[str, NDArray[Any]]:
    """Named classes as arrays to store under names of their own: all parts in one, and how long each is."""
    if not classes:
        return {}
    joined = {f.name: np.concatenate([getattr(c, f.name) for c in classes]) for f in dataclasses.fields(ClassScores)}
    sizes = np.array([len(c.rows) for c in classes], dtype=np.int64)
    return {_CLASSES + "sizes": sizes} | {
        _CLASSES + name: value if value.dtype.kind == "f" else _narrow(value) for name, value in joined.items()
    }


def classes_of(arrays: Mapping[str, NDArray[Any]]) -> tuple[ClassScores, ...]:
    """Rebuild what :func:`class_arrays` put together; empty where nothing was stored."""
    if _CLASSES + "sizes" not in arrays:
        return ()
    ends = np.cumsum(arrays[_CLASSES + "sizes"])[:-1]
    parts = {
        f.name: np.split(arrays[_CLASSES + f.name].astype(np.float32 if f.name == "confidence" else np.int64), ends)
        for f in dataclasses.fields(ClassScores)
    }
    return tuple(ClassScores(**dict(zip(parts, values, strict=True))) for values in zip(*parts.values(), strict=True))


def mixture_arrays(mixtures: Sequence[MixtureScores]) -> dict[str, NDArray[Any]]:
    """Named components as arrays to store under names of their own; none where no mixtures were made."""
    fields = [(f.name, i, m) for i, m in enumerate(mixtures) for f in dataclasses.fields(MixtureScores)]
    return {f"{_MIXTURES}{name}{i}": _narrow(getattr(m, name)) for name, i, m in fields}


def mixtures_of(arrays: Mapping[str, NDArray[Any]]) -> tuple[MixtureScores, ...]:
    """Rebuild what :func:`mixture_arrays` took apart."""
    count = sum(name.startswith(_MIXTURES + "truth") for name in arrays)
    parts = [[arrays[f"{_MIXTURES}{name}{i}"].astype(np.int64) for name in ("truth", "found")] for i in range(count)]
    return tuple(MixtureScores(truth, found) for truth, found in parts)
