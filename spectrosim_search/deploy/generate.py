"""Spectra made by a trained generator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spectrosim_search.config.errors import InputError, nearest
from spectrosim_search.deploy.named_model import NamedModel
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["generate"]


def generate(model: NamedModel, classes: Sequence[str] = (), *, count: int = 10, seed: int = 0) -> SpectraSet:
    """`count` spectra of each of `classes`, once each (all where none is given), over the axis the generator knows.

    Equal seeds give equal spectra. Raises InputError for an unknown class.
    """
    for name in classes:
        if name not in model.class_names:
            raise InputError(f"the model knows no class '{name}'{nearest(name, model.class_names)}")
    chosen = [model.class_names.index(name) for name in dict.fromkeys(classes or model.class_names)]
    (part,) = model.parts
    axis = part.preprocessing.axis(model.axis)
    made = [
        model.program.generate(part.configuration, part.parameters, code, count, seed + place, axis)
        for place, code in enumerate(chosen)
    ]
    names = np.repeat([model.class_names[code] for code in chosen], count).astype(np.str_)
    numbers = np.tile(np.arange(1, count + 1), len(chosen))
    empty = np.full(len(names), "", dtype=np.str_)
    return SpectraSet(
        intensities=np.concatenate(made).astype(np.float32),
        axis=np.asarray(axis, dtype=np.float64),
        axis_unit=model.axis_unit,
        sample_ids=np.array([f"{name} made {i}" for name, i in zip(names, numbers, strict=True)], dtype=np.str_),
        groups=names,
        labels=names,
        split=empty,
        name=f"{model.name}-made",
    )
