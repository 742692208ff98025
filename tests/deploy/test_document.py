from __future__ import annotations

from pathlib import Path

import pytest

from spectrosim_search.config.configuration import Preprocessing
from spectrosim_search.config.errors import ConfigurationError, InputError
from spectrosim_search.deploy.document import (
    ExportDocument,
    LinearMetric,
    document_from_yaml,
    document_to_yaml,
    load_export,
)
from spectrosim_search.search.documents.configurations import configuration_to_yaml, load_preset


def test_model_round_trip() -> None:
    configuration = load_preset("spectrosim-chapter")
    document = ExportDocument(
        "model", configuration=configuration, provenance={"study": "größe", "scores": {"auc": 1e-7}}
    )
    text = document_to_yaml(document, "first line\n\nthird line")
    assert text.startswith("# first line\n#\n# third line\n\nkind: model\n")
    again = document_from_yaml(text)
    assert again == document
    assert again.identity == configuration.identity


def test_a_plain_configuration_is_a_model() -> None:
    configuration = load_preset("spectrosim-paper")
    assert document_from_yaml(configuration_to_yaml(configuration)).configuration == configuration


@pytest.mark.parametrize(
    "metric",
    [
        LinearMetric(),
        LinearMetric(settings="fixed"),
        LinearMetric("given", 7, 1e-3, Preprocessing("snv", 1, 21, "none")),
    ],
)
def test_linear_metric_round_trip(metric: LinearMetric) -> None:
    document = ExportDocument("linear-metric", linear_metric=metric, provenance={"study": "quick"})
    again = document_from_yaml(document_to_yaml(document))
    assert again == document
    assert again.identity == document.identity


def test_identity_tells_settings_apart_and_not_provenance() -> None:
    given = LinearMetric("given", 7, 0.5)
    one = ExportDocument("linear-metric", linear_metric=given)
    assert one.identity != ExportDocument("linear-metric", linear_metric=LinearMetric("given", 8, 0.5)).identity
    assert one.identity == ExportDocument("linear-metric", linear_metric=given, provenance={"study": "x"}).identity


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kind: modle\n", "did you mean 'model'"),
        ("- a\n- b\n", "a document is a mapping"),
        ("kind: model\nprovenance: 3\n", "provenance: is not a mapping"),
        ("kind: model\nencodr: {type: transformer}\n", "did you mean 'encoder'"),
        ("kind: linear-metric\nlinear_metrc: {}\n", "did you mean 'linear_metric'"),
        ("kind: linear-metric\nlinear_metric: 3\n", "linear_metric"),
        ("kind: linear-metric\nlinear_metric: {settings: given, shrinkage: 2}\n", "shrinkage: 2"),
        ("kind: linear-metric\nlinear_metric: {settings: given, components: 0}\n", "components: 0"),
        ("kind: linear-metric\nlinear_metric: {settings: tuned, components: 9}\n", "only count with settings: given"),
        ("kind: linear-metric\nlinear_metric: {settings: given, preprocessing: {intensity: sqr}}\n", "'sqrt'"),
        ("kind: [\n", "not valid YAML"),
        ("kind: model\nkind: model\n", "stands twice"),
    ],
)
def test_mistakes_are_told_with_their_place(text: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        document_from_yaml(text, "my.yaml")
    assert says in str(error.value)
    assert str(error.value).startswith("my.yaml")


def test_all_mistakes_at_once() -> None:
    text = "kind: linear-metric\nother: 1\nlinear_metric: {settings: given, components: -1, shrinkage: 3}\n"
    with pytest.raises(ConfigurationError) as error:
        document_from_yaml(text)
    assert len(error.value.problems) == 3


def test_a_document_holds_what_its_kind_needs() -> None:
    with pytest.raises(InputError, match="exactly"):
        ExportDocument("model", linear_metric=LinearMetric())
    with pytest.raises(InputError, match="exactly"):
        ExportDocument("linear-metric", configuration=load_preset("spectrosim-paper"), linear_metric=LinearMetric())


def test_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_export(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a text file"):
        load_export(tmp_path / "binary.yaml")
    (tmp_path / "linear.yaml").write_text("kind: linear-metric\n")
    assert load_export(tmp_path / "linear.yaml").linear_metric == LinearMetric()
