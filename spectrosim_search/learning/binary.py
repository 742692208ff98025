"""Binary classifiers of pairs: an encoder and one logit on the difference of two spectra.

SpectroSim's comparison to contrastive learning (section 4.2; its chapter, "Direct Binary Classification"): the same
encoders read x1 - x2 and a weighted cross-entropy asks whether both are of one group. f(x1 - x2) and f(x2 - x1) differ,
so the score depends on which spectrum comes first; of |x1 - x2| it does not.

The encoders normalise what they read, which a spectrum can bear but a difference cannot: how large it is says most. So
the logarithm of its mean square stands beside the embedding in front of the logit, and what is trained starts as
minus that logarithm: at the start pairs rank as by Euclidean distance. Without it, most of these networks learn the
training pairs by heart and tell nothing of others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Component, Optimiser
from spectrosim_search.config.errors import ConfigurationError, DataError
from spectrosim_search.learning.components import settings_of
from spectrosim_search.learning.layers import Context, linear
from spectrosim_search.learning.model import Layout
from spectrosim_search.learning.numbered_pairs import KnownPairs, plan
from spectrosim_search.learning.optimiser import AdamW
from spectrosim_search.learning.parameters import Parameter, bias
from spectrosim_search.learning.randomness import Stream, seed_words
from spectrosim_search.learning.stack import values_of

__all__ = ["BinaryClassifier", "BinaryTraining", "train_binary", "weighted_cross_entropy"]

_SMALLEST = 1e-6  # mean square of a difference, relative to the usual one, below which it counts as none
_SIZE_GAIN = 4.0  # one feature among many: with this gain its weight moves as much as theirs do together
_PAIRS_AT_ONCE = 256  # pairs scored at a time


@dataclass(frozen=True)
class BinaryTraining:
    """How a binary classifier is trained: a fixed number of epochs, so that no pair chooses when to stop.

    An epoch holds all training positives and `negatives` times as many negatives, at most `most_batches` batches (see
    :func:`~spectrosim_search.learning.numbered_pairs.plan`). A small set of spectra gives few steps, hence the high
    rate, reached early.
    """

    epochs: int = 10
    batch_size: int = 16
    most_batches: int = 128
    negatives: float = 1.0  # infinity: all, as the papers
    label_smoothing: float = 0.1
    optimiser: Optimiser = field(default_factory=lambda: Optimiser(learning_rate=4e-3, warmup=0.1))


def weighted_cross_entropy(logits: Tensor, positive: Tensor, weights: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return the weighted mean of the binary cross-entropies of logits ``(R, B)`` → ``(R,)``.

    positive, weights: ``(B,)``. `smoothing`: share of the target moved to an even guess (Szegedy et al. 2016).
    """
    target = positive.to(logits.dtype) * (1 - smoothing) + smoothing / 2
    losses = F.binary_cross_entropy_with_logits(logits, target.expand_as(logits), reduction="none")
    return (losses * weights).sum(dim=-1) / weights.sum()


class BinaryClassifier:
    """An encoder and one logit for differences of spectra of `length` channels, with a replicate axis R = 1."""

    def __init__(
        self, encoder: Component, length: int, seed: int, axis: NDArray[np.float64], *, absolute: bool
    ) -> None:
        """Draw the starting values.

        Raises ConfigurationError on unknown or contradictory settings and for encoders that fit on spectra.
        """
        self._module = registry.load("learning.encoders", encoder.type)
        self._settings = settings_of("encoders", encoder)
        self._absolute = absolute
        size = self._module.outputs(self._settings, length)
        declared: dict[str, Parameter] = dict(self._module.parameters(self._settings, length))
        if any(p.start == "fitted" for p in declared.values()):
            raise ConfigurationError([f"encoder {encoder.type} fits on spectra and cannot read differences of them"])
        declared |= {
            "logit.weight": Parameter((size, 1), "constant", 0.0, decay=True),
            "logit.size": Parameter((1, 1), "constant", -1 / _SIZE_GAIN, decay=False),
            "logit.bias": bias(1),
        }
        self.layout = Layout.of(declared)
        self.values = self.layout.initial([seed], torch.float32)
        self.scale = 1.0  # of the differences, found by `fit_scale`
        self._axis = torch.from_numpy(np.asarray(axis, dtype=np.float64)).unsqueeze(0)
        self._varying = values_of("encoders", [encoder], torch.float32, torch.device("cpu"))
        self._silent = frozenset(n for n, v in self._varying.items() if not v.any())

    def fit_scale(self, spectra: NDArray[np.float32]) -> None:
        """Let the differences of all pairs of training spectra ``(n, L)`` have a mean square of one."""
        square = 2 * float(spectra.var(axis=0, dtype=np.float64, ddof=1).mean()) if len(spectra) > 1 else 0.0
        self.scale = 1 / math.sqrt(square) if square > 0 else 1.0

    def differences(self, left: Tensor, right: Tensor) -> Tensor:
        """Return what the encoder reads of spectra ``(B, L)`` each: ``(1, B, L)``."""
        x = (left - right) * self.scale
        return (x.abs() if self._absolute else x).unsqueeze(0)

    def forward(
        self,
        p: Mapping[str, Tensor],
        x: Tensor,
        constants: dict[str, Tensor],
        stream: Stream | None = None,
        penalties: list[Tensor] | None = None,
    ) -> Tensor:
        """Return logits ``(1, B)`` of differences x ``(1, B, L)``; `penalties` takes what the encoder adds to the loss.

        p: tensors ``(1, *shape)``. stream: None in inference. constants: kept by the caller for one type of x.
        """
        values = {n: v.to(x.dtype) for n, v in self._varying.items()}
        added = [] if penalties is None else penalties
        context = Context(self._axis.to(x.dtype), values, stream, 0, constants, x, added, self._silent)
        h = self._module.forward(self._settings, p, x, context)
        size = x.square().mean(dim=-1, keepdim=True).clamp(min=_SMALLEST).log()
        logit = linear(h, p["logit.weight"], p["logit.bias"]) + linear(_SIZE_GAIN * size, p["logit.size"])
        return logit.squeeze(-1)

    @torch.no_grad()
    def logits(
        self, spectra: NDArray[np.float32], left: NDArray[np.int64], right: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Score pairs of rows of spectra ``(N, L)`` → ``(P,)``: the larger, the more likely the same.

        In double precision, so that a score does not depend on the pairs it is computed with.
        """
        p, x = self.layout.views(self.values.double()), torch.from_numpy(np.asarray(spectra)).double()
        constants: dict[str, Tensor] = {}
        out = np.empty(left.size, dtype=np.float32)
        for at in range(0, left.size, _PAIRS_AT_ONCE):
            rows = slice(at, at + _PAIRS_AT_ONCE)
            shown = self.differences(x[torch.from_numpy(left[rows])], x[torch.from_numpy(right[rows])])
            out[rows] = self.forward(p, shown, constants)[0].numpy()
        return out


def train_binary(
    encoder: Component,
    spectra: NDArray[np.float32],
    axis: NDArray[np.float64],
    pairs: KnownPairs,
    seed: int,
    training: BinaryTraining,
    *,
    absolute: bool,
) -> BinaryClassifier:
    """Train on the pairs of preprocessed training spectra ``(n, L)``; float32 on the CPU, bit-equal for equal seeds.

    Raises DataError where the training spectra hold no known pair of either kind.
    """
    if not pairs.positive.count or not pairs.negative.count:
        raise DataError(
            f"a classifier of pairs needs training pairs of both kinds, there are {pairs.positive.count} of one group "
            f"and {pairs.negative.count} of different groups"
        )
    model = BinaryClassifier(encoder, spectra.shape[1], seed, axis, absolute=absolute)
    model.fit_scale(spectra)
    x = torch.from_numpy(np.asarray(spectra))
    leaves = model.layout.leaves(model.values)
    gradient = torch.zeros_like(model.values)
    slots = tuple(model.layout.views(gradient).values())
    words = torch.tensor([seed_words(seed, "step")], dtype=torch.int32)
    constants: dict[str, Tensor] = {}
    optimiser: AdamW | None = None
    for epoch in range(training.epochs):
        batches = plan(
            pairs,
            seed,
            epoch,
            batch_size=training.batch_size,
            most_batches=training.most_batches,
            negatives=training.negatives,
        )
        if optimiser is None:
            total = training.epochs * len(batches)
            optimiser = AdamW([training.optimiser], model.values, ((0, model.layout.decayed),), total)
        for batch in batches:
            shown = model.differences(x[torch.from_numpy(batch.left)], x[torch.from_numpy(batch.right)])
            penalties: list[Tensor] = []
            stream = Stream.at(words, optimiser.taken)
            logits = model.forward(leaves, shown, constants, stream, penalties)
            weights = torch.from_numpy(batch.weight).to(logits.dtype)
            positive = torch.from_numpy(batch.positive)
            loss = weighted_cross_entropy(logits, positive, weights, training.label_smoothing)
            loss = torch.stack([loss, *penalties]).sum()
            for slot, found in zip(slots, torch.autograd.grad(loss, tuple(leaves.values()))):
                slot.copy_(found)
            optimiser.step(model.values, gradient)
    return model
