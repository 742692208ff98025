"""What the page says of studies that name a class, as plain text. Nothing here imports Plotly."""

from __future__ import annotations

from spectrosim_search.search.records import StudyRecord

__all__ = ["class_lead", "class_protocol", "class_scoring", "interval_words", "unit_words"]

_NAMED = {
    "identify": "which group (compound, individual) a spectrum is of",
    "pretrain": "which label a spectrum has",
    "synthesis": "which compound a spectrum is of, by a classifier that learnt from real and made spectra",
}


def unit_words(record: StudyRecord) -> str:
    """What intervals leave out as a whole: groups, classes, spectra."""
    return str(record.design.get("unit", "groups")) if record.study.task != "same-batch" else "groups"


def interval_words(record: StudyRecord) -> str:
    """What intervals come from."""
    return "corrected jackknife" if record.study.task == "same-batch" else "jackknife"


def class_protocol(record: StudyRecord) -> str:
    """Who may stand on both sides."""
    named = _NAMED[record.study.task]
    if record.design.get("leaks"):
        return f"names {named}; plain folds: spectra of one group stand on both sides; leaks"
    if record.study.task == "pretrain" and unit_words(record) == "groups":
        return f"names {named}; whole groups are held out: no group of a judged spectrum was seen in training"
    return f"names {named}; no judged spectrum (nor a near-duplicate of it, by the split column) was seen in training"


def class_scoring(record: StudyRecord) -> str:
    """How the winner's score was obtained."""
    if record.confirmation is not None and record.confirmation.scoring == "hold-out":
        return "on spectra held out of the whole search, named once"
    return "out of fold with fresh seeds, corrected for having chosen the winner"


def class_lead(record: StudyRecord) -> str:
    """Sentence under the heading of the results."""
    text = f"Confirmed scores: fresh training runs that name {_NAMED[record.study.task]}."
    if record.confirmation is not None and record.confirmation.scoring == "corrected-cv":
        text += " The winner was chosen on the same spectra, judged out of fold; what that flatters it by is taken off."
    return text
