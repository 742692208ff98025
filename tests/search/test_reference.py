"""Reference rows: what they are fitted on and what judges them."""

from __future__ import annotations

import numpy as np
import pytest

from spectrosim_search.config.study import Protocol, Study
from spectrosim_search.protocol.design import make_design
from spectrosim_search.search import reference
from spectrosim_search.spectra.simulators import simulate


@pytest.mark.parametrize("protocol", ["batch-disjoint", "shared-batch", "random-pairs"])
def test_for_the_hold_out_a_baseline_knows_every_searched_group(protocol, monkeypatch):
    spectra = simulate("reims", batches=24, batch_size=3, channels=80)
    study = Study("small", protocol=Protocol(name=protocol, scoring="hold-out"))
    design = make_design(spectra.groups, spectra.labels, spectra.split, study.protocol)
    given = []
    plain = reference.run_baseline
    monkeypatch.setattr(reference, "run_baseline", lambda name, data: given.append(data) or plain(name, data))
    scores = reference.score_reference("linear-metric", study, spectra, design, [0])
    held, data = design.hold_out, given[-1]
    assert len(given) == design.folds + 1 and len(scores.held_out) == 1
    assert np.array_equal(data.train, held.train) and (data.groups[data.train] >= 0).all()
    if protocol == "random-pairs":  # groups are what known pairs imply, and no held-out pair is among the known
        left, right = held.pairs.left, held.pairs.right
        assert (data.relation[left, right] == -1).all() and (data.relation == 1).any()
    else:
        assert np.array_equal(data.groups[data.train], design.codes.groups[held.train])
        assert data.relation is None
    judged = np.setdiff1d(np.arange(len(spectra)), held.train)
    assert (data.groups[judged] == -1).all()
