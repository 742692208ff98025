"""Text that is safe to show, and the mark that numbers from a leaking protocol carry everywhere."""

from __future__ import annotations

import html

from spectrosim_search.search.records import StudyRecord

__all__ = ["leak_notice", "plot_text", "shorten"]


def shorten(text: str, limit: int = 40) -> str:
    """Cut a long text in its middle, so that both ends stay readable."""
    if len(text) <= limit:
        return text
    head = (limit - 1) // 2
    return f"{text[:head]}…{text[-(limit - 1 - head) :]}"


def plot_text(text: str, limit: int = 40) -> str:
    """Make text from outside fit for a figure.

    Plotly reads a small HTML in labels, ``%{...}`` in hover templates and ``$...$`` as formulas: all are disarmed.
    """
    return html.escape(shorten(text, limit), quote=True).replace("%{", "%&#123;").replace("$", "&#36;")


def leak_notice(record: StudyRecord) -> str:
    """Say that the study's protocol leaks, or return an empty text where it does not (DESIGN §4.2)."""
    if record.study.task != "same-batch" and record.design.get("leaks"):
        return (
            "Leaking protocol (plain folds): spectra of one group stand in training and among those judged, so these "
            "numbers overstate what a model does on new groups. They serve to reproduce published figures, no more."
        )
    if record.study.protocol.name != "random-pairs":
        return ""
    return (
        "Leaking protocol (random-pairs): test pairs share spectra and batches with training pairs, so these numbers "
        "overstate what a model does on new batches. They serve to reproduce published figures, no more."
    )
