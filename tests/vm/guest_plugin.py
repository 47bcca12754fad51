"""A pytest plugin for the pytest inside a guest: it runs what was asked for and tells each result as it is known.

Not imported by tests; the matrix loads it with ``-p``.  Records are JSON lines to the descriptor that
``$BEESPACE_GUEST_FD`` names:

``{"collected": [{"id": ..., "fresh": ...}]}``    with --collect-only
``{"broken": FILE, "text": ...}``                  a file that could not be collected
``{"started": ID}``
``{"id": ID, "outcome": "passed" | "failed" | "skipped", ...}``, as :mod:`beespace.testing.reporter` has it
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from beespace.testing.reporter import Reporter

FRESH = "fresh_kernel"
HOST_ONLY = "host_only"


class MatrixReporter(Reporter):
    """Tells besides what there is, which files are broken, and which test has begun."""

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.tell({"broken": report.nodeid, "text": report.longreprtext})

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if session.config.option.collectonly:
            fresh = {item.nodeid for item in session.items if item.get_closest_marker(FRESH)}
            here = [item for item in session.items if item.get_closest_marker(HOST_ONLY) is None]
            self.tell({"collected": [{"id": item.nodeid, "fresh": item.nodeid in fresh} for item in here]})

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.tell({"started": nodeid})


def pytest_configure(config: pytest.Config) -> None:
    descriptor = os.environ.get("BEESPACE_GUEST_FD")
    if descriptor is not None:
        wanted = os.environ.get("BEESPACE_GUEST_TESTS")
        names = Path(wanted).read_text().splitlines() if wanted else None
        config.pluginmanager.register(MatrixReporter(int(descriptor), names))
