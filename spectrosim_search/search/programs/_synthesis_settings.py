"""Settings of the synthesis program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import InputError
from spectrosim_search.config.fields import field

__all__ = ["Settings", "settings_of"]


@dataclass(frozen=True)
class Settings:
    """Settings of synthesis. Tilt, power and noise are of the preprocessed intensities' logarithms."""

    vectors: Literal["given", "fingerprint", "learned"] = field(
        "learned",
        "hidden vector of each class; given: a table of the user's; fingerprint: of its molecule; learned: with the "
        "autoencoder",
    )
    size: int = field(64, "size of a learned class vector", low=2, high=4096)
    depth: int = field(3, "layers of the decoder, widths in equal steps", low=1, high=32)
    match: float = field(1.0, "weight of the distance between hidden and class vector", low=0.0, high=100.0)
    cosine: float = field(1.0, "weight of 1 - weighted cosine beside the squared error", low=0.0, high=100.0)
    removal: float = field(0.15, "share of the peaks taken from the encoder's inputs", low=0.0, high=0.9)
    specialised: bool = field(False, "give each class a decoder of its own, started from the general one")
    frozen: int = field(2, "last layers of a specialised decoder that stay general", low=0, high=32)
    specialised_steps: int = field(60, "steps a specialised decoder is trained", low=1, high=10000)
    blend: float = field(
        0.0,
        "share of the decoded spectrum in a synthetic one, the rest its source; 0: no autoencoder is trained",
        low=0.0,
        high=1.0,
    )
    jitter: float = field(0.1, "noise on the hidden vector, whose own size is 1", low=0.0, high=10.0)
    transfer: float = field(
        0.9,
        "share of synthetic spectra that take over another training spectrum's mass and intensity limits",
        low=0.0,
        high=1.0,
    )
    tilt: float = field(1.0, "spread of the tilt along log m/z expected of two acquisitions", low=0.0, high=10.0)
    power: float = field(0.3, "spread of the power of all intensities expected of two acquisitions", low=0.0, high=2.0)
    noise: float = field(0.25, "spread of a single peak expected of two acquisitions", low=0.0, high=5.0)
    prior: float = field(
        20.0,
        "classes that the expected spreads weigh as many as, beside those measured in training classes",
        low=0.0,
        high=1e6,
    )
    amount: int = field(8, "synthetic spectra for each training spectrum", low=1, high=1000)
    use: Literal["both", "synthetic", "real"] = field("both", "what the classifier learns from")
    classifier: Literal["random-forest", "network"] = field("random-forest", "what learns from the spectra")
    spectra_per_class: int = field(0, "training spectra of each class that are used; 0: all", low=0, high=10000)


def settings_of(configuration: Configuration) -> Settings:
    """Settings of a configuration. Raises InputError without the section ``program``."""
    if configuration.program is None:
        raise InputError("synthesis needs the section 'program' of the configuration")
    return Settings(**dict(configuration.program.parameters))  # type: ignore[arg-type] # checked where it was read
