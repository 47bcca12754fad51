"""A pytest plugin for the pytest inside a guest: it runs what was asked for and tells each result as it is known.

Not imported by tests; the matrix loads it with ``-p``.  Records are JSON lines to the descriptor that
``$BEESPACE_GUEST_FD`` names:

``{"collected": [{"id": ..., "fresh": ...}]}``    with --collect-only
``{"broken": FILE, "text": ...}``                  a file that could not be collected
``{"started": ID}``
``{"id": ID, "outcome": "passed" | "failed" | "skipped", "text": ..., "seconds": ...}``
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

FRESH = "fresh_kernel"


class Reporter:
    def __init__(self, descriptor: int, wanted: list[str] | None) -> None:
        self._descriptor = descriptor
        self._wanted = wanted
        self._reports: list[pytest.TestReport] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self._wanted is not None:
            order = {name: number for number, name in enumerate(self._wanted)}
            items[:] = sorted((item for item in items if item.nodeid in order), key=lambda item: order[item.nodeid])

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._tell({"broken": report.nodeid, "text": report.longreprtext})

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if session.config.option.collectonly:
            fresh = {item.nodeid for item in session.items if item.get_closest_marker(FRESH)}
            self._tell({"collected": [{"id": item.nodeid, "fresh": item.nodeid in fresh} for item in session.items]})

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._reports = []
        self._tell({"started": nodeid})

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._reports.append(report)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        outcomes = {report.outcome for report in self._reports}
        outcome = next(each for each in ("failed", "skipped", "passed") if each in outcomes)
        texts = [_text(report) for report in self._reports if report.outcome == outcome != "passed"]
        seconds = sum(report.duration for report in self._reports)
        self._tell({"id": nodeid, "outcome": outcome, "text": "\n\n".join(texts), "seconds": seconds})

    def _tell(self, record: dict[str, object]) -> None:
        line = memoryview(json.dumps(record).encode() + b"\n")
        while line:
            line = line[os.write(self._descriptor, line) :]


def _text(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):  # a skip: file, line, reason
        return report.longrepr[2].removeprefix("Skipped: ")
    sections = "".join(f"\n--- {name} ---\n{content}" for name, content in report.sections)
    return report.longreprtext + sections


def pytest_configure(config: pytest.Config) -> None:
    descriptor = os.environ.get("BEESPACE_GUEST_FD")
    if descriptor is not None:
        wanted = os.environ.get("BEESPACE_GUEST_TESTS")
        names = Path(wanted).read_text().splitlines() if wanted else None
        config.pluginmanager.register(Reporter(int(descriptor), names))
