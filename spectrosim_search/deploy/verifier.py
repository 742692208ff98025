"""Using a model: embeddings, pairs, and unknown spectra against a gallery. Needs no Ray, Optuna or database.

>>> verifier = Verifier.load("my-model")                      # doctest: +SKIP
>>> result = verifier.verify_pairs(read("new.csv"), prior=0.1)  # doctest: +SKIP
>>> result.rows()[0]["same"]                                  # doctest: +SKIP
True
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import DataError, InputError
from spectrosim_search.deploy.alignment import align
from spectrosim_search.deploy.decision import Decision
from spectrosim_search.deploy.embedding import embed_parts, has_own, row_similarity, similarity_matrix
from spectrosim_search.deploy.model_folder import ModelFolder, load
from spectrosim_search.deploy.verdicts import GalleryVerdicts, PairVerdicts
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["OutsideTrainingWarning", "Verifier"]

_PAIRS = 20_000_000  # more pairs than this are refused: the answer would not fit in memory or be read by anyone

Pairs = NDArray[np.int64] | Sequence[tuple[str, str]] | Sequence[tuple[int, int]]


class OutsideTrainingWarning(UserWarning):
    """New spectra are unlike what the model was trained on; its error rates may not hold for them."""


@dataclass(frozen=True, eq=False)
class Verifier:
    """A loaded model. `device`: where a network computes (a linear metric computes on the processor)."""

    folder: ModelFolder
    device: str = "cpu"

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu") -> Verifier:
        """Read a model folder; raises as :func:`spectrosim_search.deploy.model_folder.load`."""
        return cls(load(path), device)

    def check(self, spectra: SpectraSet) -> tuple[str, ...]:
        """Say, with counts, in what the spectra lie outside the training data; DataError where they cannot be used."""
        return self._prepare(spectra)[1]

    def embed(self, spectra: SpectraSet) -> NDArray[np.float32]:
        """Rows float32 ``(N, D)`` whose products are similarities, as :mod:`spectrosim_search.deploy.embedding` says:
        unit vectors where the model compares by cosine.

        Warns with OutsideTrainingWarning, one for each thing found. Raises DataError where the spectra do not cover
        the model's axis or its preprocessing cannot take them.
        """
        return self._embed(spectra, stacklevel=3)

    def _embed(self, spectra: SpectraSet, stacklevel: int) -> NDArray[np.float32]:
        """Embed; warnings point to the caller of the public method."""
        intensities, found = self._prepare(spectra)
        for message in found:
            warnings.warn(message, OutsideTrainingWarning, stacklevel=stacklevel)
        return embed_parts(self.folder.parts, intensities, self.folder.axis, self.device)

    def verify_pairs(self, spectra: SpectraSet, pairs: Pairs | None = None, *, prior: float = 0.5) -> PairVerdicts:
        """Judge pairs of spectra: rows ``(P, 2)`` or pairs of sample ids; None: every two spectra, once.

        `prior`: probability, before looking, that a pair is of one group. Warns and raises as :meth:`embed`;
        InputError for a prior outside 0..1, unknown or repeated ids, rows out of range, or more than 20 million pairs.
        """
        _check_prior(prior)
        if pairs is None:
            count = len(spectra) * (len(spectra) - 1) // 2
            if count > _PAIRS:
                raise InputError(
                    f"{len(spectra)} spectra make {count} pairs, more than {_PAIRS}: name the pairs, or use a gallery"
                )
            left, right = np.triu_indices(len(spectra), k=1)
        else:
            left, right = _rows(pairs, spectra)
        z = self._embed(spectra, stacklevel=3)
        similarity = row_similarity(z, left, right, has_own(self.folder.parts))
        return PairVerdicts.of(spectra.sample_ids[left], spectra.sample_ids[right], similarity, self._decision, prior)

    def verify_gallery(self, queries: SpectraSet, gallery: SpectraSet, *, prior: float = 0.5) -> GalleryVerdicts:
        """Judge each query against each group of the gallery; gallery spectra without a group are left out.

        The similarity to a group is the mean over its spectra, and with it the log likelihood ratio: the mean evidence
        of the pairs, which claims no more for being made of several dependent pairs. The best group has the highest
        mean; `same` says whether even that is similar enough, so an unknown group can be answered "none of these".
        Warns and raises as :meth:`embed`; InputError for a wrong prior or a gallery without groups.
        """
        _check_prior(prior)
        known = gallery.select(gallery.groups != "")
        if not len(known):
            raise InputError(f"no spectrum of the gallery '{gallery.name}' has a group: name its group column")
        names, codes = np.unique(known.groups, return_inverse=True)
        z_queries, z_known = self._embed(queries, stacklevel=3), self._embed(known, stacklevel=3)
        order = np.argsort(codes, kind="stable")
        starts = np.searchsorted(codes[order], np.arange(len(names)))
        counts = np.bincount(codes, minlength=len(names))
        mean = np.empty((len(queries), len(names)), np.float32)
        highest = np.empty_like(mean)
        step = max(1, 4_000_000 // max(1, len(known)))
        own = has_own(self.folder.parts)
        for start in range(0, len(queries), step):
            rows = slice(start, start + step)
            similarity = similarity_matrix(z_queries[rows], z_known[order], own)
            mean[rows] = np.add.reduceat(similarity, starts, axis=1) / counts
            highest[rows] = np.maximum.reduceat(similarity, starts, axis=1)
        return GalleryVerdicts.of(queries.sample_ids, names, counts, mean, highest, self._decision, prior)

    @property
    def _decision(self) -> Decision | None:
        return self.folder.decision

    def _prepare(self, spectra: SpectraSet) -> tuple[NDArray[np.float32], tuple[str, ...]]:
        intensities, found = align(spectra, self.folder.axis, self.folder.axis_unit)
        return intensities, found + self.folder.intensities.warnings(intensities, spectra.name)


def _check_prior(prior: float) -> None:
    if not 0 < prior < 1:
        raise InputError(f"the prior is {prior:g}; it is a probability strictly between 0 and 1")


def _rows(pairs: Pairs, spectra: SpectraSet) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Two columns of row numbers from row numbers or sample ids."""
    table = np.asarray(pairs)
    if table.size == 0:
        table = table.reshape(0, 2)
    if table.ndim != 2 or table.shape[1] != 2:
        raise InputError(f"pairs have shape {table.shape}; two columns are needed")
    if table.dtype.kind in "iu" or not table.size:
        rows = table.astype(np.int64)
        if rows.size and (rows.min() < 0 or rows.max() >= len(spectra)):
            raise InputError(
                f"pair row {rows.max() if rows.min() >= 0 else rows.min()} is outside 0 to {len(spectra) - 1}"
            )
    else:
        rows = _rows_of_ids(table.astype(str), spectra)
    if len(rows) > _PAIRS:
        raise InputError(f"{len(rows)} pairs are more than {_PAIRS}: ask for them in parts")
    return rows[:, 0], rows[:, 1]


def _rows_of_ids(table: NDArray[np.str_], spectra: SpectraSet) -> NDArray[np.int64]:
    where: dict[str, int] = {}
    for row, name in enumerate(spectra.sample_ids.tolist()):
        if where.setdefault(name, row) != row:
            raise DataError(
                f"sample id '{name}' occurs more than once in '{spectra.name}': pairs by id need unique ids"
            )
    unknown = sorted({name for name in table.ravel().tolist() if name not in where})
    if unknown:
        more = f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else ""
        raise InputError(f"no sample '{unknown[0]}'{more} in '{spectra.name}': check the list of pairs")
    return np.array([[where[a], where[b]] for a, b in table.tolist()], np.int64)
