"""What a model of the task identify can do beside naming one class: mixtures, and classes it was not trained on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from spectrosim_search.config.errors import DataError
from spectrosim_search.deploy.named_model import NamedModel
from spectrosim_search.evaluation.mixtures import name_components
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["enrolled", "name_mixtures"]


def enrolled(model: NamedModel, spectra: SpectraSet) -> NamedModel:
    """The model with further spectra in its gallery, of known groups or new ones; nothing is trained.

    The threshold stays as it was. Raises DataError where a spectrum has no group.
    """
    if (spectra.groups == "").any():
        raise DataError(f"{int((spectra.groups == '').sum())} spectra of '{spectra.name}' have no group to enrol under")
    prepared, axis, told = model.prepare(spectra)
    names = [*model.class_names, *sorted(set(spectra.groups.tolist()) - set(model.class_names))]
    codes = np.array([names.index(g) for g in spectra.groups.tolist()], dtype=np.int64)
    parameters = model.program.enrol(model.configuration, model.parameters, prepared, axis, codes)
    return replace(model, parameters=parameters, class_names=tuple(names), notes=(*model.notes, *told))


def name_mixtures(
    model: NamedModel, spectra: SpectraSet, components: int
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """One mapping a spectrum: the `components` classes whose summed centres it is most like, and the cosine.

    Score of a set K: Σ aᵢ / √(Σ G_ij over K×K), a the query's cosines with the class centres, G those of the centres;
    sets are searched by beam search with swap refinement. Raises InputError for more components than classes. Also
    returns warnings about the spectra.
    """
    prepared, axis, told = model.prepare(spectra)
    z = model.program.embed(model.configuration, model.parameters, prepared, axis)
    sets, scores = name_components(z, model.program.gallery(model.parameters).centroids, components)
    return [
        {
            "sample_id": name,
            **{f"component {k + 1}": model.class_names[code] for k, code in enumerate(found)},
            "score": round(float(score), 6),
        }
        for name, found, score in zip(spectra.sample_ids.tolist(), sets[-1].tolist(), scores[-1], strict=True)
    ], told
