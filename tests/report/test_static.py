"""Figures as PNG files, drawn by a real browser."""

from __future__ import annotations

import importlib.util
import shutil
import struct
import sys
from pathlib import Path

import pytest

from spectrosim_search.config.errors import InputError, MissingExtraError
from spectrosim_search.report.members import members
from spectrosim_search.report.static import write_static
from spectrosim_search.search.records import StudyRecord

needs_kaleido = pytest.mark.skipif(
    importlib.util.find_spec("kaleido") is None, reason="the extra 'static' is not installed"
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
needs_browser = pytest.mark.skipif(not any(map(shutil.which, BROWSERS)), reason="no Chromium on this machine")


@needs_kaleido
@needs_browser
def test_every_figure_that_can_be_drawn_becomes_a_file(rich: StudyRecord, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "figures"
    written = write_static(rich, folder)
    assert [p.stem for p in written] == [m.name for m in members() if m.build(rich) is not None]
    assert sorted(folder.iterdir()) == sorted(written), "nothing else is left in the folder"
    for path in written:
        head = path.read_bytes()[:24]
        assert head[:8] == b"\x89PNG\r\n\x1a\n"
        width, height = struct.unpack(">II", head[16:24])
        assert width == 2000
        assert height > 300
        assert path.stat().st_size > 10_000, "a blank picture is smaller"


@needs_kaleido
@needs_browser
def test_an_empty_study_has_no_figures(empty: StudyRecord, tmp_path: Path) -> None:
    assert len(write_static(empty, tmp_path)) == sum(m.build(empty) is not None for m in members())


@needs_kaleido
def test_no_browser_is_one_clear_line(rich: StudyRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "no-browser"))
    with pytest.raises(InputError, match="needs Chromium or Chrome"):
        write_static(rich, tmp_path / "figures")
    assert list((tmp_path / "figures").iterdir()) == []


@needs_kaleido
def test_a_folder_that_cannot_be_made(rich: StudyRecord, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InputError, match="cannot write figures"):
        write_static(rich, tmp_path / "file" / "figures")


def test_the_extra_is_named(rich: StudyRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kaleido", None)  # as if it were not installed
    with pytest.raises(MissingExtraError, match=r"spectrosim-search\[static\]"):
        write_static(rich, tmp_path / "figures")
    assert not (tmp_path / "figures").exists()
