from __future__ import annotations

import torch

from spectrosim_search.learning.fitting import Fitter
from spectrosim_search.learning.randomness import Stream
from spectrosim_search.learning.views import Augmenter, Relations, compare
from tests.learning.problems import configuration

ROWS = torch.tensor([[0, 1, 2, 0]])  # spectrum 0 twice
RELATION = torch.tensor([[[1, 1, 0, 1], [1, 1, -1, 1], [0, -1, 1, 0], [1, 1, 0, 1]]], dtype=torch.int8)
WEIGHT = torch.tensor([0.25])


def test_groups_give_positives_and_negatives_once_each():
    positive, negative = compare(ROWS, RELATION, "groups", WEIGHT)
    expected = torch.tensor([[[0, 1, 0, 0], [1, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]]]) * 0.25
    torch.testing.assert_close(positive, expected)
    assert negative[0].nonzero().tolist() == [[0, 2], [2, 0], [2, 3], [3, 2]]


def test_views_of_one_slot_are_positives_copies_are_nothing():
    positive, negative = compare(ROWS, None, "views", WEIGHT)
    assert positive.shape == (1, 8, 8)
    for i in range(8):
        assert positive[0, i].nonzero().flatten().tolist() == [(i + 4) % 8]
    slots = torch.cat([ROWS, ROWS], dim=1)
    assert torch.equal(negative, slots.unsqueeze(2) != slots.unsqueeze(1))


def test_both():
    positive, negative = compare(ROWS, RELATION, "both", WEIGHT)
    assert positive[0, 1].tolist() == [0.25, 0, 0, 0.25, 0.25, 1, 0, 0.25]
    assert negative[0, 1].tolist() == [False] * 8  # spectrum 2 is unknown to it
    assert negative[0, 2].nonzero().flatten().tolist() == [0, 3, 4, 7]
    assert torch.equal(positive, positive.transpose(1, 2))


def test_unknown_relations_are_no_negatives_of_views_either():
    _, negative = compare(ROWS, RELATION, "views", WEIGHT)
    assert not negative[0, 1, 2]
    assert negative[0, 0, 1]  # label-free: a spectrum of the same group is a negative


def test_copies_are_no_negatives_whatever_the_relation_says_of_a_spectrum_and_itself():
    relation = RELATION.clone()
    for a, b in ((0, 0), (0, 3), (3, 0), (3, 3)):
        relation[0, a, b] = 0
    for source in ("groups", "both"):
        _, negative = compare(ROWS, relation, source, WEIGHT)
        assert not negative[0, [0, 0, 3, 3], [0, 3, 0, 3]].any()


def test_relations_from_codes_and_from_a_matrix():
    codes = torch.tensor([0, 0, -1, 5, 5, 5])
    matrix = torch.tensor([[1, 0, -1], [0, 1, 1], [-1, 1, 1]], dtype=torch.int8)
    relations = Relations(codes, {1: (matrix, 3)}, [0, 1])
    got = relations(torch.tensor([[0, 1, 2], [3, 4, 5]]))
    assert got[0].tolist() == [[1, 1, -1], [1, 1, -1], [-1, -1, -1]]
    assert torch.equal(got[1], matrix)
    relations.keep([1])
    assert torch.equal(relations(torch.tensor([[5, 4]]))[0], torch.tensor([[1, 1], [1, 1]], dtype=torch.int8))


def test_share_of_changed_rows_and_streams_of_replicates():
    kinds = [{"scale": {"probability": p, "strength": 0.5}} for p in (0.0, 0.3, 1.0)]
    cpu = torch.device("cpu")
    augment = Augmenter([configuration(augmentations=k) for k in kinds], Fitter([], {}), torch.float32, cpu)
    x = torch.ones(3, 500, 4)
    out = augment(x, Stream.of_seeds([1, 2, 3], 0), x[:, 0], lambda uniform: x)
    share = (out != x).any(dim=-1).float().mean(dim=1)
    assert float(share[0]) == 0
    assert abs(float(share[1]) - 0.3) < 0.1
    assert float(share[2]) > 0.99
    alone = Augmenter([configuration(augmentations=kinds[1])], Fitter([], {}), torch.float32, cpu)
    assert torch.equal(alone(x[1:2], Stream.of_seeds([2], 0), x[1:2, 0], lambda uniform: x)[0], out[1])
