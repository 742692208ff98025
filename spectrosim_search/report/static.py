"""The figures of the report as PNG files, for papers and slides (extra ``static``)."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import ModuleType

from spectrosim_search.config.errors import InputError, MissingExtraError, RunError
from spectrosim_search.report.members import members
from spectrosim_search.search.records import StudyRecord

__all__ = ["write_static"]

_OFFLINE = {"mathjax": False}  # it would come from a network, and no figure holds a formula
_WIDTH, _HEIGHT, _SCALE = 1000, 450, 2  # layout pixels; two dots a pixel print well at 12 cm


def _package() -> ModuleType:
    try:
        import kaleido
    except ImportError as problem:
        raise MissingExtraError("kaleido", "static", "writing figures as PNG files") from problem
    module: ModuleType = kaleido
    return module


def write_static(record: StudyRecord, folder: str | Path) -> list[Path]:
    """Write every figure that the record can fill as ``NAME.png`` and return the paths in reading order.

    The folder is made where it is missing; files of these names are replaced once all are drawn. Search scores and
    leaking protocols are marked in the titles. Nothing is loaded from a network. Raises MissingExtraError without the
    extra `static`, InputError where no Chromium or Chrome is found or the folder cannot be written, RunError where the
    browser fails.
    """
    package = _package()
    target = Path(folder).expanduser()
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target, prefix=".figures-") as place:
            drawn = []
            for member in members(task=record.study.task):
                built = member.standalone(record)
                if built is not None:
                    size = {"width": _WIDTH, "height": built.layout.height or _HEIGHT, "scale": _SCALE}
                    path = Path(place) / f"{member.name}.png"
                    drawn.append({"fig": built.to_dict(), "path": path, "opts": {"format": "png", **size}})
            _draw(package, drawn)
            return [Path(d["path"]).replace(target / d["path"].name) for d in drawn]
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise InputError(f"cannot write figures into '{target}': {reason}; choose another folder") from problem


def _draw(package: ModuleType, drawn: list[dict[str, object]]) -> None:
    from kaleido import errors

    try:
        package.write_fig_from_object_sync(drawn, cancel_on_error=True, kopts=_OFFLINE)
    except errors.ChromeNotFoundError as problem:
        raise InputError(
            "writing figures as PNG files needs Chromium or Chrome: install one, or name it in the environment "
            "variable BROWSER_PATH"
        ) from problem
    except (
        errors.BrowserClosedError,
        errors.BrowserFailedError,
        errors.JavascriptError,
        errors.KaleidoError,
        TimeoutError,
    ) as problem:
        reason = str(next(iter(problem.args), type(problem).__name__)).strip().rstrip(".")
        raise RunError(f"the browser that draws the figures failed ({reason}); the HTML report needs none") from problem
