"""What a table of spectra holds and what can be asked of it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from spectrosim_search.spectra._duplicates import count_duplicates
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["Inspection", "inspect"]

_JUDGED_FROM, _SEARCH_FROM, _HOLD_OUT_FROM = 4, 8, 60  # independent groups of two or more spectra


@dataclass(frozen=True)
class Inspection:
    """Facts about a spectra set; frozen, made of scalars and tuples."""

    name: str
    fingerprint: str
    spectra: int
    channels: int
    axis_low: float
    axis_high: float
    axis_unit: str
    axis_step: float  # median distance of neighbouring channels; 0 with a single one
    axis_regular: bool  # all distances within 1 % of the median
    intensity_low: float
    intensity_high: float
    zeros: float  # share of intensities that are zero
    negatives: float  # share of intensities below zero
    groups: int
    group_sizes: tuple[tuple[int, int], ...]  # (spectra in a group, number of such groups)
    without_group: int
    singletons: int
    positive_pairs: int
    independent: int  # groups of two or more spectra, those that are linked by split values counted once
    labels: tuple[tuple[str, int], ...]  # (label, spectra), "" for none
    groups_crossing_labels: int  # groups whose spectra carry several labels: the label is crossed, not nested
    split_units: int
    extra_columns: tuple[str, ...]
    duplicates: int  # spectra that repeat an earlier one exactly
    protocol: str  # none | fixed methods only | corrected-cv | hold-out
    protocol_reason: str
    simulated: bool
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return dataclasses.asdict(self)


def _protocol(independent: int) -> tuple[str, str]:
    count = f"{independent} independent groups of two or more spectra"
    if independent < _JUDGED_FROM:
        return "none", f"{count}; telling batches apart needs {_JUDGED_FROM}"
    if independent < _SEARCH_FROM:
        return "fixed methods only", f"{count}; a search needs {_SEARCH_FROM}"
    if independent < _HOLD_OUT_FROM:
        return "corrected-cv", f"{count}; a hold-out needs {_HOLD_OUT_FROM}"
    return "hold-out", f"{count}: a third of them is held out of the whole search"


def _independent(spectra: SpectraSet, sizes: Mapping[str, int]) -> int:
    """Groups linked by values of `split` stand or fall together: those that hold a group of two or more count once."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    known = spectra.groups != ""
    names, group = np.unique(spectra.groups[known], return_inverse=True)
    cut = spectra.split[known] != ""
    units, unit = np.unique(spectra.split[known][cut], return_inverse=True)
    n = names.size + units.size
    links = coo_array((np.ones(unit.size, dtype=np.int8), (group[cut], unit + names.size)), shape=(n, n))
    component = connected_components(links, directed=False)[1][: names.size]
    return len({c for c, name in zip(component.tolist(), names.tolist(), strict=True) if sizes[name] >= 2})


def inspect(spectra: SpectraSet) -> Inspection:
    """Describe `spectra`; `warnings` holds the reader's and what limits a study."""
    x = spectra.intensities
    known = spectra.groups != ""
    sizes = Counter(spectra.groups[known].tolist())
    by_group: dict[str, set[str]] = {}
    for group, label in zip(spectra.groups[known].tolist(), spectra.labels[known].tolist(), strict=True):
        by_group.setdefault(group, set()).update({label} - {""})
    singletons = sum(1 for s in sizes.values() if s == 1)
    pairs = sum(s * (s - 1) // 2 for s in sizes.values())
    step = np.diff(spectra.axis)
    median = float(np.median(step)) if step.size else 0.0
    duplicates = count_duplicates(x)
    negatives = float((x < 0).mean())
    independent = _independent(spectra, sizes)
    protocol, reason = _protocol(independent)

    warnings = list(spectra.warnings)
    if not known.all():
        warnings.append(f"{int((~known).sum())} spectra have no group and are left out of splits and pairs")
    if singletons:
        warnings.append(f"{singletons} groups hold one spectrum: they train but give no positive pair")
    if negatives:
        warnings.append(
            f"{negatives:.2%} of the intensities are negative: preprocessing 'sqrt' and 'log' cannot take them"
        )
    by_label = Counter(label for labels in by_group.values() for label in labels)
    few = sorted(label for label, count in by_label.items() if count < 2)
    if few:
        warnings.append(
            f"{len(few)} labels have a single group ({', '.join(few[:3])}): they cannot be on both sides of a split"
        )
    unlabelled = int((spectra.labels == "").sum())
    if 0 < unlabelled < len(spectra):
        warnings.append(f"{unlabelled} spectra have no label and are left out of the matched-label AUC")
    return Inspection(
        name=spectra.name,
        fingerprint=spectra.fingerprint,
        spectra=len(spectra),
        channels=spectra.axis.size,
        axis_low=float(spectra.axis[0]),
        axis_high=float(spectra.axis[-1]),
        axis_unit=spectra.axis_unit,
        axis_step=median,
        axis_regular=bool(step.size and (np.abs(step - median) <= 0.01 * median).all()),
        intensity_low=float(x.min()),
        intensity_high=float(x.max()),
        zeros=float((x == 0).mean()),
        negatives=negatives,
        groups=len(sizes),
        group_sizes=tuple(sorted(Counter(sizes.values()).items())),
        without_group=int((~known).sum()),
        singletons=singletons,
        positive_pairs=pairs,
        independent=independent,
        labels=tuple(sorted(Counter(spectra.labels.tolist()).items())),
        groups_crossing_labels=sum(1 for labels in by_group.values() if len(labels) > 1),
        split_units=len(set(spectra.split.tolist()) - {""}),
        extra_columns=tuple(spectra.extra),
        duplicates=duplicates,
        protocol=protocol,
        protocol_reason=reason,
        simulated=bool(spectra.truth),
        warnings=tuple(dict.fromkeys(warnings)),
    )
