"""Families of interchangeable members: one module a member, listed without importing it."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import pkgutil
from types import ModuleType

from spectrosim_search.config.errors import InputError, nearest

__all__ = ["load", "names"]


@functools.cache
def names(package: str) -> tuple[str, ...]:
    """Names of the members of a family, sorted; modules that start with an underscore are helpers, packages families.

    `package` is dotted below ``spectrosim_search``, e.g. ``"learning.encoders"``. Nothing is imported but the package,
    whose folder is read once.
    """
    spec = importlib.util.find_spec(f"spectrosim_search.{package}")
    if spec is None or spec.submodule_search_locations is None:
        raise InputError(f"no family '{package}'")
    found = pkgutil.iter_modules(list(spec.submodule_search_locations))
    return tuple(sorted(m.name.replace("_", "-") for m in found if not m.ispkg and not m.name.startswith("_")))


def load(package: str, name: str) -> ModuleType:
    """Import one member. Raises InputError with the nearest known name."""
    known = names(package)
    if name not in known:
        raise InputError(f"unknown {package.rsplit('.', 1)[-1].removesuffix('s')} '{name}'{nearest(name, known)}")
    return importlib.import_module(f"spectrosim_search.{package}.{name.replace('-', '_')}")
