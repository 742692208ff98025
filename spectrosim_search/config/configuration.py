"""Everything that defines a model and its training.

A :class:`Configuration` is frozen and typed, goes to YAML and back, and its hash is its identity. The parameters of
encoders, heads, objectives and augmentations are declared beside their code as a frozen dataclass
``Settings``; here they travel as a :class:`Component` with every default filled in.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from spectrosim_search.config.fields import content_hash, field, plain

__all__ = [
    "Component",
    "Configuration",
    "Optimiser",
    "Positives",
    "Preprocessing",
    "Scalar",
    "Training",
    "committee_identity",
]

Scalar = bool | int | float | str


@dataclass(frozen=True)
class Component:
    """A chosen member of a family (encoder, head, objective, augmentation) with its parameters.

    `parameters` is a tuple of (name, value) sorted by name, so that equal components hash equally. The YAML form is
    flat: ``{type: transformer, patch: 32, width: 64}``.
    """

    type: str
    parameters: tuple[tuple[str, Scalar], ...] = ()

    @classmethod
    def of(cls, type_: str, /, **parameters: Scalar) -> Component:
        """Build from keyword arguments."""
        return cls(type_, tuple(sorted(parameters.items())))

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> Component:
        """Build from the flat YAML form."""
        rest = {k: v for k, v in mapping.items() if k != "type"}
        return cls.of(str(mapping["type"]), **rest)

    def to_dict(self) -> dict[str, Scalar]:
        """Return the flat YAML form."""
        return {"type": self.type, **dict(self.parameters)}

    def __getitem__(self, name: str) -> Scalar:
        return dict(self.parameters)[name]

    def __iter__(self) -> Iterator[tuple[str, Scalar]]:
        return iter(self.parameters)

    def get(self, name: str, default: Scalar | None = None) -> Scalar | None:
        """Return a parameter, or `default` where it is not set."""
        return dict(self.parameters).get(name, default)


@dataclass(frozen=True)
class Preprocessing:
    """What happens to intensities before learning; anything fitted is fitted on training spectra only."""

    intensity: Literal["none", "tic", "sqrt", "log", "snv", "msc"] = field(
        "sqrt",
        "none; tic: divided by the sum of absolute intensities; sqrt: square root of tic; "
        "log: log(1 + tic x channels); snv: standard normal variate; msc: multiplicative scatter correction against "
        "the mean training spectrum",
    )
    derivative: int = field(0, "order of the Savitzky-Golay derivative along the axis", low=0, high=2)
    window: int = field(11, "Savitzky-Golay window (odd), used with a derivative", unit="channels", low=3, high=101)
    scale: Literal["none", "centre", "pareto", "standard"] = field(
        "standard",
        "each channel left alone (none), centred (centre), and divided by the square root of its standard deviation "
        "(pareto) or by the deviation itself (standard)",
    )
    baseline: Literal["none", "snip", "arpls", "polynomial"] = field(
        "none",
        "taken off each spectrum before all else; snip: clipped peaks (mass spectra); arpls: asymmetrically reweighted "
        "least squares (Raman, FTIR); polynomial: detrending (NIR); sqrt and log then read negative values as 0",
    )
    baseline_width: int = field(
        200,
        "what is broader counts as baseline (snip: twice its half window; arpls: the wave its smoother halves)",
        unit="channels",
        low=4,
        high=1000,
    )
    baseline_order: int = field(2, "degree of the polynomial baseline", low=0, high=6)
    binning: int = field(
        1,
        "neighbouring channels averaged into one, before the intensity transform; windows then count bins",
        shapes=True,
        unit="channels",
        low=1,
        high=1000,
    )

    def channels(self, measured: int) -> int:
        """Channels that binning leaves of so many measured ones."""
        return -(-measured // self.binning)


@dataclass(frozen=True)
class Positives:
    """Which views of a batch count as the same."""

    source: Literal["views", "groups", "both"] = field(
        "both",
        "views: two augmented copies of one spectrum (label-free); groups: spectra of one group; both",
        shapes=True,
    )
    group_weight: float = field(
        1.0, "weight of a group positive beside a view positive (source both)", low=0.0, high=10.0
    )
    spectra_per_group: int = field(
        2, "spectra drawn from a group into one batch (sources groups and both)", low=2, high=16, shapes=True
    )


@dataclass(frozen=True)
class Optimiser:
    """AdamW under a one-cycle learning rate with gradient-norm clipping."""

    learning_rate: float = field(1e-3, "peak of the one-cycle schedule", low=1e-6, high=1.0)
    weight_decay: float = field(
        0.01, "decoupled weight decay of matrices (not of biases and norms)", low=0.0, high=100.0
    )
    beta1: float = field(0.9, "decay of the first moment", low=0.0, high=0.9999)
    beta2: float = field(0.999, "decay of the second moment", low=0.0, high=0.99999)
    warmup: float = field(0.3, "share of all steps spent rising to the peak", low=0.0, high=0.9)
    gradient_clip: float = field(1.0, "largest gradient norm of a replicate", low=1e-3, high=1e6)


@dataclass(frozen=True)
class Training:
    """How long, in what batches, in what precision, and what is compared at the end."""

    batch_size: int = field(16, "spectra in a batch (views double it)", low=2, high=4096, shapes=True)
    epochs: int = field(
        60,
        "largest number of epochs; one epoch is ⌈median training size / batch size⌉ steps; 0: only what is fitted",
        low=0,
        high=10000,
        shapes=True,
    )
    checkpoint: Literal["last", "best"] = field(
        "last",
        "which epoch counts: last: the end of the schedule; best: the one that the other half of the validation groups "
        "scores best, training stops early (with few groups the choice costs more than it brings)",
    )
    patience: int = field(
        12, "epochs without improvement on validation groups before training stops (checkpoint best)", low=1, high=10000
    )
    precision: Literal["auto", "fp32", "bf16"] = field("auto", "auto: bf16 where the processor has it", shapes=True)
    similarity: Literal["head", "encoder"] = field(
        "head", "whether the head's output or the encoder's is the embedding that is compared", shapes=True
    )
    comparison: Literal["cosine", "euclidean", "plda"] = field(
        "cosine",
        "how two embeddings are compared after training; cosine; euclidean: minus their squared distance; plda: log "
        "likelihood ratio of one group against two, from covariances fitted on the training embeddings",
        shapes=True,
    )
    comparison_shrinkage: float = field(
        0.1, "share of the mean variance mixed into the covariance within groups (comparison plda)", low=0.0, high=1.0
    )
    comparison_rounds: int = field(
        0,
        "times that embeddings are centred, whitened by their covariance within groups and brought to length one "
        "before they are compared (spherical nuisance normalisation); 0: they are compared as they are",
        low=0,
        high=10,
        shapes=True,
    )
    comparison_rounds_shrinkage: float = field(
        0.1, "share of the mean variance mixed into that covariance (comparison_rounds above 0)", low=0.0, high=1.0
    )
    comparison_neighbours: int = field(
        0,
        "nearest training groups whose mean similarity to a spectrum is taken off its similarities (local scaling); 0: "
        "none",
        low=0,
        high=100,
        shapes=True,
    )
    comparison_locality: float = field(
        1.0, "how much of that mean is taken off (comparison_neighbours above 0)", low=0.0, high=2.0
    )
    members: int = field(
        1,
        "networks of an ensemble: trained from seeds of their own, their similarities averaged",
        low=1,
        high=32,
        shapes=True,
    )
    augmentations_at_once: int = field(
        0,
        "most augmentations that change one view, drawn among those that would; 0: no limit",
        low=0,
        high=30,
    )

    @property
    def own_terms(self) -> bool:
        """Whether what is compared are rows that end with a spectrum's own term, and not vectors compared by cosine."""
        return self.comparison != "cosine" or self.comparison_rounds > 0 or self.comparison_neighbours > 0


@dataclass(frozen=True)
class Configuration:
    """Everything that defines a model and its training; `identity` is its hash."""

    preprocessing: Preprocessing
    encoder: Component
    head: Component
    objective: Component
    augmentations: tuple[Component, ...]
    positives: Positives
    optimiser: Optimiser
    training: Training
    program: Component | None = None  # what is trained where the task is not same-batch

    def to_dict(self) -> dict[str, Any]:
        """Return the YAML form; augmentations become a mapping from their type to their parameters."""
        out: dict[str, Any] = {}
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            if value is None:  # no program: so that what was configured before there were any keeps its identity
                continue
            if f.name == "augmentations":
                out[f.name] = {a.type: dict(a.parameters) for a in value}
            else:
                out[f.name] = plain(value)
        return out

    @property
    def identity(self) -> str:
        """Sixteen hexadecimal digits that name this configuration; a setting that has no say does not count."""
        kept = self.to_dict()
        if self.training.comparison != "plda":
            del kept["training"]["comparison_shrinkage"]
        # so that configurations older than these choices keep their identity
        if self.training.comparison == "cosine":
            del kept["training"]["comparison"]
        if not self.training.comparison_rounds:
            del kept["training"]["comparison_rounds"], kept["training"]["comparison_rounds_shrinkage"]
        if not self.training.comparison_neighbours:
            del kept["training"]["comparison_neighbours"], kept["training"]["comparison_locality"]
        return content_hash(kept)


def committee_identity(members: Sequence[str]) -> str:
    """Sixteen hexadecimal digits that name a committee by the identities of its members, in their order."""
    return content_hash({"kind": "committee", "members": list(members)})
