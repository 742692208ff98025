"""The house rules of docs/architecture.md, held by reading every import statement of the package."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "spectrosim_search"
MODULES = sorted(PACKAGE.rglob("*.py"))

# room → rooms it may import from (itself always)
ALLOWED = {
    "config": set(),
    "spectra": {"config"},
    "protocol": {"config"},
    "learning": {"config"},
    "evaluation": {"config", "protocol", "spectra", "learning"},
    "baselines": {"config", "protocol", "spectra", "learning", "evaluation"},
    "search": {"config", "protocol", "spectra", "learning", "evaluation", "baselines"},
    "report": {"config", "protocol", "spectra", "learning", "evaluation", "baselines", "search"},
    "deploy": {"config", "protocol", "spectra", "learning", "evaluation", "baselines", "search"},
}
# third-party package → where alone it may be imported
HOMES = {
    "ray": ("search/workers/",),
    "optuna": ("search/",),
    "sqlalchemy": ("search/store", "search/lease", "search/migrations"),
    "alembic": ("search/store", "search/migrations"),
    "plotly": ("report/",),
    "optuna_dashboard": ("report/dashboard",),
    "pandas": ("spectra/readers/",),
    "typer": ("cli",),
    "rich": ("cli",),
    "pydantic": ("search/documents", "deploy/document"),
}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            yield node.module


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path) -> None:
    relative = path.relative_to(PACKAGE).as_posix()
    room = relative.split("/")[0].removesuffix(".py")
    for name in imports(path):
        top, *rest = name.split(".")
        if top == "spectrosim_search" and rest and room in ALLOWED:
            assert rest[0] == room or rest[0] in ALLOWED[room], f"{relative} imports {name}"
        if top in HOMES:
            assert relative.startswith(HOMES[top]), f"{relative} imports {top}"
        if room == "config":
            assert top == "spectrosim_search" or top in sys.stdlib_module_names, f"{relative} imports {top}"
        if room == "learning":
            ok = {"spectrosim_search", "torch", "numpy"} | set(sys.stdlib_module_names)
            assert top in ok, f"{relative} imports {top}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_public_names_are_declared_and_exist(path: Path) -> None:
    tree = ast.parse(path.read_text())
    defined = {
        n.name
        for n in tree.body
        if isinstance(n, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)) and not n.name.startswith("_")
    }
    declared: set[str] | None = None
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            declared = set(ast.literal_eval(node.value))
    if defined and path.name != "cli.py" and path.parent.name != "versions":
        assert declared is not None, f"{path.name} has public names but no __all__"
        assert not defined - declared, f"not in __all__: {sorted(defined - declared)}"


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_fast_start(argument: str) -> None:
    code = (
        f"import sys; sys.argv = ['spectrosim-search', {argument!r}]\n"
        "from spectrosim_search.cli import main\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
        "heavy = {'torch', 'ray', 'sklearn', 'pandas', 'optuna', 'plotly', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
