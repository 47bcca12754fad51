"""The pytest plugin: fixtures ``vm``, ``kernel`` and ``run``, the marker ``kernels``, and what a failing test shows.

Every pytest of an environment that has beespace loads this file, so it imports nothing until a test or an option asks
for it, and its options begin with ``--beespace``; ``beespace test`` has shorter names for them.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from beespace.lang import Program
    from beespace.testing.guests import Guests
    from beespace.testing.places import Kernel, Simulator

_PLACE = "beespace_place"  # the fixture that is parametrized; whoever has a `run` of its own does not use it
_DEFAULT = ("vm", "here")
_PROBES: pytest.StashKey[list[list[Program]]] = pytest.StashKey()  # what each fixture of a test has started
_GUESTS: pytest.StashKey[Guests] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("beespace", "beespace: tests of probes")
    group.addoption(
        "--beespace-on", metavar="PLACES", default="",
        help="where tests that take `run` run, with commas between: vm, here, 7.3 (default: what their marker "
        "says, or vm and here)",
    )  # fmt: skip
    group.addoption(
        "--beespace-probes", action="store_true", default=False,
        help="collect files with probes, too: each must compile, load into the machine and run once",
    )  # fmt: skip

    group.addoption(
        "--beespace-debug", action="store_true", default=False,
        help="run what is simulated in a debugger, which stops at the first line of the kernel side; needs -s",
    )  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "kernels(*places): where a test that takes `run` runs: vm, here, and kernels in virtual machines as 5.10, 7.3",
    )


# --- fixtures -----------------------------------------------------------------------------------------


@pytest.fixture
def vm(request: pytest.FixtureRequest) -> Iterator[Simulator]:
    """Simulates programs: ``probe = vm(MyProbe(option=1), pid=7)``; see docs/testing.md."""
    from beespace.testing.places import Simulator

    yield from _closing(request.node, partial(Simulator, debug=request.config.getoption("--beespace-debug")))


@pytest.fixture
def kernel(request: pytest.FixtureRequest) -> Iterator[Kernel]:
    """Loads programs into this kernel: ``probe = kernel(MyProbe)``; the test is skipped where that is not permitted."""
    from beespace.testing.places import Kernel

    yield from _closing(request.node, Kernel)


@pytest.fixture
def beespace_place(request: pytest.FixtureRequest) -> str:
    """Where this run of the test is: ``vm``, ``here`` or a kernel's name."""
    place: str = request.param
    return place


@pytest.fixture
def run(request: pytest.FixtureRequest, beespace_place: str) -> Iterator[Any]:
    """Runs programs where the test runs, one place after the other: ``probe = run(MyProbe)``."""
    from beespace.testing.places import Kernel, Simulator

    debug = request.config.getoption("--beespace-debug")
    yield from _closing(request.node, partial(Simulator, debug=debug) if beespace_place == "vm" else Kernel)


def _closing(item: pytest.Item, make: Any) -> Iterator[Any]:
    """What the fixture gives, and an end for all that it started."""
    own: list[Program] = []
    item.stash.setdefault(_PROBES, []).append(own)
    yield make(own)
    for probe in reversed(own):
        probe.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if _PLACE not in metafunc.fixturenames:
        return
    from beespace.errors import BeespaceError
    from beespace.testing.places import checked

    asked = tuple(name for name in metafunc.config.getoption("--beespace-on").split(",") if name)
    marks = [mark.args for mark in metafunc.definition.iter_markers("kernels")]
    try:
        places = checked(asked or (marks[0] if marks and marks[0] else _DEFAULT))
    except BeespaceError as error:
        raise pytest.UsageError(str(error)) from None
    metafunc.parametrize(_PLACE, places, ids=places, indirect=True)


def _place_of(item: pytest.Item) -> str | None:
    """Where a test runs; ``None`` if it does not take ``run``."""
    found: str | None = getattr(getattr(item, "callspec", None), "params", {}).get(_PLACE)
    return found


# --- tests on kernels ---------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """A test on a kernel in a virtual machine is run there, by a pytest of its own, and told from here."""
    place = _place_of(item)
    if place in (None, *_DEFAULT):
        return None
    from beespace.testing.guests import guests_of
    from beespace.testing.places import is_inside

    assert place is not None
    if is_inside(place):
        return None
    if _GUESTS not in item.config.stash:
        item.config.stash[_GUESTS] = guests_of(item.session, _place_of)
    item.config.stash[_GUESTS].tell(item, place)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """A test on this kernel is skipped where that is not permitted, or where a run by hand is not supported."""
    if _PROBES not in item.stash or _place_of(item) == "vm":
        return (yield)
    from beespace.errors import NotPermitted, NotSupported
    from beespace.testing.places import skipped

    try:
        return (yield)
    except (NotPermitted, NotSupported) as error:
        skipped(item, error)
        raise AssertionError("unreachable") from None


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _GUESTS in session.config.stash:
        session.config.stash[_GUESTS].close()


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Where coverage.py measures, it is told what ran on the kernel side; after the last test, before it saves."""
    if "coverage" not in sys.modules:
        return (yield)
    from beespace.testing.covered import measured

    with measured():
        return (yield)


# --- files with probes --------------------------------------------------------------------------------


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix != ".py" or not parent.config.getoption("--beespace-probes"):
        return None
    tests = ("conftest.py", *parent.config.getini("python_files"))
    if any(file_path.match(each) for each in tests):
        return None
    from beespace.testing.probe_files import collector_of

    return collector_of(file_path, parent)


# --- what a failing test shows ------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    if call.excinfo is None or _PROBES not in item.stash or call.excinfo.errisinstance(pytest.skip.Exception):
        return (yield)
    from beespace.errors import BeespaceError
    from beespace.testing.failures import sections, trimmed

    if isinstance(call.excinfo.value, BeespaceError):
        trimmed(call.excinfo)
    report = yield
    if report.failed:
        report.sections += sections(call.excinfo.value, [each for own in item.stash[_PROBES] for each in own])
    return report
