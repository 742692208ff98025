"""The errors a user can meet, as one small tree.

::

    SpectroSimError
    ├── InputError (also ValueError)       wrong input; the command ends with exit code 2
    │   ├── ConfigurationError             every problem of a document at once
    │   ├── DataError                      a table of spectra that cannot be used as it is
    │   └── MissingExtraError (also ImportError)   an optional package is not installed
    └── RunError (also RuntimeError)       a run failed; exit code 1

Every message is one line: what is wrong, where (file, row, column, key) and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

__all__ = [
    "ConfigurationError",
    "DataError",
    "InputError",
    "MissingExtraError",
    "RunError",
    "SpectroSimError",
    "nearest",
]


class SpectroSimError(Exception):
    """Base of every error this package raises on purpose."""


class InputError(SpectroSimError, ValueError):
    """Something the user gave is wrong; nothing was written."""


class ConfigurationError(InputError):
    """A document (study, space, configuration) holds mistakes; `problems` lists all of them."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


class DataError(InputError):
    """A table of spectra cannot be used as it is."""


class MissingExtraError(InputError, ImportError):
    """An optional package is needed; the message names the extra to install."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs the package '{package}': pip install 'spectrosim-search[{extra}]'")


class RunError(SpectroSimError, RuntimeError):
    """A run that had started failed; what was finished before is kept."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for the known name closest to `name`, or the list of known names."""
    options = sorted(known)
    close = difflib.get_close_matches(name, options, n=1, cutoff=0.5)
    if close:
        return f" (did you mean '{close[0]}'?)"
    return f" (known: {', '.join(options)})" if options else ""
