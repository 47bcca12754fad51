"""Tests on kernels in virtual machines: for each kernel a guest, in which a pytest runs those of its tests.

The guest runs this machine's Python on this machine's files.  It tells each result as it is known; here it is reported
as that of the test.  A guest starts when the first of its tests is due, and runs all of them.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from beespace.errors import BeespaceError
from beespace.guest import Guest, Settings, Share, fetch, find, needed
from beespace.testing.places import GUEST

__all__ = ["Guests", "guests_of"]

REPORTER = "beespace.testing.reporter"
_MEMORY = 2 << 30  # bytes: LLVM wants some
_OWN = ("/tmp", "/run", "/dev/shm")  # folders that a guest has of its own
_FIXED_ENVIRONMENT = ("PYTEST", "COV_", "COVERAGE")


class Guests:
    """The guests of one session; ``wanted`` are the tests of each kernel."""

    def __init__(self, config: pytest.Config, wanted: dict[str, list[pytest.Item]]) -> None:
        self._config, self._wanted = config, wanted
        self._runs: dict[str, _Run] = {}

    def tell(self, item: pytest.Item, kernel: str) -> None:
        """Report how a test ended on a kernel."""
        if kernel not in self._runs:
            self._runs[kernel] = _Run(self._config, kernel, self._wanted[kernel])
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        outcome, text, sections, seconds = self._runs[kernel].result(item.nodeid)
        longrepr: Any = None
        if outcome == "skipped":
            longrepr = (str(item.path), item.location[1] or 0, f"Skipped: {kernel}: {text}")
        elif outcome == "failed":
            longrepr = f"on Linux {kernel}:\n{text}"
        item.ihook.pytest_runtest_logreport(
            report=pytest.TestReport(
                item.nodeid, item.location, {}, outcome, longrepr, "call", sections, seconds  # type: ignore[arg-type]
            )
        )  # fmt: skip
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    def close(self) -> None:
        """End them."""
        for run in self._runs.values():
            run.close()


def guests_of(session: pytest.Session, place_of: Callable[[pytest.Item], str | None]) -> Guests:
    """The guests for the tests that were selected."""
    wanted: dict[str, list[pytest.Item]] = {}
    for item in session.items:
        wanted.setdefault(place_of(item) or "", []).append(item)
    return Guests(session.config, wanted)


_Result = tuple[str, str, list[tuple[str, str]], float]


class _Run:
    """One guest, in a thread of its own (QEMU ends with the thread that started it)."""

    def __init__(self, config: pytest.Config, kernel: str, items: list[pytest.Item]) -> None:
        self._kernel, self._items, self._root = kernel, items, Path(config.rootpath)
        self._file = config.inipath
        self._import_mode = config.getoption("importmode", "prepend")
        self._results: dict[str, _Result] = {}
        self._ended: str | None = None
        self._known = threading.Condition()
        self._guest: Guest | None = None
        self._pending = b""
        self._output: list[bytes] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def result(self, name: str) -> _Result:
        with self._known:
            self._known.wait_for(lambda: name in self._results or self._ended is not None)
            if name in self._results:
                return self._results[name]
        said = b"".join(self._output).decode(errors="replace")[-5000:]
        return "failed", f"{self._ended}\n{said}".strip(), [], 0.0

    def close(self) -> None:
        with self._known:
            if self._guest is not None and self._ended is None:
                self._guest.kill()
        self._thread.join()

    def _run(self) -> None:
        ended = "pytest in the guest ended without this test"
        try:
            kernel = find(self._kernel)
            needed(kernel.architecture)
            with Guest(fetch(kernel), Settings(memory=_MEMORY), shares=_shares(self._root)) as guest:
                with self._known:
                    self._guest = guest
                guest.run(
                    self._command(guest.root.python), folder=str(self._root), environment=self._environment(),
                    out=self._output.append, err=self._output.append, log=self._feed,
                )  # fmt: skip
        except BeespaceError as error:
            ended = str(error)
        finally:
            with self._known:
                self._ended = ended
                self._known.notify_all()

    def _command(self, python: str) -> list[str]:
        own = python if not sys.prefix.startswith(_OWN) and sys.prefix == sys.base_prefix else sys.executable
        plugins = ["-p", "beespace.testing.plugin", "-p", REPORTER, "-p", "no:cacheprovider"]
        configuration = ["-c", str(self._file)] if self._file is not None else []
        files = dict.fromkeys(str(item.path) for item in self._items)
        return [
            own, "-m", "pytest", *plugins, *configuration, f"--rootdir={self._root}", "-q",
            f"--import-mode={self._import_mode}", f"--beespace-on={self._kernel}", *files,
        ]  # fmt: skip

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_FIXED_ENVIRONMENT)}
        paths = [*dict.fromkeys(path for path in sys.path if path)]
        return kept | {
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "XDG_CACHE_HOME": "/tmp/beespace-cache",
            GUEST: self._kernel,
            "BEESPACE_TEST_NAMES": json.dumps([item.nodeid for item in self._items]),
        }

    def _feed(self, data: bytes) -> None:
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            record = json.loads(line)
            sections = [(heading, text) for heading, text in record["sections"]]
            with self._known:
                self._results[record["id"]] = record["outcome"], record["text"], sections, record["seconds"]
                self._known.notify_all()


def _shares(root: Path) -> list[Share]:
    """What of this machine's files the guest does not see by itself."""
    wanted = [root, Path(sys.prefix), Path(sys.base_prefix), *(Path(path) for path in sys.path if Path(path).is_dir())]
    folders = sorted({path.resolve() for path in wanted if str(path.resolve()).startswith(_OWN)})
    return [Share(path, path) for path in folders if not any(other in path.parents for other in folders)]
