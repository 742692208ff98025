"""The program pretrain on simulated near-infrared batches: honest, repeatable, usable."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from spectrosim_search.baselines.classifiers import ClassInput
from spectrosim_search.config.configuration import Component, Configuration, Scalar
from spectrosim_search.config.errors import ConfigurationError, RunError
from spectrosim_search.protocol.label_share import labelled_rows
from spectrosim_search.search.documents.configurations import configuration_from_mapping
from spectrosim_search.search.programs import _pretrain_training, pretrain
from spectrosim_search.search.programs._contract import ProgramTask
from spectrosim_search.spectra.preprocessing import fit
from spectrosim_search.spectra.simulators import simulate

SPECTRA = simulate("nir", classes=3, batches=18, batch_size=3, channels=80, class_spread=0.4, batch_spread=0.02)
TRUTH = np.unique(SPECTRA.labels, return_inverse=True)[1].astype(np.int64)
GROUP = np.unique(SPECTRA.groups, return_inverse=True)[1]
TRAIN, JUDGED = np.flatnonzero(GROUP < 12), np.flatnonzero(GROUP >= 12)


def configuration(members: int = 1, encoder: dict[str, object] | None = None, **program: Scalar) -> Configuration:
    made = configuration_from_mapping(
        {
            "preprocessing": {"intensity": "snv", "scale": "standard"},
            "encoder": encoder or {"type": "block-cnn", "width": 4, "references": 4, "regions": 4, "out": 16},
            "head": {"type": "linear", "out": 16},
            "objective": {"type": "nt-xent"},
            "augmentations": {"jitter": {}, "scale": {}},
            "positives": {"source": "views"},
            "optimiser": {"learning_rate": 0.005},
            "training": {"epochs": 5, "batch_size": 12, "members": members, "precision": "fp32"},
        }
    )
    settings: dict[str, Scalar] = {"features": 3, "hidden": 16, "epochs": 20, "learning_rate": 0.01, "dropout": 0.2}
    if encoder is not None:
        settings["features"] = 0
    return dataclasses.replace(made, program=Component.of("pretrain", **{**settings, **program}))


def task(config: Configuration, seed: int = 1, train: np.ndarray = TRAIN, judged: np.ndarray = JUDGED) -> ProgramTask:
    state = fit(config.preprocessing, SPECTRA.intensities[train])
    classes = np.full(len(SPECTRA), -1, dtype=np.int64)
    classes[train] = TRUTH[train]
    x = state.transform(SPECTRA.intensities)
    return ProgramTask("one", config, seed, x, state.axis(SPECTRA.axis), classes, ("a", "b", "c"), train, judged)


@pytest.mark.parametrize("pretext", ["transformations", "contrastive", "none"])
def test_it_learns_the_classes_and_repeats_bit_for_bit(pretext: str) -> None:
    given = task(configuration(pretext=pretext))
    told: list[tuple[int, float]] = []
    first = pretrain.run(given, on_epoch=lambda epoch, loss: bool(told.append((epoch, loss))))
    assert first.status == "finished"
    assert (first.predicted == TRUTH[JUDGED]).mean() > 0.8
    again = pretrain.run(given)
    np.testing.assert_array_equal(first.confidence, again.confidence)
    np.testing.assert_array_equal(first.loss, again.loss)
    epochs = 20 if pretext == "none" else 25
    assert [e for e, _ in told] == list(range(1, epochs + 1))
    assert first.loss.shape == (epochs,)
    assert ("recognition" in first.metrics) == (pretext == "transformations")
    assert first.metrics["labelled"] == 36
    assert (pretrain.run(task(configuration(pretext=pretext), seed=2)).confidence != first.confidence).any()


@pytest.mark.parametrize("pretext", ["transformations", "contrastive"])
def test_judged_spectra_do_not_touch_the_model_unless_it_is_asked_for(pretext: str) -> None:
    for transductive in (False, True):
        given = task(configuration(pretext=pretext, transductive=transductive, epochs=3))
        altered = given.spectra.copy()
        altered[JUDGED] = np.random.default_rng(0).normal(size=altered[JUDGED].shape)
        one = pretrain.fit(given)
        other = pretrain.fit(dataclasses.replace(given, spectra=altered))
        same = all(np.array_equal(v, other[n]) for n, v in one.items())
        assert same != transductive
        assert pretrain.run(given).metrics["transductive"] == float(transductive)


@pytest.mark.parametrize("members", [1, 2])
def test_what_is_fitted_predicts_as_the_run_did(members: int) -> None:
    given = task(configuration(members=members, epochs=4))
    parameters = pretrain.fit(given)
    assert {n.split(".", 1)[0] for n in parameters} == {"encoder", "classifier"}
    assert all(v.dtype == np.float32 for v in parameters.values())
    shares = pretrain.predict(given.configuration, parameters, given.spectra[JUDGED], given.axis)
    run = pretrain.run(given)
    np.testing.assert_array_equal(shares.argmax(axis=1), run.predicted)
    np.testing.assert_array_equal(shares.max(axis=1), run.confidence)
    assert shares.shape == (JUDGED.size, 3)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)


def test_unlabelled_spectra_serve_pretraining_alone() -> None:
    """With a third of the labels the others train no classifier, not even where classes make positives."""
    config = configuration(pretext="contrastive", epochs=3)
    config = dataclasses.replace(config, positives=dataclasses.replace(config.positives, source="both"))
    given = task(config)
    known = labelled_rows(TRUTH, TRAIN, 0.34, study_seed=0, fold=0, seed=0)
    few = dataclasses.replace(given, classes=np.where(np.isin(np.arange(len(SPECTRA)), known), given.classes, -1))
    result = pretrain.run(few)
    assert result.metrics["labelled"] == known.size == 12
    assert (result.confidence != pretrain.run(given).confidence).any()


def test_asked_to_stop_it_stops() -> None:
    for last in (2, 9):
        result = pretrain.run(task(configuration()), on_epoch=lambda epoch, loss, last=last: epoch >= last)
        assert result.status == "stopped"
        assert str(last) in result.reason
        assert result.predicted.shape == (JUDGED.size,)
        assert len(result.loss) < 25


def test_what_diverges_says_so() -> None:
    bad = task(configuration(pretext="none"))
    spectra = bad.spectra.copy()
    spectra[TRAIN[0]] = np.inf
    result = pretrain.run(dataclasses.replace(bad, spectra=spectra))
    assert result.status == "diverged"
    assert "not finite" in result.reason
    assert result.predicted.shape == (JUDGED.size,)
    with pytest.raises(RunError, match=r"training diverged \(.*not finite in epoch 1\): lower"):
        pretrain.fit(dataclasses.replace(bad, spectra=spectra))


@pytest.mark.parametrize("trainable", ["all", "from-block", "last-block", "head"])
def test_what_fine_tuning_may_change(trainable: str) -> None:
    config = configuration(pretext="none", trainable=trainable, epochs=2)
    start = pretrain.fit(task(configuration(pretext="none", trainable="head", epochs=1)))
    found = pretrain.fit(task(config))
    moved = {int(n[13]) for n in found if n.startswith("encoder.block") and not np.array_equal(found[n], start[n])}
    assert moved == {"all": {0, 1, 2}, "from-block": {1, 2}, "last-block": {2}, "head": set()}[trainable]


def test_one_transformation_alone_asks_two_questions() -> None:
    kinds = ("noise", "offset", "multiplication", "horizontal_flip", "permutation")
    result = pretrain.run(task(configuration(epochs=1, **dict.fromkeys(kinds, False))))
    assert {n for n in result.metrics if n.startswith("recognition_")} == {
        "recognition_raw",
        "recognition_vertical_flip",
    }


def test_wrong_settings_are_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match=r"unknown setting 'segmnts'.*segments"):
        pretrain.run(task(configuration(segmnts=3)))
    none = dict.fromkeys(
        ("noise", "offset", "multiplication", "horizontal_flip", "vertical_flip", "permutation"), False
    )
    with pytest.raises(ConfigurationError, match="no transformation is left"):
        pretrain.run(task(configuration(**none)))
    with pytest.raises(ConfigurationError, match="has 3 blocks"):
        pretrain.run(task(configuration(features=5)))
    with pytest.raises(ConfigurationError, match="but 1 blocks are read"):
        pretrain.run(task(configuration(features=1, trainable="from-block", from_block=2)))


def test_a_baseline_classifies() -> None:
    classes = np.full(len(SPECTRA), -1, dtype=np.int64)
    classes[TRAIN] = TRUTH[TRAIN]
    blocks = np.where(classes < 0, -1, GROUP).astype(np.int64)
    given = ClassInput(SPECTRA, TRAIN, JUDGED, classes, blocks, ("a", "b", "c"))
    out = pretrain.baseline("knn", given, configuration())
    assert (out.predicted == TRUTH[JUDGED]).mean() > 0.8


@pytest.mark.parametrize("pretext", ["transformations", "contrastive"])
def test_what_differs_in_fine_tuning_shares_one_pretraining(pretext: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second run is what it would have been alone; another seed or another spectrum pretrains anew."""
    other = task(configuration(pretext=pretext, epochs=2, trainable="last-block", branch="discriminant"))
    alone = fresh(monkeypatch)
    told: list[tuple[int, float]] = []
    first = pretrain.run(other, on_epoch=lambda *seen: bool(told.append(seen)))
    assert len(alone) == 1
    kept = fresh(monkeypatch)
    pretrain.run(task(configuration(pretext=pretext, epochs=1)))
    again: list[tuple[int, float]] = []
    second = pretrain.run(other, on_epoch=lambda *seen: bool(again.append(seen)))
    assert len(kept) == 1
    assert told == again
    np.testing.assert_array_equal(first.confidence, second.confidence)
    np.testing.assert_array_equal(first.loss, second.loss)
    pretrain.run(dataclasses.replace(other, seed=9))
    moved = other.spectra.copy()
    moved[TRAIN[0]] += 0.1
    pretrain.run(dataclasses.replace(other, spectra=moved))
    assert len(kept) == 3
    stopped = pretrain.run(dataclasses.replace(other, seed=10), on_epoch=lambda epoch, loss: epoch >= 2)
    assert stopped.status == "stopped" and len(kept) == 3


def fresh(monkeypatch: pytest.MonkeyPatch) -> OrderedDict[str, object]:
    """A process that has pretrained nothing yet."""
    kept: OrderedDict[str, object] = OrderedDict()
    monkeypatch.setattr(_pretrain_training, "_recent", kept)
    return kept


def test_the_linear_branch_is_averaged_with_the_network() -> None:
    plain, both = (task(configuration(pretext="none", epochs=2, branch=b)) for b in ("none", "discriminant"))
    one, two = pretrain.fit(plain), pretrain.fit(both)
    assert set(two) - set(one) == {"branch.weight", "branch.bias"}
    assert all(np.array_equal(v, two[n]) for n, v in one.items())
    x, axis = plain.spectra[JUDGED], plain.axis
    network = pretrain.predict(plain.configuration, one, x, axis)
    linear = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.01)
    middle = plain.spectra[TRAIN].mean(axis=0)
    size, turn = np.linalg.svd(plain.spectra[TRAIN].astype(np.float64) - middle, full_matrices=False)[1:]
    kept = min(40, int((size > 1e-6 * size[0]).sum()))
    turned = turn[:kept].T / size[kept - 1]
    linear.fit((plain.spectra[TRAIN] - middle) @ turned, TRUTH[TRAIN])
    expected = (network + linear.predict_proba((x - middle) @ turned)) / 2
    np.testing.assert_allclose(pretrain.predict(both.configuration, two, x, axis), expected, atol=2e-3)
    few = dataclasses.replace(both, classes=np.where(both.classes == 2, -1, both.classes))
    shares = pretrain.predict(few.configuration, pretrain.fit(few), x, axis)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
    each = dataclasses.replace(both, classes=np.full_like(both.classes, -1))
    for code in range(3):
        each.classes[TRAIN[TRUTH[TRAIN] == code][0]] = code  # one spectrum of each class is labelled
    named = pretrain.run(each)
    assert named.metrics["labelled"] == 3 and (named.predicted == TRUTH[JUDGED]).mean() > 0.6
    only = dataclasses.replace(both, classes=np.where(both.classes == 1, 1, -1))
    assert (pretrain.run(only).predicted == 1).all()  # one class is known: the branch says so, whatever is read


def test_the_branch_alone_is_that_of_both_with_its_axes_and_shrinkage(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = {"branch_axes": 3, "branch_shrinkage": 0.3}
    both = task(configuration(pretext="none", epochs=2, branch="discriminant", **chosen))
    alone = task(configuration(pretext="transformations", branch="alone", **chosen))
    of_both = pretrain.fit(both)
    monkeypatch.setattr(_pretrain_training, "_shared", None)  # nothing is pretrained
    own = pretrain.fit(alone)
    assert set(own) == {"branch.weight", "branch.bias"}
    assert all(np.array_equal(v, of_both[n]) for n, v in own.items())
    usual = pretrain.fit(task(configuration(branch="alone")))
    assert not np.array_equal(own["branch.weight"], usual["branch.weight"])
    x = alone.spectra[JUDGED]
    shares = pretrain.predict(alone.configuration, own, x, alone.axis)
    np.testing.assert_allclose(shares, softmax(x @ own["branch.weight"] + own["branch.bias"], axis=1), atol=1e-5)
    done = pretrain.run(alone)
    assert done.status == "finished" and done.loss.size == 0 and "recognition" not in done.metrics
    np.testing.assert_array_equal(done.predicted, shares.argmax(axis=1))
    assert pretrain.counterpart(alone.configuration) is None
    assert pretrain.counterpart(both.configuration) is not None
