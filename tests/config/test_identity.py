"""A configuration keeps its name when the program learns new choices."""

from __future__ import annotations

import dataclasses

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.search.documents import load_preset
from spectrosim_search.search.documents.configurations import configuration_from_mapping

WHITENED = {"encoder": {"type": "whitened"}, "training": {"epochs": 0, "similarity": "encoder"}}


def compared(**training: object) -> Configuration:
    base = configuration_from_mapping(WHITENED)
    return dataclasses.replace(base, training=dataclasses.replace(base.training, **training))  # type: ignore[arg-type]


def test_configurations_older_than_the_comparison_keep_their_identity() -> None:
    # as they were before training.comparison existed
    assert load_preset("spectrosim-paper").identity == "f55ed9d810bc2ab8"
    assert load_preset("spectrosim-chapter").identity == "04254edec4940cb0"
    assert configuration_from_mapping(WHITENED).identity == "59d892f89500b1fe"


def test_what_is_compared_otherwise_has_a_name_of_its_own() -> None:
    names = [
        compared(comparison=kind, comparison_shrinkage=share).identity
        for kind, share in (("cosine", 0.1), ("euclidean", 0.1), ("plda", 0.1), ("plda", 0.2))
    ]
    names += [
        compared(comparison=kind, comparison_neighbours=near, comparison_locality=share).identity
        for kind, near, share in (("cosine", 1, 1.0), ("cosine", 3, 1.0), ("cosine", 3, 0.5), ("plda", 3, 1.0))
    ]
    names += [
        compared(comparison=kind, comparison_rounds=rounds, comparison_rounds_shrinkage=share).identity
        for kind, rounds, share in (("cosine", 1, 0.1), ("cosine", 2, 0.1), ("cosine", 2, 0.5), ("plda", 2, 0.1))
    ]
    assert len(set(names)) == 12


def test_a_shrinkage_that_has_no_say_does_not_count() -> None:
    for kind in ("cosine", "euclidean"):
        first, second = (compared(comparison=kind, comparison_shrinkage=s).identity for s in (0.1, 0.9))
        assert first == second
    for name in ("comparison_locality", "comparison_rounds_shrinkage"):
        first, second = (compared(**{name: share}).identity for share in (0.5, 1.0))
        assert first == second
