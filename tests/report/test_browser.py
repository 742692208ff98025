"""The report in a real browser: drawn, quiet, offline, readable at both widths and in both colour schemes."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from spectrosim_search.report import page, theme
from spectrosim_search.report.members import members
from spectrosim_search.search.records import StudyRecord


def _sibling(name: str) -> ModuleType:
    """Load a helper that stands beside this file; test folders are not packages."""
    spec = importlib.util.spec_from_file_location(f"report_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


browser = _sibling("browser")
hostile = _sibling("test_page").hostile
EXECUTABLE = browser.find()
pytestmark = pytest.mark.skipif(EXECUTABLE is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def files(
    tmp_path_factory: pytest.TempPathFactory, rich: StudyRecord, empty: StudyRecord, build: Callable[..., StudyRecord]
) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    records = {"rich": rich, "empty": empty, "hostile": hostile(rich), "leaking": build(30, protocol="random-pairs")}
    return {name: page.write_report(record, folder / f"{name}.html") for name, record in records.items()}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser.chromium(EXECUTABLE) as one:
        yield one


@pytest.fixture
def tab(chromium: Any) -> Any:
    chromium.events.clear()
    return chromium


def _states(tab: Any) -> list[str]:
    states: list[str] = tab.evaluate("[...document.querySelectorAll('.plot')].map(p => p.dataset.drawn || '')")
    return states


_CLIPPED = """[...document.querySelectorAll('.plot')].flatMap(p => {
  const box = p.querySelector('svg.main-svg').getBoundingClientRect();
  return [...p.querySelectorAll('svg text')].filter(t => t.textContent.trim()).filter(t => {
    const r = t.getBoundingClientRect();
    return r.width && (r.left < box.left - 2 || r.right > box.right + 2 || r.bottom > box.bottom + 2);
  }).map(t => p.dataset.figure + ': ' + t.textContent);
})"""

_EMPTY = """[...document.querySelectorAll('.plot')]
  .filter(p => p.querySelectorAll('.trace, .bars path, .hm image').length === 0).map(p => p.dataset.figure)"""


@pytest.mark.parametrize(
    ("name", "width", "dark"),
    [
        ("rich", 1400, False),
        ("rich", 420, True),
        ("leaking", 420, False),
        ("hostile", 1400, True),
        ("empty", 420, False),
    ],
)
def test_draws_quietly_and_loads_nothing(tab: Any, files: dict[str, Path], name: str, width: int, dark: bool) -> None:
    tab.open(files[name], width=width, dark=dark)
    assert _states(tab) == ["yes"] * (0 if name == "empty" else len(list(members())))
    assert tab.problems() == []
    loaded = [address for address in tab.requests() if not address.startswith("data:")]  # heat maps are drawn as one
    assert loaded == [files[name].resolve().as_uri()]
    assert tab.evaluate("document.documentElement.scrollWidth") <= width, "the page itself never scrolls sideways"
    assert tab.evaluate(_EMPTY) == []
    if name == "rich":
        assert tab.evaluate(_CLIPPED) == [], "no label leaves its figure"
        assert tab.evaluate("document.querySelectorAll('#result-table tr.method').length") == 11
        panels = tab.evaluate("document.querySelector('[data-figure=figure-slices]').layout.height")
        assert (panels > 2000) == (width == 420), "one column of panels on a narrow screen, three on a wide one"
        box = "document.querySelector('[data-figure=figure-parallel]').closest('.scroll')"
        assert tab.evaluate(f"{box}.scrollWidth > {box}.clientWidth") == (width == 420), "scrolls inside its own box"
    if name == "hostile":
        assert tab.evaluate("document.title").startswith("<img"), "no script of a name has run"
        assert tab.evaluate("document.images.length") == 0
        assert tab.evaluate("document.querySelectorAll('svg a, svg image[href^=http]').length") == 0


def test_figures_wait_until_they_come_into_view(tab: Any, files: dict[str, Path]) -> None:
    tab.resize(1400, 900)
    tab.call("Page.navigate", url=files["rich"].resolve().as_uri())
    tab.wait("document.querySelector('.plot') && document.readyState === 'complete'")
    tab.evaluate("window.scrollTo(0, document.querySelector('.plot').getBoundingClientRect().top - 200)")
    tab.wait("document.querySelector('.plot').dataset.drawn === 'yes'")
    states = _states(tab)
    assert states[0] == "yes"
    assert states[-1] == "", "the last figure is far below"
    tab.draw_all(1400)
    assert set(_states(tab)) == {"yes"}


def test_colours_follow_the_system(tab: Any, files: dict[str, Path]) -> None:
    tab.open(files["rich"], dark=False)
    marker = "document.querySelector('[data-figure=figure-history] .legend text').style.fill"
    assert tab.evaluate(marker) == _css(theme.colour("ink"))
    light_ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    tab.wait(f"{marker} === '{_css(theme.colour('ink', dark=True))}'")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") != light_ground
    assert tab.problems() == []


def _css(value: str) -> str:
    return f"rgb({', '.join(str(int(value[i : i + 2], 16)) for i in (1, 3, 5))})"


def test_prints(tab: Any, files: dict[str, Path]) -> None:
    import base64

    tab.open(files["rich"], dark=True)
    pdf = base64.b64decode(tab.call("Page.printToPDF", printBackground=True)["data"])
    assert pdf.startswith(b"%PDF")
    assert tab.problems() == []
