"""The kernel matrix as pytest sees it: one test for each test of tests/kernel and each kernel.

``--tier full`` takes all of them, on all kernels of kernels.toml; without it, those of short_tier.txt on the
kernels of the short tier.  ``--kernels 5.10,7.3`` takes those only.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests are collected without packages
sys.path.insert(0, str(Path(__file__).parent.parent / "kernel"))

import matrix

from beespace.errors import BeespaceError
from beespace.guest import KERNELS, Kernel, fetch, find, needed, root
from beespace.guest.programs import HOST

SHORT = Path(__file__).parent / "short_tier.txt"
_LISTED = pytest.StashKey["Listed"]()
_SUMMARIES = pytest.StashKey[list[str]]()
_CACHE = pytest.StashKey[matrix.Cache]()


class Listed:
    """What there is to run: tests by name, files that cannot be collected, and lines of the list that name nothing."""

    def __init__(self, cache: matrix.Cache, tier: str) -> None:
        self.tests, self.broken = matrix.collect(cache)
        lines = [line for line in SHORT.read_text().splitlines() if line and not line.startswith("#")]
        there = {_without_parameters(inner.name) for inner in self.tests}
        self.unknown = [line for line in lines if line not in there]
        self.short = [inner for inner in self.tests if _without_parameters(inner.name) in lines]
        self._tier = tier

    def of(self, kernel: Kernel) -> list[matrix.Inner]:
        """The tests for a kernel; one of another architecture has neither LLVM nor Arrow, and takes the short tier."""
        return self.tests if self._tier == "full" and kernel.architecture == HOST else self.short


def _without_parameters(name: str) -> str:
    return name.partition("[")[0].removeprefix("tests/kernel/")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--tier", choices=("short", "full"), default="short", help="of the kernels and their tests")
    parser.addoption("--kernels", default="", help="only these, with commas between: 5.10,7.3")


def kernels(config: pytest.Config) -> list[Kernel]:
    names = [name for name in config.getoption("--kernels", "").split(",") if name]
    tiers = ("short",) if config.getoption("--tier", "short") == "short" else ("short", "full")
    return [find(name) for name in names] or [kernel for kernel in KERNELS if kernel.tier in tiers]


def listed(config: pytest.Config) -> Listed:
    if _LISTED not in config.stash:
        config.stash[_CACHE] = matrix.Cache()
        config.stash[_LISTED] = Listed(config.stash[_CACHE], config.getoption("--tier", "short"))
    return config.stash[_LISTED]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "inner" in metafunc.fixturenames:
        pairs = [(kernel, inner) for kernel in kernels(metafunc.config) for inner in listed(metafunc.config).of(kernel)]
        names = [f"{kernel.name}-{inner.name.removeprefix('tests/kernel/')}" for kernel, inner in pairs]
        metafunc.parametrize(("kernel", "inner"), pairs, ids=names)
    elif "kernel" in metafunc.fixturenames:
        chosen = kernels(metafunc.config)
        metafunc.parametrize("kernel", chosen, ids=[kernel.name for kernel in chosen])


@pytest.fixture(scope="session")
def cache(request: pytest.FixtureRequest) -> matrix.Cache:
    listed(request.config)
    return request.config.stash[_CACHE]


@pytest.fixture
def broken(request: pytest.FixtureRequest) -> dict[str, str]:
    """Files of tests/kernel that pytest cannot read, and why."""
    return listed(request.config).broken


@pytest.fixture
def unknown_lines(request: pytest.FixtureRequest) -> list[str]:
    return listed(request.config).unknown


@pytest.fixture(scope="session")
def can_run(request: pytest.FixtureRequest) -> None:
    """Skips where guests cannot run: the reason names the package or the right that is missing."""
    if os.geteuid():
        pytest.skip("the guests of the matrix read the host's root: it needs root")
    for kernel in kernels(request.config):
        try:
            needed(kernel.architecture)
            fetch(kernel)
            root(kernel)
        except BeespaceError as error:
            pytest.skip(str(error))


@pytest.fixture(scope="session")
def running(request: pytest.FixtureRequest, can_run: None, cache: matrix.Cache) -> Iterator[matrix.Matrix]:
    """The guests, which run the tests that were selected of this session."""
    wanted: dict[Kernel, list[matrix.Inner]] = {}
    for item in request.session.items:
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        if "inner" in parameters:
            wanted.setdefault(parameters["kernel"], []).append(parameters["inner"])
    started = matrix.Matrix(cache, wanted)
    try:
        yield started
    finally:
        started.close()
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        total = f"all guests: {used.ru_utime + used.ru_stime:.0f} s of CPU"
        request.config.stash[_SUMMARIES] = [*started.summaries, total]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What each kernel cost, from the start of its guest on."""
    for line in config.stash.get(_SUMMARIES, ()):
        terminalreporter.write_line(line)
