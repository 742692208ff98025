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
    assert len(blocks) == 6
    assert record.confirmation.verdict.outcome in ("better", "not worse", "cannot tell")
    assert sum(t.state in ("COMPLETE", "PRUNED") for t in record.trials) == 4
    assert (tmp_path / "fish.html").stat().st_size < 8_000_000
