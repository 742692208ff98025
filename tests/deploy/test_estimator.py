from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from spectrosim_search.config.errors import ConfigurationError, DataError, InputError
from spectrosim_search.deploy.estimator import SpectroSim
from spectrosim_search.evaluation.verification import auc
from spectrosim_search.spectra.spectra_set import SpectraSet


def _tiny(**parameters: object) -> SpectroSim:
    settings: dict[str, object] = {
        "encoder_parameters": {"patch": 8, "width": 8, "depth": 1, "heads": 2, "out": 8},
        "head_parameters": {"out": 4},
        "epochs": 2,
        "random_state": 0,
    }
    return SpectroSim(**(settings | parameters))


_ROUNDING = {
    "check_methods_subset_invariance": "float32 products of another batch size round differently (by some 1e-7)",
}


@parametrize_with_checks([_tiny()], expected_failed_checks=lambda _: _ROUNDING)
def test_scikit_learn(estimator: SpectroSim, check: object) -> None:
    assert callable(check)
    check(estimator)


def test_it_learns(known: SpectraSet, new: SpectraSet) -> None:
    model = SpectroSim(
        encoder_parameters={"patch": 16, "width": 32, "depth": 1, "out": 32, "dropout": 0.0},
        head_parameters={"out": 16}, intensity="log", scale="none", positives="groups", epochs=30,
        learning_rate=5e-3, random_state=1,
    )  # fmt: skip
    model.fit(known.intensities, groups=known.groups)
    left, right = np.triu_indices(len(known), 1)
    trained = auc(model.score_pairs(known.intensities), known.groups[left] == known.groups[right])
    assert trained > 0.9
    assert model.embedding_.shape == (len(known), 16)
    assert model.n_features_in_ == 160
    np.testing.assert_allclose(np.linalg.norm(model.transform(new.intensities), axis=1), 1, atol=1e-5)


def test_y_stands_in_for_groups(known: SpectraSet) -> None:
    as_groups = _tiny().fit_transform(known.intensities, groups=known.groups)
    as_y = _tiny().fit_transform(known.intensities, known.groups)
    np.testing.assert_array_equal(as_groups, as_y)
    label_free = _tiny().fit(known.intensities)
    assert label_free.configuration_.positives.source == "views"
    assert not np.array_equal(label_free.embedding_, as_y)


def test_groups_go_before_y(known: SpectraSet) -> None:
    labels = known.labels  # species, with the batches as groups
    both = _tiny().fit(known.intensities, labels, groups=known.groups).embedding_
    np.testing.assert_array_equal(both, _tiny().fit(known.intensities, known.groups).embedding_)


def test_random_state(known: SpectraSet) -> None:
    x = known.intensities
    np.testing.assert_array_equal(_tiny().fit(x).embedding_, _tiny().fit(x).embedding_)
    other = _tiny(random_state=np.random.RandomState(7)).fit(x).embedding_
    assert not np.array_equal(_tiny().fit(x).embedding_, other)


def test_pairs(known: SpectraSet) -> None:
    model = _tiny().fit(known.intensities, groups=known.groups)
    z = model.transform(known.intensities)
    pairs = np.array([[0, 5], [3, 3]])
    np.testing.assert_allclose(model.score_pairs(known.intensities, pairs), [z[0] @ z[5], 1], atol=1e-6)
    assert len(model.score_pairs(known.intensities)) == len(z) * (len(z) - 1) // 2
    assert len(model.score_pairs(known.intensities, [])) == 0
    for wrong in ([[0, 1, 2]], [[0, len(z)]], [[0.5, 1.0]], [[-1, 0]]):
        with pytest.raises(InputError, match="pairs"):
            model.score_pairs(known.intensities, wrong)


def test_in_a_pipeline_and_under_grouped_folds(known: SpectraSet) -> None:
    pipeline = make_pipeline(FunctionTransformer(), _tiny())
    for train, test in GroupKFold(2).split(known.intensities, groups=known.groups):
        fitted = clone(pipeline).fit(known.intensities[train], known.groups[train])
        assert fitted.transform(known.intensities[test]).shape == (len(test), 4)
    assert list(_tiny().fit(known.intensities).get_feature_names_out()) == [f"spectrosim{i}" for i in range(4)]


def test_names_of_columns(known: SpectraSet) -> None:
    import pandas as pd

    table = pd.DataFrame(known.intensities, columns=[f"{value:.2f}" for value in known.axis])
    model = _tiny().fit(table, groups=known.groups)
    assert model.feature_names_in_[0] == "77.04"


def test_wrong_parameters_are_told_all_at_once(known: SpectraSet) -> None:
    with pytest.raises(ConfigurationError) as error:
        _tiny(encoder="transfomer", temperature=-1, batch_size=1).fit(known.intensities)
    text = str(error.value)
    assert "did you mean 'transformer'" in text and "temperature" in text and "batch_size" in text


def test_wrong_groups(known: SpectraSet) -> None:
    with pytest.raises(DataError, match="positives='groups' needs groups"):
        _tiny(positives="groups").fit(known.intensities)
    with pytest.raises(DataError, match="groups have shape"):
        _tiny().fit(known.intensities, groups=known.groups[:-1])
