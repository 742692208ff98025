"""The tutorial page runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

_PAGE = Path(__file__).parents[2] / "docs" / "tutorial-deploy.md"


def test_every_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", _PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, str(_PAGE), "exec"), names)
    assert len(blocks) >= 9
    assert 0.5 < names["model"].decision.balanced_accuracy.value <= 1
    assert (tmp_path / "my-model" / "README.md").is_file()
    assert names["similarity"].shape == (2,)
    assert "mean intensity outside" in capsys.readouterr().out
