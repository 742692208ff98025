import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from spectrosim_search.search.documents import load_preset, schemas
from spectrosim_search.search.documents.bundled import bundled_directory, bundled_names
from spectrosim_search.search.documents.catalogue import places
from spectrosim_search.search.documents.schemas import schema_text, write_schemas

jsonschema = pytest.importorskip("jsonschema", reason="schemas are judged by the jsonschema package")
FOLDER = Path(__file__).parents[2] / "schemas"


def judge(name: str, document: Any) -> list[str]:
    validator = jsonschema.Draft202012Validator(schemas()[f"{name}.schema.json"])
    return [error.message for error in validator.iter_errors(document)]


def test_files_on_disk_are_current(tmp_path: Path) -> None:
    for path in write_schemas(tmp_path):
        assert (FOLDER / path.name).read_text(encoding="utf-8") == path.read_text(encoding="utf-8"), (
            f"{path.name} is out of date: python -m spectrosim_search.search.documents schemas"
        )
    assert sorted(p.name for p in FOLDER.iterdir()) == sorted(schemas())


def test_schemas_are_schemas() -> None:
    for schema in schemas().values():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert json.loads(schema_text(schema)) == schema


@pytest.mark.parametrize(("kind", "name"), [("studies", "study"), ("search_spaces", "space")])
def test_bundled_documents_pass_and_point_to_their_schema(kind: Any, name: str) -> None:
    for document in bundled_names(kind):
        text = (bundled_directory(kind) / f"{document}.yaml").read_text(encoding="utf-8")
        assert text.startswith(f"# yaml-language-server: $schema=../schemas/{name}.schema.json\n")
        assert judge(name, yaml.safe_load(text)) == []


def test_configurations_pass() -> None:
    for preset in ("spectrosim-paper", "spectrosim-chapter"):
        assert judge("configuration", load_preset(preset).to_dict()) == []


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("configuration", {"encoder": {"type": "transformer", "patch": 0}}),
        ("configuration", {"encoder": {"type": "transformr"}}),
        ("configuration", {"head": {"type": "linear", "width": 3}}),
        ("configuration", {"augmentations": {"jittr": {}}}),
        ("configuration", {"training": {"batch_size": "16"}}),
        ("space", {"vary": {"objective.temprature": {"low": 0.1, "high": 1}}}),
        ("space", {"vary": {"objective.temperature": {"low": 0.1, "hihg": 1}}}),
        ("space", {"fixed": {"training.epochs": -1}}),
        ("study", {"budget": {"trails": 3}}),
        ("study", {"metric": "acc"}),
        ("study", {"known_good": [{"foo": 1}]}),
    ],
)
def test_mistakes_are_seen_by_an_editor(name: str, document: Any) -> None:
    assert judge(name, document)


def test_every_key_can_be_completed_in_a_study() -> None:
    schema = schemas()["study.schema.json"]
    assert set(schema["properties"]["vary"]["properties"]) == set(places())
    assert set(places()) <= set(schema["$defs"]["Assignments"]["properties"])
