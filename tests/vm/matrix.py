"""The kernel matrix: the tests of tests/kernel, inside guests, two guests at a time, each result as it comes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import c_objects

from beespace.errors import GuestError
from beespace.guest import Guest, Kernel, Settings, Share, fetch, root

ROOT = Path(__file__).parent.parent.parent
LANES = 2
RESTARTS = 5  # of one kernel, after a test that ended its guest
SETTINGS = Settings(memory=2 << 30)
TIMEOUT = "--timeout=900"  # of a test in a guest: thrice what it has on a machine of its own


@dataclass(frozen=True, slots=True)
class Inner:
    """A test of tests/kernel: its node id, and whether it wants a kernel for itself."""

    name: str
    fresh: bool


@dataclass(frozen=True, slots=True)
class Result:
    outcome: str  # passed, failed, skipped
    text: str
    seconds: float = 0.0


class Cache:
    """Bytecode and compiled objects, which cost seconds to make in a guest.

    Bytecode is made here, beside the sources, and guests read it; what they compile in C they keep.
    """

    def __init__(self) -> None:
        self.folder = ROOT / ".pytest_cache" / "guests"
        self.objects = Path(os.environ.get("BEESPACE_OBJECT_CACHE", self.folder / "objects"))
        self.wanted = self.folder / "wanted"
        self.bytecode = self.folder / "bytecode"  # of another Python, which nobody makes here
        for each in (self.wanted, self.objects, self.bytecode):
            each.mkdir(parents=True, exist_ok=True)

    def shares(self, kernel: Kernel) -> list[Share]:
        objects = Share(self.objects, self.objects, writable=True)
        if root(kernel).own:
            return [objects]
        bytecode = Share(self.bytecode, self.bytecode, writable=True)
        return [objects, bytecode, Share(ROOT, ROOT), Share(self.wanted, self.wanted)]

    def results(self, kernel: Kernel) -> Path:
        """Where the results of a kernel stand as they come, a JSON object a line."""
        return self.folder / f"results-{kernel.name}.jsonl"

    def environment(self) -> dict[str, str]:
        """What pytest runs with, here and in guests."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))}
        return environment | {
            "PYTHONPATH": f"{ROOT / 'src'}:{Path(__file__).parent}",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "BEESPACE_OBJECT_CACHE": str(self.objects),
            "BEESPACE_LLVM_CACHE": str(self.objects),
        }

    def compile_for(self, kernel: Kernel) -> None:
        """Compile here what guests of this machine's architecture have compiled."""
        machine = {"amd64": "x86_64", "arm64": "aarch64"}[kernel.architecture]
        with tempfile.TemporaryDirectory() as folder:
            c_objects.compiled_for(machine, self.objects, Path(folder))


def pytest_command(python: str, *arguments: str) -> list[str]:
    plugins = ("-p", "pytest_timeout", "-p", "guest_plugin", "-p", "no:cacheprovider")
    # A file that cannot be read there fails its own tests, not those of the others.
    return [python, "-m", "pytest", *plugins, "-q", "--continue-on-collection-errors", *arguments]


def collect(cache: Cache) -> tuple[list[Inner], dict[str, str]]:
    """The tests that there are, and the files that cannot be collected.  Makes bytecode of everything, too."""
    # Tests start processes that import what no test does: in a guest, compiling it takes longer than running it.
    compiling = [sys.executable, "-m", "compileall", "-q", "src", "tests/kernel"]
    subprocess.run(compiling, cwd=ROOT, env=cache.environment(), check=False)
    read, write = os.pipe()
    command = pytest_command(sys.executable, "--collect-only", "tests/kernel")
    environment = cache.environment() | {"BEESPACE_GUEST_FD": str(write)}
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        pass_fds=(write,),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    os.close(write)
    output: list[str] = []
    reader = threading.Thread(target=lambda: output.extend(process.stdout or ()))
    reader.start()
    with os.fdopen(read) as records:
        told = [json.loads(line) for line in records]
    reader.join()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
    found = [Inner(each["id"], each["fresh"]) for record in told for each in record.get("collected", ())]
    broken = {record["broken"]: record["text"] for record in told if "broken" in record}
    if not found and not broken:
        broken["tests/kernel"] = "".join(output)
    return found, broken


class Matrix:
    """Runs what was asked for on each kernel; :meth:`result` waits for one result."""

    def __init__(self, cache: Cache, wanted: dict[Kernel, list[Inner]]) -> None:
        self._cache = cache
        self._queue = deque(wanted.items())
        self._results: dict[tuple[str, str], Result] = {}
        self.summaries: list[str] = []
        self._known = threading.Condition()
        self._guests: dict[str, Guest] = {}
        self._stopping = False
        self._lanes = [threading.Thread(target=self._lane) for _ in range(min(LANES, len(wanted)))]
        for lane in self._lanes:
            lane.start()

    def result(self, kernel: Kernel, test: str) -> Result:
        with self._known:
            self._known.wait_for(lambda: (kernel.name, test) in self._results)
            return self._results[kernel.name, test]

    def close(self) -> None:
        with self._known:
            self._stopping = True
            self._queue.clear()
            for guest in self._guests.values():
                guest.kill()
        for lane in self._lanes:
            lane.join()

    # -- a lane: one kernel after the other ----------------------------------------------------------------

    def _lane(self) -> None:
        while True:
            with self._known:
                if not self._queue:
                    return
                kernel, wanted = self._queue.popleft()
            try:
                self._all(kernel, wanted)
            except Exception as error:  # whatever it is, nobody may wait for ever
                self._settle(kernel, wanted, f"{type(error).__name__}: {error}")

    def _all(self, kernel: Kernel, wanted: list[Inner]) -> None:
        began = time.monotonic()
        self._cache.results(kernel).unlink(missing_ok=True)
        batches = [[inner] for inner in wanted if inner.fresh]
        batches.insert(0, [inner for inner in wanted if not inner.fresh])
        restarts = RESTARTS
        for batch in batches:
            left = batch
            while left:
                ended = self._one_guest(kernel, left)
                if ended is None or restarts == 0:
                    self._settle(kernel, left, ended or "pytest in the guest ended before this test")
                restarts -= 1
                left = self._missing(kernel, left)
        found = {inner.name: self._results[kernel.name, inner.name] for inner in wanted}
        inside = sum(result.seconds for result in found.values())
        self.summaries.append(
            f"{kernel.name}: {len(found)} tests, {time.monotonic() - began:.0f} s, of which {inside:.0f} s in the tests"
        )

    def _one_guest(self, kernel: Kernel, wanted: list[Inner]) -> str | None:
        """Run tests in a guest; why it ended before its time, if it did: then one more test has failed."""
        run = Run(lambda test, result: self._put(kernel, test, result))
        names = self._cache.wanted / f"{kernel.name}-{os.getpid()}"
        names.write_text("\n".join(inner.name for inner in wanted))
        files = dict.fromkeys(inner.name.partition("::")[0] for inner in wanted)
        environment = self._cache.environment() | {"BEESPACE_GUEST_TESTS": str(names)}
        if not root(kernel).own:
            environment |= {
                "PATH": "/usr/sbin:/usr/bin",
                "HYPOTHESIS_STORAGE_DIRECTORY": "/tmp/hypothesis",
                "PYTHONPYCACHEPREFIX": str(self._cache.bytecode),
            }
            self._cache.compile_for(kernel)
        try:
            with Guest(fetch(kernel), SETTINGS, shares=self._cache.shares(kernel)) as guest:
                with self._known:
                    self._guests[kernel.name] = guest
                    if self._stopping:
                        return "the matrix was stopped"
                guest.run(
                    pytest_command(guest.root.python, TIMEOUT, *files), folder=str(ROOT), environment=environment,
                    out=run.output.append, err=run.output.append, log=run.feed,
                )  # fmt: skip
        except GuestError as error:
            if not self._missing(kernel, wanted):
                return None  # it was stopped after its last test
            if run.started is None:
                raise
            self._put(kernel, run.started, Result("failed", f"this test ended the guest: {error}"))
            return str(error)
        finally:
            with self._known:
                self._guests.pop(kernel.name, None)
            names.unlink()
        if run.started is not None:  # out of memory, or killed: the others have done nothing
            self._put(kernel, run.started, Result("failed", f"pytest in the guest ended in this test:\n{run.text()}"))
            return "pytest in the guest ended before its time"
        self._settle(kernel, wanted, "pytest in the guest did not run this test:\n" + run.text())
        return None

    def _missing(self, kernel: Kernel, tests: list[Inner]) -> list[Inner]:
        with self._known:
            return [inner for inner in tests if (kernel.name, inner.name) not in self._results]

    def _put(self, kernel: Kernel, test: str, result: Result) -> None:
        told = {"test": test, "outcome": result.outcome, "seconds": round(result.seconds, 2), "text": result.text}
        with self._known:
            with self._cache.results(kernel).open("a") as results:  # all kernels take an hour: somebody reads along
                results.write(json.dumps(told) + "\n")
            self._results[kernel.name, test] = result
            self._known.notify_all()

    def _settle(self, kernel: Kernel, tests: Iterable[Inner], why: str) -> None:
        for inner in tests:
            if (kernel.name, inner.name) not in self._results:
                self._put(kernel, inner.name, Result("failed", why))


class Run:
    """What one pytest in a guest tells."""

    def __init__(self, put: Callable[[str, Result], None]) -> None:
        self._put = put
        self._pending = b""
        self.started: str | None = None
        self.output: deque[bytes] = deque(maxlen=200)

    def feed(self, data: bytes) -> None:
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            record = json.loads(line)
            if "started" in record:
                self.started = record["started"]
            elif "id" in record:
                self.started = None
                text = record["text"]
                if record["outcome"] == "failed":  # of a skip, its reason alone
                    text += "".join(f"\n--- {name} ---\n{content}" for name, content in record["sections"])
                self._put(record["id"], Result(record["outcome"], text, record["seconds"]))

    def text(self) -> str:
        return b"".join(self.output).decode(errors="replace")[-5000:]


__all__ = ["Cache", "Inner", "Matrix", "Result", "collect"]
