"""Neural binary classifiers of pairs find what is there, nothing where nothing is, and use known pairs alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from spectrosim_search import baselines
from spectrosim_search.baselines import BaselineInput
from spectrosim_search.baselines._binary import (
    CHAPTER,
    REVISION,
    TRAINING,
    chapter_encoder,
    fit_score_binary,
    known_pairs,
)
from spectrosim_search.config import registry
from spectrosim_search.evaluation.verification import auc
from spectrosim_search.protocol.pairs import PairSet
from spectrosim_search.spectra.simulators import simulate
from spectrosim_search.spectra.spectra_set import SpectraSet

Make = Callable[..., BaselineInput]
SHORT = replace(TRAINING, epochs=2)
ENCODERS = ["cnn", "ensemble-transformer", "kan", "lstm", "mamba", "moe-transformer", "r-cnn", "resnet", "transformer"]
ENCODERS += ["vae"]


def planted(seed: int = 0, offset: float = 1.0) -> SpectraSet:
    """Spectra of 24 batches of 3: each batch multiplies every peak by factors of its own."""
    s = simulate(batches=24, channels=96, mz_high=120.0, peaks=20, seed=seed)
    rng = np.random.default_rng(seed)
    batch = np.unique(s.groups, return_inverse=True)[1]
    profile = rng.normal(size=(1, 96)) + offset * rng.normal(size=(24, 96))[batch] + 0.2 * rng.normal(size=(72, 96))
    return replace(s, intensities=np.exp(profile).astype(np.float32))


def area(name: str, data: BaselineInput) -> float:
    pairs = data.pairs[0]
    return auc(baselines.run(name, data).similarities[0], pairs.positive)


def test_every_encoder_of_the_papers_has_both_rows() -> None:
    names = set(registry.names("baselines"))
    for encoder in ENCODERS:
        for name, symmetric in ((f"binary-{encoder}", False), (f"binary-{encoder}-absolute", True)):
            assert name in names
            module = registry.load("baselines", name)
            assert module.REVISION == REVISION >= 1  # raised with `TRAINING`, so that stored scores do not mix
            assert (True, not symmetric) == (module.SEEDED, getattr(module, "DIRECTED", False))


@pytest.mark.parametrize("name", ["cnn", "cnn-absolute", "kan", "kan-absolute", "transformer"])
def test_batches_never_seen_are_told_apart_by_a_large_offset(name: str, held_out: Make) -> None:
    assert area(f"binary-{name}", held_out(planted())) > 0.9


@pytest.mark.parametrize("name", ["kan", "vae-absolute"])
def test_groups_without_meaning_are_not_found(name: str, held_out: Make) -> None:
    """Held-out spectra whose groups are drawn: mean over three populations of 36 positives each, sd about .04."""
    areas = [area(f"binary-{name}", held_out(planted(seed, offset=0.0), seed)) for seed in range(3)]
    assert 0.35 < np.mean(areas) < 0.65


def test_the_training_seed_draws_and_nothing_else_does(held_out: Make) -> None:
    data = held_out(planted())
    runs = [
        fit_score_binary(replace(data, training_seed=t, seed=s), "vae", training=SHORT).similarities[0]
        for t, s in ((1, 0), (1, 5), (2, 0))
    ]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_under_a_relation_only_known_pairs_are_learnt_from(held_out: Make) -> None:
    data = held_out(planted())
    n = len(data.spectra)
    relation = np.full((n, n), -1, np.int8)
    a, b, c, d = data.train[:4]
    relation[a, b] = relation[b, a] = 1
    relation[c, d] = relation[d, c] = 0
    known = known_pairs(replace(data, relation=relation))
    assert (known.positive.count, known.negative.count) == (1, 1)
    assert [sorted(int(v[0]) for v in kind.at(np.array([0]))) for kind in (known.positive, known.negative)] == [
        [0, 1],
        [2, 3],
    ]


def test_pairs_in_several_sets_and_no_pairs(held_out: Make) -> None:
    data = held_out(planted())
    p = data.pairs[0]
    last = PairSet(p.left[::-2], p.right[::-2], p.positive[::-2], p.stratum[::-2])
    out = fit_score_binary(replace(data, pairs=(p, last)), "vae", training=SHORT)
    np.testing.assert_array_equal(out.similarities[1], out.similarities[0][::-2])
    assert fit_score_binary(replace(data, pairs=()), "vae", training=SHORT).similarities == ()


@pytest.mark.parametrize("name", ENCODERS)
def test_sizes_of_the_chapter_are_settings_of_every_encoder(name: str, held_out: Make) -> None:
    component = chapter_encoder(name)
    assert component["dropout"] == 0.2
    assert component.get("width") == 128
    if name in ("vae", "transformer"):
        training = replace(CHAPTER, epochs=1)
        out = fit_score_binary(held_out(planted()), component, training=training)
        assert "all negatives, rate 1e-05" in out.settings
