"""
Turns a skipped test into a failed one: ``pytest -p no_skips``.

A test that is skipped where everything is installed is a promise that nobody checks. One reason
is let through: the recordings of the real Iterable may not be copied into the project, so a
checkout can be complete without them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from iterable_facts import ABSENT

if TYPE_CHECKING:
    from collections.abc import Generator


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail what skips while it runs; an expected failure (xfail) is no skip."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and ABSENT not in _reason(report):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped: {_reason(report)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail what skips a whole module, e.g. ``importorskip``."""
    report = yield
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} was skipped: {_reason(report)}"
    return report


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
