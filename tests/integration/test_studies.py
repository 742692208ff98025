"""Every bundled study runs from its question to its verdict, cut down to a few trials on small simulated data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from spectrosim_search.search.documents import list_studies, load_study
from spectrosim_search.search.run import prepare_study, run_study
from spectrosim_search.spectra.simulators import simulate

# those that name a class run in tests/search/test_class_studies.py, on spectra of their own
PAIRS = [name for name, _ in list_studies() if load_study(name).task == "same-batch"]


@pytest.mark.parametrize("name", PAIRS)
def test_from_question_to_verdict(name: str, tmp_path: Path) -> None:
    spectra = simulate("reims", batches=12, batch_size=3, channels=300, peaks=20, peak_width=3.0)
    screens = 0 in next((d.choices for d in load_study(name).dimensions if d.path == "training.epochs"), ())
    # where 0 epochs are part of the question, few trials train at all
    prepared = prepare_study(name, spectra=spectra, set_=[] if screens else ["training.epochs=2"])
    # as many trials as start the study: each of its known good ones, so each encoder, objective or head it compares
    trials = min(len(prepared.study.known_good), 13) if name != "everything" else 15
    cut = replace(
        prepared.study,
        screening=replace(prepared.study.screening, trials=2 if prepared.study.screening.trials else 0, starts=1),
        protocol=replace(prepared.study.protocol, seeds=1),
        budget=replace(prepared.study.budget, trials=trials, minutes=0.0),
        confirmation=replace(
            prepared.study.confirmation, finalists=1, seeds=1, preset_seeds=1, minimum_seeds=1, presets=()
        ),
        ladder=replace(prepared.study.ladder, rungs=(1,), minimum=2, curves=False),
        baselines=("union-find", "cosine"),
    )
    record = run_study(replace(prepared, study=cut), storage=f"sqlite:///{tmp_path / 'a.db'}", workers=0)
    assert len(record.trials) == trials
    assert {r.status for r in record.replicates} == {"finished"}
    assert record.confirmation is not None
    assert record.confirmation.verdict.sentence
