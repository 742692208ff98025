"""A folder appears complete or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from spectrosim_search.config.errors import InputError

__all__ = ["check_target", "write_folder"]


def check_target(path: Path, *, force: bool, marker: str) -> None:
    """Raise InputError where a folder cannot be written to `path`.

    An existing folder is replaced only with `force`, and only where it holds the file `marker`: anything else is
    somebody's own.
    """
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise InputError(f"'{path}' exists and is not a folder: choose another name")
    if path.is_dir() and any(path.iterdir()):
        if not (path / marker).is_file():
            raise InputError(f"the folder '{path}' holds other files and is left alone: choose another name")
        if not force:
            raise InputError(f"a model lies in '{path}' already: choose another name or replace it (--force)")
    parent = path.absolute().parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise InputError(f"'{parent}' cannot be written to: choose another place for '{path}'")


def write_folder(path: Path, files: Mapping[str, bytes], *, force: bool, marker: str) -> None:
    """Write `files` (name → content) into the folder `path` by one rename of a finished neighbour.

    Raises InputError where :func:`check_target` does or the disk is full; then nothing is left behind.
    """
    check_target(path, force=force, marker=marker)
    path = path.absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise InputError(f"'{path}' cannot be written: {error.strerror}") from error
    try:
        for name, content in files.items():
            with (fresh / name).open("wb") as handle:
                handle.write(content)
                handle.flush()
                os.fsync(handle.fileno())
        fresh.chmod(0o755)
        _swap(fresh, path)
    except OSError as error:
        raise InputError(f"'{path}' cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _swap(fresh: Path, path: Path) -> None:
    """Put `fresh` in the place of `path`; a folder there is set aside first and put back if the rename fails."""
    if not path.exists():
        fresh.rename(path)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
    old = path.rename(aside / path.name)
    try:
        fresh.rename(path)
    except OSError:
        old.rename(path)
        aside.rmdir()
        raise
    shutil.rmtree(aside, ignore_errors=True)
