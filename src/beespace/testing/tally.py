"""``Tally``: how a run of pytest ended, as an exit status of beespace."""

from __future__ import annotations

import pytest

from beespace.testing.places import NOT_HERE

__all__ = ["Tally"]

_PASSED, _WRONG, _USAGE, _NOT_PERMITTED, _INTERRUPTED = 0, 1, 2, 3, 130


class Tally:
    """A plugin that counts outcomes.  ``reasons`` are why tests on this kernel were skipped."""

    def __init__(self) -> None:
        self.outcomes: dict[str, int] = {}
        self.reasons: list[str] = []
        self._interrupted = False

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        self._interrupted = not excinfo.errisinstance(pytest.Session.Interrupted)  # that is pytest's own

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[report.outcome] = self.outcomes.get(report.outcome, 0) + 1
        self.reasons += [str(reason) for name, reason in report.user_properties if name == NOT_HERE]

    def status(self, ended: int) -> int:
        """0: passed; 1: something is wrong; 2: wrong arguments or nothing to test; 3: nothing is permitted here."""
        if ended == pytest.ExitCode.OK and self.reasons and not self.outcomes.get("passed"):
            return _NOT_PERMITTED
        return {
            pytest.ExitCode.OK: _PASSED,
            pytest.ExitCode.USAGE_ERROR: _USAGE,
            pytest.ExitCode.NO_TESTS_COLLECTED: _USAGE,
            pytest.ExitCode.INTERRUPTED: _INTERRUPTED if self._interrupted else _WRONG,  # or files that are broken
        }.get(pytest.ExitCode(ended), _WRONG)
