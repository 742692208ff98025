"""The tutorial of a study runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "tutorial.md"


@pytest.mark.slow
def test_every_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    record = names["record"]
    assert len(blocks) == 8
    assert record.confirmation.verdict.outcome in ("better", "not worse", "cannot tell")
    assert sum(t.state in ("COMPLETE", "PRUNED") for t in record.trials) == 4
    assert sum(t.state in ("COMPLETE", "PRUNED") for t in names["small"].trials) == 5
    assert names["documents"] and all("kind: model" in text for text in names["documents"].values())
    assert (tmp_path / "fish.html").stat().st_size < 8_000_000


def test_the_tutorial_of_tasks_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = (PAGE.parent / "tutorial-tasks.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "tutorial-tasks.md", "exec"), names)
    assert len(blocks) == 3
    for name in ("identified", "classified", "made"):
        assert names[name].confirmation.verdict.outcome in ("better", "not worse", "cannot tell")
    assert (tmp_path / "generator" / "model.json").exists()


def test_every_option_of_the_tutorial_of_tasks_exists() -> None:
    from typer.main import get_command

    from spectrosim_search.cli import app

    commands = get_command(app).commands  # type: ignore[attr-defined]
    page = (PAGE.parent / "tutorial-tasks.md").read_text(encoding="utf-8")
    lines = re.findall(r"^spectrosim-search (\w+)([^\n#]*)", page, re.MULTILINE)
    assert len(lines) > 10
    for command, rest in lines:
        known = {o for p in commands[command].params for o in p.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known, (command, rest)


@pytest.mark.slow
def test_the_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = PAGE.parents[1] / "README.md"
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, str(page), "exec"), names)
    assert names["embedding"].shape[0] == 72


def test_every_command_of_the_readme_exists() -> None:
    from typer.main import get_command

    from spectrosim_search.cli import app

    page = (PAGE.parents[1] / "README.md").read_text(encoding="utf-8")
    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    used = set(re.findall(r"^spectrosim-search (\w+)", page, re.MULTILINE))
    assert {"run", "data", "export", "train", "verify"} <= used
    assert used <= known
