"""The methods whose scored pairs are drawn beside each other: winner, best baseline, linear metric, plain cosine."""

from __future__ import annotations

from spectrosim_search.search.records import PairScores, StudyRecord

__all__ = ["compared"]


def compared(record: StudyRecord) -> list[tuple[str, tuple[PairScores, ...], str, str]]:
    """Return (name, sets of scored pairs, colour, dash) of each; empty before a confirmation."""
    c = record.confirmation
    if c is None:
        return []
    out = [("winner", c.pairs, "blue", "solid")] if c.pairs else []
    tones = iter((("orange", "dash"), ("purple", "dot"), ("green", "dashdot")))
    wanted = dict.fromkeys((c.verdict.best_baseline, "linear-metric-tuned", "cosine"))
    for wish in wanted:
        found = next((b for b in record.baselines if wish in (b.name, b.title)), None)
        if found is not None and all(found.title != name for name, *_ in out):
            out.append((found.title, found.pairs, *next(tones)))
    return out
