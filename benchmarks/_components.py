"""The components of mixtures, as the identification benchmark asks for them."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from benchmarks._identifying import Drawn, Model
from spectrosim_search.evaluation.identification import unit_rows
from spectrosim_search.evaluation.mixing import Mixing, fit_mixing, practised
from spectrosim_search.evaluation.mixtures import (
    at_least,
    beam_search,
    choose_order,
    draw_mixtures,
    exhaustive_search,
    learn_steps,
    mixed,
    mixture_spectra,
    name_components,
    non_negative_least_squares,
)
from spectrosim_search.search.programs import identify
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["ORDERS", "components"]

ORDERS = (2, 3, 4)
_Table = NDArray[np.floating]
_Codes = NDArray[np.int64]


def components(
    model: Model, data: Drawn, seed: int, *, count: int, rivals: int, listed: int, per_class: int
) -> dict[str, float | list[float]]:
    """Name the components of `count` mixtures of test spectra of each order, beside rivals and listing everything.

    `rivals`: mixtures that least squares are asked about; `listed`: those compared with a list of all combinations;
    `per_class`: training mixtures of each order for each class, to learn from.
    """
    centres = identify.gallery(model.parameters).centroids
    begun = time.process_time()
    mixing = _mixing(model, data.train, per_class, seed)
    out: dict[str, float | list[float]] = {"processor_seconds": time.process_time() - begun}
    known = mixing.parts.astype(np.float64)
    gram = known @ known.T

    def asked(spectra: SpectraSet, order: int, number: int, stream: int) -> tuple[_Table, _Table, _Codes]:
        codes = Drawn.codes(spectra)
        rows = draw_mixtures(codes, order, number, stream)
        z = unit_rows(model.embed(mixed(spectra.intensities, rows)))
        return z, unit_rows(mixing.whitened(z)).astype(np.float64) @ known.T, codes[rows]

    longest = ORDERS[-1]
    chosen: list[tuple[NDArray[np.float64], int]] = []
    for order in (1, *ORDERS):
        _, a, _ = asked(data.validation, order, count // 2, seed + 1)
        chosen.append((np.stack(beam_search(a, gram, longest)[1], axis=1), order))
    steps = learn_steps(
        np.concatenate([s for s, _ in chosen]), np.concatenate([np.full(s.shape[0], k) for s, k in chosen])
    )
    for order in ORDERS:
        z, a, truth = asked(data.test, order, count, seed)
        sets, scores = beam_search(a, gram, longest)
        out[f"beam_{order}"] = at_least(sets[order - 1], truth).tolist()
        out[f"centres_{order}"] = at_least(name_components(z, centres, order)[0][-1], truth).tolist()
        rival = non_negative_least_squares(z[:rivals], centres, order)
        out[f"nnls_{order}"] = at_least(rival, truth[:rivals]).tolist()
        out[f"beam_beside_nnls_{order}"] = at_least(sets[order - 1][:rivals], truth[:rivals]).tolist()
        told = choose_order(np.stack(scores, axis=1), steps)
        out[f"order_right_{order}"] = float((told == order).mean())
        exact = [set(sets[k - 1][i].tolist()) == set(truth[i].tolist()) for i, k in enumerate(told.tolist())]
        out[f"order_chosen_all_right_{order}"] = float(np.mean(exact))
        some = 60 if order == 4 else a.shape[1]  # quadruples of 60 classes, pairs and triples of all
        few = a[: listed if order > 2 else a.shape[0], :some]
        best, top = exhaustive_search(few, gram[:some, :some], order)
        sets, scores = beam_search(few, gram[:some, :some], order)
        out[f"as_listing_all_{order}"] = float(((sets[-1] == best).all(axis=1) | (scores[-1] >= top - 1e-9)).mean())
        out[f"listed_{order}"] = few.shape[0]
    return out


def _mixing(model: Model, train: SpectraSet, per_class: int, seed: int) -> Mixing:
    """What mixtures of the training spectra teach."""

    def embedded(rows: _Codes) -> _Table:
        return model.embed(mixture_spectra(train.intensities, rows))

    known = identify.gallery(model.parameters).centroids
    return fit_mixing(practised(Drawn.codes(train), per_class, seed, embedded), known)
