"""A vector for every class, from a user's table: an embedding of the compound, its formula, or its fingerprint.

The table is a CSV with a heading. The class is the column ``class``, ``group``, ``compound``, ``inchikey`` or ``name``
(the first of these that is there); an InChIKey also fits by its first block, the skeleton without stereochemistry.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import DataError, InputError, MissingExtraError

__all__ = ["fingerprint", "formula_vector", "read_class_vectors"]

_KEYS = ("class", "group", "compound", "inchikey", "name")
_INCHIKEY = re.compile(r"^[A-Z]{14}-[A-Z]{10}-[A-Z]$")
_ATOM = re.compile(r"([A-Z][a-z]?)(\d*)")
_ELEMENTS = {  # nominal mass of the most abundant isotope
    "C": 12, "H": 1, "N": 14, "O": 16, "S": 32, "P": 31, "Si": 28, "F": 19, "Cl": 35, "Br": 79, "I": 127, "B": 11,
}  # fmt: skip
_VALENCE = {"C": 2, "Si": 2, "N": 1, "P": 1, "B": 1, "H": -1, "F": -1, "Cl": -1, "Br": -1, "I": -1}
_BITS, _RADIUS = 1024, 2


def formula_vector(formula: str) -> NDArray[np.float32]:
    """Describe a molecular formula: atoms of twelve elements, nominal mass / 100, rings and double bonds ``(14,)``.

    Raises DataError for what is no formula of these elements.
    """
    text = formula.strip()
    atoms: dict[str, int] = {}
    place = 0
    while match := _ATOM.match(text, place):
        atoms[match.group(1)] = atoms.get(match.group(1), 0) + int(match.group(2) or 1)
        place = match.end()
    unknown = sorted(set(atoms) - set(_ELEMENTS))
    if not atoms or place < len(text) or unknown:
        raise DataError(f"'{formula}' is no formula of {', '.join(_ELEMENTS)}")
    mass = sum(_ELEMENTS[e] * n for e, n in atoms.items())
    rings = 1 + sum(_VALENCE.get(e, 0) * n for e, n in atoms.items()) / 2
    return np.array([*(atoms.get(e, 0) for e in _ELEMENTS), mass / 100, rings], dtype=np.float32)


def fingerprint(molecule: str) -> NDArray[np.float32]:
    """Morgan fingerprint (radius 2, 1,024 bits) and eight descriptors of a SMILES or InChI ``(1032,)``.

    Descriptors, each over a typical size: molecular weight, logP, polar surface, donors, acceptors, rotatable bonds,
    rings, share of sp³ carbons. Raises MissingExtraError without RDKit (extra ``chem``), DataError for what RDKit
    cannot read.
    """
    try:
        from rdkit import Chem, RDLogger
        from rdkit.Chem import Crippen, Descriptors, rdFingerprintGenerator, rdMolDescriptors
    except ImportError as error:
        raise MissingExtraError("rdkit", "chem", "a fingerprint") from error
    RDLogger.DisableLog("rdApp.*")  # what is wrong is said below, in one line
    read = Chem.MolFromInchi if molecule.startswith("InChI=") else Chem.MolFromSmiles
    found = read(molecule) if molecule.strip() else None
    if found is None:
        raise DataError(f"'{molecule[:60]}' is neither a SMILES nor an InChI that RDKit can read")
    bits = rdFingerprintGenerator.GetMorganGenerator(radius=_RADIUS, fpSize=_BITS).GetFingerprintAsNumPy(found)
    described = [
        Descriptors.MolWt(found) / 200,
        Crippen.MolLogP(found) / 3,
        rdMolDescriptors.CalcTPSA(found) / 50,
        rdMolDescriptors.CalcNumHBD(found) / 2,
        rdMolDescriptors.CalcNumHBA(found) / 3,
        rdMolDescriptors.CalcNumRotatableBonds(found) / 5,
        rdMolDescriptors.CalcNumRings(found) / 2,
        rdMolDescriptors.CalcFractionCSP3(found),
    ]
    return np.concatenate([bits, described]).astype(np.float32)


def read_class_vectors(path: str | Path, class_names: Sequence[str]) -> NDArray[np.float32]:
    """Read vectors ``(C, D)`` of the classes, in their order.

    Taken from, in this order: a column ``smiles`` or ``inchi`` (:func:`fingerprint`), a column ``formula`` where there
    are no columns of numbers (:func:`formula_vector`), else all columns of numbers. Columns are centred over the
    classes and brought to deviation 1; constant ones are left out. Raises InputError for a file or heading that cannot
    be used, DataError for a cell that cannot, a class that is missing or has two different rows.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        raw = gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()
        rows = list(csv.DictReader(raw.decode("utf-8-sig").splitlines()))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV ({error})") from error
    if not rows:
        raise InputError(f"{path}: holds no rows below its heading")
    lower = {name.strip().lower(): name for name in rows[0] if name}
    key = next((lower[k] for k in _KEYS if k in lower), "")
    if not key:
        raise InputError(f"{path}: no column names the class; expected one of {', '.join(_KEYS)}")
    columns = _number_columns(rows, lower, key)
    made: dict[str, NDArray[np.float32]] = {}
    for number, row in enumerate(rows, 2):
        name = (row[key] or "").strip()
        try:
            vector = _vector(row, lower, columns)
        except DataError as error:
            raise DataError(f"{path}: row {number}: {error}") from error
        if name in made and not np.array_equal(made[name], vector):
            raise DataError(f"{path}: row {number}: class '{name}' has another vector above")
        made[name] = vector
    sizes = {v.size for v in made.values()}
    if len(sizes) != 1 or 0 in sizes:
        raise InputError(f"{path}: no columns of numbers, no smiles, inchi or formula: there is nothing to describe")
    skeletons: dict[str, NDArray[np.float32]] = {}
    several: set[str] = set()
    for name, vector in made.items():
        if (skeleton := _skeleton(name)) and not np.array_equal(skeletons.setdefault(skeleton, vector), vector):
            several.add(skeleton)
    missing = [n for n in class_names if n not in made and _skeleton(n) not in skeletons]
    if missing:
        shown = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
        raise DataError(f"{path}: {len(missing)} of {len(class_names)} classes have no row ({shown})")
    unsure = [n for n in class_names if n not in made and _skeleton(n) in several]
    if unsure:
        raise DataError(
            f"{path}: class '{unsure[0]}' fits rows with different vectors by its first block; add its own row"
        )
    table = np.stack([made[n] if n in made else skeletons[_skeleton(n)] for n in class_names]).astype(np.float64)
    spread = table.std(axis=0)
    kept = spread > 1e-9
    if not kept.any():
        raise DataError(f"{path}: all classes have the same vector")
    scaled = (table[:, kept] - table[:, kept].mean(axis=0)) / spread[kept]
    return np.asarray(scaled, np.float32)


def _skeleton(name: str) -> str:
    return name.split("-")[0] if _INCHIKEY.match(name) else ""


def _number_columns(rows: list[dict[str, str]], lower: dict[str, str], key: str) -> list[str]:
    """Columns whose first cell that is not empty is a number; the class's column is none of them."""
    out = []
    for plain, name in lower.items():
        try:
            float(next((row[name] for row in rows if (row[name] or "").strip()), ""))
        except ValueError:
            continue
        if name != key and plain not in _KEYS:
            out.append(name)
    return out


def _vector(row: dict[str, str], lower: dict[str, str], columns: list[str]) -> NDArray[np.float32]:
    for kind in ("smiles", "inchi"):
        if kind in lower:
            return fingerprint(row[lower[kind]] or "")
    if not columns and "formula" in lower:
        return formula_vector(row[lower["formula"]] or "")
    out = np.empty(len(columns), dtype=np.float32)
    for place, name in enumerate(columns):
        try:
            out[place] = float(row[name] or "")
        except ValueError as error:
            raise DataError(f"column '{name}': '{row[name]}' is not a number") from error
        if not np.isfinite(out[place]):
            raise DataError(f"column '{name}': '{row[name]}' is not a finite number")
    return out
