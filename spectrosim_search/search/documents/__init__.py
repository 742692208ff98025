"""Documents a person writes and reads: studies, search spaces, configurations.

YAML is read by a safe loader, validated by pydantic at this edge and turned into the frozen dataclasses of `config`;
whatever is wrong is said at once, each mistake with its file, line, key and the nearest known name. Optuna, Ray and
torch are not imported here; the components of a configuration are, when one is built.
"""

from __future__ import annotations

from spectrosim_search.search.documents.configurations import (
    configuration_from_mapping,
    configuration_from_yaml,
    configuration_to_yaml,
    load_preset,
)
from spectrosim_search.search.documents.describe import SpaceRow, describe_space
from spectrosim_search.search.documents.schemas import schemas
from spectrosim_search.search.documents.spaces import Space, list_spaces, load_space
from spectrosim_search.search.documents.stored import configuration_from_dict, study_from_dict
from spectrosim_search.search.documents.studies import list_studies, load_study
from spectrosim_search.search.documents.text import Document, parse_yaml

__all__ = [
    "Document",
    "Space",
    "SpaceRow",
    "configuration_from_dict",
    "configuration_from_mapping",
    "configuration_from_yaml",
    "configuration_to_yaml",
    "describe_space",
    "list_spaces",
    "list_studies",
    "load_preset",
    "load_space",
    "load_study",
    "parse_yaml",
    "schemas",
    "study_from_dict",
]
