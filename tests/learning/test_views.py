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


def policy(probability: float, *at_once: int, kinds: tuple[str, ...] = ("flip", "scale", "shift")) -> Augmenter:
    """An augmenter whose replicates differ in the number of kinds at once."""
    given = {kind: {"probability": probability} for kind in kinds}
    configurations = [configuration(augmentations=given, training={"augmentations_at_once": n}) for n in at_once]
    return Augmenter(configurations, Fitter([], {}), torch.float64, torch.device("cpu"))


def applied(out: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Which kinds changed each row, ``(R, M, 3)``: x counts up from 1, a shift here moves by 2 or 3 channels or so."""
    length = x.shape[-1]
    rise = out.diff(dim=-1)
    flipped = rise.median(dim=-1).values < 0
    scaled = (rise.abs().median(dim=-1).values - 1).abs() > 1e-9
    shifted = rise.sign().sum(dim=-1).abs() != length - 1
    return torch.stack([flipped, scaled, shifted], dim=-1)


def test_at_most_so_many_kinds_at_once_each_as_likely():
    x = torch.arange(1.0, 2001, dtype=torch.float64).expand(4, 600, -1)
    augment = policy(1.0, 0, 1, 2, 5)
    out = augment(x, Stream.of_seeds([1, 2, 3, 4], 0), x[:, 0], lambda uniform: x)
    kinds = applied(out, x)
    count = kinds.sum(dim=-1)
    assert count[0].double().mean() > 2.9  # a shift of less than half a channel is none
    assert count[1].max() == 1
    assert count[2].max() == 2
    assert count[3].double().mean() > 2.9
    for replicate, share in ((1, 1 / 3), (2, 2 / 3)):
        error = (share * (1 - share) / 600) ** 0.5
        assert ((kinds[replicate].double().mean(dim=0) - share).abs() < 4 * error + 0.06 * share).all()


def test_a_limit_keeps_what_lies_below_it():
    x = torch.arange(1.0, 2001, dtype=torch.float64).expand(2, 500, -1)
    free, limited = policy(0.4, 0, 0), policy(0.4, 1, 3)
    stream = Stream.of_seeds([7, 7], 0)
    both = [augment(x, stream, x[:, 0], lambda uniform: x) for augment in (free, limited)]
    count = applied(both[0], x)[0].sum(dim=-1)
    few = count <= 1
    assert 0 < few.sum() < 500
    assert torch.equal(both[0][0][few], both[1][0][few])
    assert (applied(both[1], x)[0].sum(dim=-1)[~few] == 1).double().mean() > 0.95
    assert torch.equal(both[0][1], both[1][1])  # three kinds, at most three


def test_a_limit_does_not_reach_the_neighbours():
    x = torch.arange(1.0, 301, dtype=torch.float64).expand(3, 40, -1)
    together = policy(0.8, 0, 1, 2)
    out = together(x, Stream.of_seeds([1, 2, 3], 4), x[:, 0], lambda uniform: x)
    for replicate, limit in enumerate((0, 1, 2)):
        alone = policy(0.8, limit)(x[:1], Stream.of_seeds([replicate + 1], 4), x[:1, 0], lambda uniform: x[:1])
        assert torch.equal(alone[0], out[replicate])
    together.keep([2, 1])
    kept = together(x[:2], Stream.of_seeds([3, 2], 4), x[:2, 0], lambda uniform: x[:2])
    assert torch.equal(kept, out[[2, 1]])


def test_no_augmentations_at_all():
    augment = policy(0.5, 0, 1, kinds=())
    x = torch.ones(2, 3, 4)
    assert not augment
    assert torch.equal(augment(x, Stream.of_seeds([1, 2], 0), x[:, 0], lambda uniform: x), x)
