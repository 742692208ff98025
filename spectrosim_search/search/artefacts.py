"""Files kept with a study for the Optuna dashboard: the report and the exported configuration."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from spectrosim_search.search.store_engine import locate, sqlite_file

if TYPE_CHECKING:
    import optuna
    from optuna.artifacts import FileSystemArtifactStore

__all__ = ["artefact_folder", "attach_artefacts"]


def artefact_folder(storage: str) -> Path:
    """Where a database's files lie: beside an SQLite file, in the working directory for a server."""
    file = sqlite_file(locate(storage))
    return file.with_name(file.name + ".artefacts") if file is not None else Path("spectrosim.artefacts")


def attach_artefacts(study: optuna.Study, storage: str, files: Mapping[str, str]) -> FileSystemArtifactStore:
    """Attach texts under their file names to an Optuna study; one that is attached already is left alone.

    Returns the store that holds them, for the dashboard.
    """
    from optuna.artifacts import FileSystemArtifactStore, get_all_artifact_meta, upload_artifact

    folder = artefact_folder(storage)
    folder.mkdir(parents=True, exist_ok=True)
    store = FileSystemArtifactStore(base_path=folder)
    known = {meta.filename for meta in get_all_artifact_meta(study)}
    with tempfile.TemporaryDirectory() as scratch:
        for name, text in files.items():
            if name in known:
                continue
            path = Path(scratch) / name
            path.write_text(text, encoding="utf-8")
            upload_artifact(artifact_store=store, file_path=str(path), study_or_trial=study)
    return store
