"""The plugin of the pytest in a guest: it runs what was asked for, and tells each result as it is known.

Results are lines of JSON to the descriptor that ``$BEESPACE_GUEST_FD`` names: ``id``, ``outcome`` (passed, failed,
skipped), ``text``, ``sections`` (pairs of heading and text) and ``seconds``.
"""

from __future__ import annotations

import json
import os

import pytest


class Reporter:
    """Tells what becomes of the tests in ``names``, which run in that order; None: all there are."""

    def __init__(self, descriptor: int, names: list[str] | None) -> None:
        self._descriptor, self._names = descriptor, names
        self._reports: list[pytest.TestReport] = []

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self._names is None:
            return
        order = {name: number for number, name in enumerate(self._names)}
        items[:] = sorted((item for item in items if item.nodeid in order), key=lambda item: order[item.nodeid])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._reports.append(report)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        reports, self._reports = self._reports, []
        outcomes = {report.outcome for report in reports}
        outcome = next(each for each in ("failed", "skipped", "passed") if each in outcomes)
        told = [report for report in reports if report.outcome == outcome != "passed"]
        self.tell({
            "id": nodeid,
            "outcome": outcome,
            "text": "\n\n".join(_text(report) for report in told),
            "sections": [section for report in told for section in report.sections],
            "seconds": sum(report.duration for report in reports),
        })  # fmt: skip

    def tell(self, record: dict[str, object]) -> None:
        """Write a line of JSON."""
        line = memoryview(json.dumps(record).encode() + b"\n")
        while line:
            line = line[os.write(self._descriptor, line) :]


def _text(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):  # a skip: file, line, reason
        return report.longrepr[2].removeprefix("Skipped: ")
    return report.longreprtext


def pytest_configure(config: pytest.Config) -> None:
    descriptor = os.environ.get("BEESPACE_GUEST_FD")
    if descriptor is not None:
        names = json.loads(os.environ["BEESPACE_TEST_NAMES"])
        config.pluginmanager.register(Reporter(int(descriptor), names))
