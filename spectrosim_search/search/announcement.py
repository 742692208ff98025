"""What is about to be searched and what it can show, before anything is trained."""

from __future__ import annotations

from spectrosim_search.search.class_bench import ClassBench
from spectrosim_search.search.workbench import Workbench

__all__ = ["announce", "too_few"]


def announce(bench: Workbench | ClassBench) -> list[str]:
    """What is about to be searched and what it can show, before anything is trained."""
    if isinstance(bench, ClassBench):
        return _announce_classes(bench)
    summary = bench.design.summary()
    lines = [
        f"{bench.spectra.name}: {len(bench.spectra)} spectra × {bench.spectra.axis.size} channels, "
        f"{summary['groups']} groups, {summary['labels']} labels",
        f"protocol {bench.study.protocol.name}, score by "
        + (bench.design.scoring if bench.design.searchable else "cross-validation of fixed methods"),
    ]
    lines.extend(
        f"  {part['name']}: trained on {part['train_spectra']} spectra of {part['train_groups']} groups, judged on "
        f"{part['spectra']} of {part['groups']}: {part['positive']} same and {part['negative']} different pairs"
        for part in summary["parts"]
    )
    lines.append(f"smallest difference this design can detect: about {summary['detectable_difference']:.2f} AUC")
    few = [] if bench.design.searchable else [too_few(bench)]
    return lines + [f"warning: {w}" for w in (*few, *bench.spectra.warnings, *bench.design.warnings)]


def too_few(bench: Workbench) -> str:
    """Why nothing is searched."""
    from spectrosim_search.protocol.design import SEARCHABLE

    return f"{bench.design.independent} groups are too few to search ({SEARCHABLE} are needed): fixed methods only"


def _announce_classes(bench: ClassBench) -> list[str]:
    summary = bench.design.summary()
    lines = [
        f"{bench.spectra.name}: {summary['spectra']} spectra × {bench.spectra.axis.size} channels, "
        f"{summary['classes']} classes, {summary['blocks']} independent {bench.design.block_word}",
        f"task {bench.study.task}, protocol {bench.study.protocol.name}, score by {summary['scoring']}, intervals over "
        f"{summary['units']} {bench.design.unit_plural}",
    ]
    lines.extend(
        f"  {part['name']}: trained on {part['train_spectra']} spectra, judged on {part['spectra']} of "
        f"{part['classes']} classes"
        for part in summary["parts"]
    )
    return lines + [f"warning: {w}" for w in (*bench.spectra.warnings, *bench.design.warnings)]
