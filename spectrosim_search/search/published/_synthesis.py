"""What the tables of the prescribed-embedding synthesis paper share."""

from __future__ import annotations

from spectrosim_search.config.configuration import Scalar

__all__ = ["ACQUISITIONS", "DECODER", "DISJOINT", "MADE", "NOTHING", "PAPER", "PLAIN", "SPECIALISED", "SPLIT"]

PAPER = "Prescribed-embedding synthesis (335 GC-MS spectra of 40 chemicals of MoNA)"
SPLIT = "test spectra are 'reserved'; neither their share nor what is kept apart is printed"
PLAIN, DISJOINT, NOTHING = "near-duplicates on both sides", "near-duplicates kept together", "no near-duplicates"
_STILL: tuple[tuple[str, Scalar], ...] = (
    ("program.blend", 1.0),
    ("program.tilt", 0.0),
    ("program.power", 0.0),
    ("program.noise", 0.0),
    ("program.transfer", 0.0),
)
DECODER = (*_STILL, ("program.specialised", False))
SPECIALISED: tuple[tuple[str, Scalar], ...] = (*_STILL, ("program.specialised", True))
ACQUISITIONS: tuple[tuple[str, Scalar], ...] = (("program.blend", 0.0),)
MADE = (
    "class vectors are learned with the autoencoder, where the paper takes Chemception's of the drawn molecule; "
    "decoders of three layers, 40 epochs, specialised 60 steps a compound with the last two layers kept (study "
    "'synthesis')",
    "one synthetic spectrum for each real one, at which the paper's accuracy is highest",
    "'changed acquisitions' are this program's: no autoencoder, a real spectrum as another instrument would have "
    "recorded it (docs/synthesis.md)",
)
