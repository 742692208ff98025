"""What a model of the task identify can do beside naming one class: mixtures, and classes it was not trained on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import DataError
from spectrosim_search.deploy.named_model import NamedModel
from spectrosim_search.evaluation.class_committee import vote_components
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["enrolled", "name_mixtures"]

IntArray = NDArray[np.int64]


def enrolled(model: NamedModel, spectra: SpectraSet) -> NamedModel:
    """The model with further spectra in its gallery, of known groups or new ones; nothing is trained.

    The threshold stays as it was. Raises DataError where a spectrum has no group.
    """
    if (spectra.groups == "").any():
        raise DataError(f"{int((spectra.groups == '').sum())} spectra of '{spectra.name}' have no group to enrol under")
    given, told = model.prepare(spectra)
    names = (*model.class_names, *sorted(set(spectra.groups.tolist()) - set(model.class_names)))
    place = {name: code for code, name in enumerate(names)}
    codes = np.array([place[g] for g in spectra.groups.tolist()], dtype=np.int64)
    larger = [model.program.enrol(p.configuration, p.parameters, p.spectra, p.axis, codes) for p in given]
    parts = tuple(replace(p.part, parameters=learnt) for p, learnt in zip(given, larger, strict=True))
    return replace(model, parts=parts, class_names=names, notes=(*model.notes, *told))


def name_mixtures(
    model: NamedModel, spectra: SpectraSet, components: int
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """One mapping a spectrum: the `components` classes whose summed centres it is most like, and the cosine; of a
    committee the classes that most members count among them, and the share of members that do.

    Sums are of what each class adds to a mixture, in the coordinates that mixtures of training spectra taught
    (:mod:`spectrosim_search.evaluation.mixing`), of class centres where the model has learnt none; sets are searched by
    beam search with swap refinement. Raises InputError for more components than classes. Also returns warnings about
    the spectra.
    """
    given, told = model.prepare(spectra)
    found: list[IntArray] = []
    scores = np.empty(0)
    for p in given:
        z = model.program.embed(p.configuration, p.parameters, p.spectra, p.axis)
        sets, own = model.program.components(p.parameters, z, components)
        found.append(sets[-1])
        scores = own[-1]
    named = found[0]
    if len(found) > 1:
        named = vote_components(found, len(model.class_names))
        agreed = [(one[:, :, None] == named[:, None, :]).any(axis=1).mean(axis=1) for one in found]
        scores = np.mean(agreed, axis=0)
    return [
        {
            "sample_id": name,
            **{f"component {k + 1}": model.class_names[code] for k, code in enumerate(codes)},
            "score": round(float(score), 6),
        }
        for name, codes, score in zip(spectra.sample_ids.tolist(), named.tolist(), scores, strict=True)
    ], told
