"""Fixtures and guards shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real spectra beside the checkout; tests that need it are skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("real spectra (../shared/data) are not on this machine")
    return SHARED_DATA


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    """In CI a test skipped for a missing service (database server, browser) fails."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("SPECTROSIM_REQUIRE_SERVICES") and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if any(word in reason.lower() for word in ("chromium", "postgres")):
            report.outcome = "failed"
            report.longrepr = f"skipped where it must run: {reason}"
