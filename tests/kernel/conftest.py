"""What the tests on this kernel share: a leak check, a cgroup of their own, small objects from C."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests are collected without packages

import c_objects
import fd_tracer
import wires
from flow_net import net, watched  # noqa: F401  # fixtures
from pace import patience
from readiness import Readiness
from resolver import resolver  # noqa: F401
from watching import WATCH, Place, cgroup_root, environment

from beespace.elf import read
from beespace.errors import CompileError, KernelError, NotPermitted, NotSupported
from beespace.kernel import vmlinux_btf
from beespace.record import replace
from beespace.spec import ObjectSpec
from beespace.syscall import bpf, mounts

if TYPE_CHECKING:
    from beespace.compiler.worker import Worker
    from beespace.lang import Program  # slow in a guest, where many files need only a loader

Result = TypeVar("Result")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    with _skipped_if_not_supported():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    with _skipped_if_not_supported():
        return (yield)


@contextlib.contextmanager
def _skipped_if_not_supported() -> Iterator[None]:
    """A feature that the kernel refused, and since when kernels have it: that is a skip, found by trying.

    The kernel matrix (tests/vm) fails it where the kernel is new enough.  So is what a kernel that is locked down
    (security.lockdown, Linux 5.4) keeps from everybody.
    """
    try:
        yield
    except NotPermitted as error:
        if "locked down" not in error.message:
            raise
        pytest.skip(error.message)
    except CompileError as error:
        from beespace.compiler import rules  # only where something was compiled

        missing = [found for found in error.diagnostics if isinstance(found, rules.NotInKernel)]
        if len(missing) < len(error.diagnostics):
            raise
        pytest.skip(f"this kernel has no {missing[0].what} (Linux {missing[0].since})")
    except NotSupported as error:
        if error.since is None:
            raise
        pytest.skip(error.message)


@pytest.fixture
def first_cpu() -> Iterator[None]:
    """Programs run on CPU 0, which is the machine's."""
    allowed = os.sched_getaffinity(0)
    if 0 not in allowed:
        pytest.skip("this process may not run on CPU 0")
    os.sched_setaffinity(0, {0})
    yield
    os.sched_setaffinity(0, allowed)


@pytest.fixture
def no_leaks() -> Iterator[None]:
    """Fails a test that leaves descriptors open (and with them maps, programs, links), and says who opened them."""
    vmlinux_btf()  # stays mapped until the process ends
    with fd_tracer.traced() as tracer:
        yield
    assert tracer.left(owned=False) == []


@pytest.fixture
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled programs of a test are kept for that run alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """A process that compiles IR."""
    from beespace.compiler.worker import Worker  # only where something is compiled

    vmlinux_btf()  # opened once for the process, not by a test
    with Worker() as worker:
        yield worker


@pytest.fixture
def in_kernel() -> Callable[[str], set[int]]:
    """Ids of the programs and maps of a name in the kernel now (others on this machine load theirs meanwhile)."""

    def look(name: str) -> set[int]:
        found: set[int] = set()
        for following, open_id, ask in (
            (bpf.prog_get_next_id, bpf.prog_get_fd_by_id, bpf.prog_info),
            (bpf.map_get_next_id, bpf.map_get_fd_by_id, bpf.map_info),
        ):
            for number in bpf.ids(following):
                try:
                    with open_id(number) as descriptor:
                        info = ask(descriptor)
                except KernelError:
                    continue  # gone since it was listed
                if info.name == name:
                    found.add(number)
        return found

    return look


@pytest.fixture
def gone(in_kernel: Callable[[str], set[int]]) -> Callable[..., bool]:
    """Whether nothing of these names is left in the kernel, which frees some things a grace period later."""

    def wait(*names: str) -> bool:
        deadline = time.monotonic() + patience(10)
        while any(in_kernel(name) for name in names):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    return wait


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """A cgroup (v2) made for this test, as a path that works while the test runs.

    What the test leaves in it is killed, so that a test that fails does not fail those after it.
    """
    with mounts.cgroup2_root() as root:
        path = Path(f"/proc/self/fd/{root.fileno()}/beespace-test-{os.getpid()}-{next(_numbers)}")
        path.mkdir()
        try:
            yield path
        finally:
            left = [int(pid) for each in path.rglob("cgroup.procs") for pid in each.read_text().split()]
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for folder in sorted((each.parent for each in path.rglob("cgroup.procs")), reverse=True):
                _remove(folder)
    assert left == [], "processes that the test left in its cgroup"


_numbers = itertools.count()


def _remove(cgroup: Path) -> None:
    """Processes leave a cgroup a moment after they were killed."""
    deadline = time.monotonic() + patience(10)
    while True:
        try:
            return cgroup.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


@pytest.fixture
def wire() -> Iterator[wires.Wire]:
    """Two network namespaces and a veth pair between them, gone when the test ends."""
    if missing := [name for name in ("ip", "unshare", "nsenter") if shutil.which(name) is None]:
        pytest.skip(f"{' and '.join(missing)} of iproute2 and util-linux are not installed")
    with contextlib.closing(wires.Wire()) as made:
        made.prepare()
        yield made


@pytest.fixture(scope="session")
def flows_load() -> None:
    """Skips where the kernel refuses what ``beespace watch`` runs in it: nothing else can be said of it there."""
    from beespace.kernel import load
    from beespace.probes.flows import Flows
    from beespace.session.driver import KernelDriver

    declaration = Flows.declaration()
    needed = [name for name, section in declaration.sections.items() if section and name not in declaration.optional]
    load(KernelDriver().spec(Flows), programs=needed).close()


@pytest.fixture
def compile_c(tmp_path: Path) -> Callable[[str], ObjectSpec]:
    """Compiles C with clang for BPF and reads the object."""

    def compile_text(source: str, *flags: str) -> ObjectSpec:
        return read(c_objects.compiled(source, flags, tmp_path), "probe")

    return compile_text


@pytest.fixture
def object_file(tmp_path: Path) -> Callable[[str], Path]:
    """The same, as a file ``probe.bpf.o``."""

    def compile_text(source: str, *flags: str) -> Path:
        file = tmp_path / "probe.bpf.o"
        file.write_bytes(c_objects.compiled(source, flags, tmp_path))
        return file

    return compile_text


@pytest.fixture
def loaded_probe(no_leaks: None) -> Iterator[Callable[..., Program]]:
    """Compiles and loads a program class without attaching it: its maps can be read, its programs run by hand.

    ``probe.loaded`` is the loaded object; everything is closed when the test ends.  ``start(Probe, look="lwt_in")``
    loads method ``look`` as a program of that section.
    """
    from beespace.compiler import compile_program
    from beespace.kernel import load
    from beespace.kernel.kernel_types import KernelTypes
    from beespace.schema.codec import pack
    from beespace.session.running import RunningProgram

    with contextlib.ExitStack() as opened:

        def start(program: type[Program], options: dict[str, object] | None = None, **sections: str) -> Program:
            declaration = program.declaration()
            compiled = compile_program(declaration, vmlinux_btf(), modules=KernelTypes().modules)
            spec = read(compiled.object, program.__name__)
            other = {name: replace(spec.programs[name], section=section) for name, section in sections.items()}
            probe = program(**(options or {}))
            given = {name: pack(declaration.options[name].kind, value) for name, value in probe.options.items()}
            loaded = load(replace(spec, programs={**spec.programs, **other}), variables=given)
            running = RunningProgram(loaded, declaration)
            opened.callback(running.close)
            for name, declared in probe.live_maps():
                declared.attach_backend(running.map(name))
            probe.loaded, probe._running = running.loaded, running
            return probe

        yield start


# -- beespace watch ------------------------------------------------------------------------------------------------


@pytest.fixture
def place() -> Iterator[Place]:
    path = cgroup_root() / f"beespace-cli-{os.getpid()}"
    path.mkdir()
    place = Place(path)
    try:
        yield place
    finally:
        for process in place.processes:
            process.kill()
            process.communicate()
        deadline = time.monotonic() + patience(5)
        while path.exists():
            try:
                path.rmdir()
            except OSError:
                assert time.monotonic() < deadline, "the test's cgroup is not empty"
                time.sleep(0.05)


@pytest.fixture
def watch(place: Place) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts ``beespace watch`` on the test's cgroup, ready when the call returns."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str, ready: bool = True, **more: Any) -> subprocess.Popen[str]:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment(), **more}
        with contextlib.closing(Readiness()) as readiness:
            if ready:
                pipes["env"] = pipes["env"] | readiness.environment
            process = subprocess.Popen([*WATCH, "--cgroup", str(place.path), *options], **pipes)
            started.append(process)
            if ready:
                readiness.wait(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
