"""Prescribed-embedding synthesis, Table V: a classifier on real, synthetic, and real and synthetic spectra."""

from __future__ import annotations

from spectrosim_search.search.published._class_table import ClassRow, ClassTable, Contrast, Printed, Variant
from spectrosim_search.search.published._synthesis import (
    ACQUISITIONS,
    DISJOINT,
    MADE,
    NOTHING,
    PAPER,
    PLAIN,
    SPECIALISED,
    SPLIT,
)
from spectrosim_search.search.published._table import Figure

__all__ = ["TABLE"]


def _printed(percent: float) -> tuple[Printed, ...]:
    return (Printed("accuracy", "printed", Figure(percent)),)


def _rows(
    short: str, word: str, real: float, decoder: tuple[float, float], vae: tuple[float, float]
) -> tuple[ClassRow, ...]:
    """Rows of one classifier; of pairs of figures the first is on synthetic spectra alone."""
    alone = f"{short}-synthetic"
    return (
        ClassRow(f"{short}-real", f"{word}, real", _printed(real), "none", variant=short),
        ClassRow(
            f"{short}-decoder-only", f"{word}, decoder's alone", _printed(decoder[0]), values=SPECIALISED, variant=alone
        ),
        ClassRow(
            f"{short}-decoder", f"{word}, real and decoder's", _printed(decoder[1]), values=SPECIALISED, variant=short
        ),
        ClassRow(f"{short}-vae-only", f"{word}, VAE's alone", _printed(vae[0]), "vae", variant=alone),
        ClassRow(f"{short}-vae", f"{word}, real and VAE's", _printed(vae[1]), "vae", variant=short),
        ClassRow(f"{short}-acquisitions", f"{word}, real and changed acquisitions", values=ACQUISITIONS, variant=short),
    )


def _contrasts(short: str, word: str) -> tuple[Contrast, ...]:
    return (
        Contrast(f"{word}: real and decoder's - real", f"{short}-decoder", f"{short}-real"),
        Contrast(f"{word}: real and VAE's - real", f"{short}-vae", f"{short}-real"),
        Contrast(f"{word}: real and decoder's - real and VAE's", f"{short}-decoder", f"{short}-vae"),
        Contrast(f"{word}: real and changed acquisitions - real", f"{short}-acquisitions", f"{short}-real"),
    )


TABLE = ClassTable(
    title="Prescribed-embedding synthesis, Table V: what synthetic spectra are worth to a classifier",
    source=f"{PAPER}, Table V",
    split=SPLIT,
    study="synthesis",
    settings=("program.amount=1", "program.spectra_per_class=0"),
    plain=PLAIN,
    disjoint=DISJOINT,
    nothing=NOTHING,
    metrics=("accuracy",),
    references=("duplicates", "peak-removal"),
    made=MADE,
    rows=(
        *_rows("forest", "RF", 72, (57, 79), (10, 72)),
        *_rows("network", "NN", 75, (74, 84), (9, 76)),
    ),
    variants=(
        Variant("forest", "RF, real and made", (("program.classifier", "random-forest"), ("program.use", "both"))),
        Variant(
            "forest-synthetic",
            "RF, made alone",
            (("program.classifier", "random-forest"), ("program.use", "synthetic")),
        ),
        Variant("network", "NN, real and made", (("program.classifier", "network"), ("program.use", "both"))),
        Variant(
            "network-synthetic", "NN, made alone", (("program.classifier", "network"), ("program.use", "synthetic"))
        ),
    ),
    contrasts=(*_contrasts("forest", "RF"), *_contrasts("network", "NN")),
    notes=(
        "chance is 2.5 %; the paper prints no spread and sets neither copies nor peak-removed copies beside its "
        "decoders",
        "a VAE whose spectra alone name 9 to 10 % of the test spectra was hardly trained, it seems",
    ),
)
