"""What the tests on this kernel share: a leak check, a cgroup of their own, small objects from C."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from beespace.elf import read
from beespace.errors import KernelError, NotSupported
from beespace.kernel import vmlinux_btf
from beespace.lang import Program
from beespace.spec import ObjectSpec
from beespace.syscall import bpf, mounts

TARGET = {"x86_64": "x86", "aarch64": "arm64"}[platform.machine()]
CFLAGS = [
    "-target", "bpf", "-O2", "-g", "-Wall", "-Werror", f"-D__TARGET_ARCH_{TARGET}", "-I/usr/include/x86_64-linux-gnu",
]  # fmt: skip


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

    The kernel matrix (tests/vm) fails it where the kernel is new enough.
    """
    try:
        yield
    except NotSupported as error:
        if error.since is None:
            raise
        pytest.skip(error.message)


def descriptors() -> set[tuple[str, str]]:
    """The open descriptors of this process and what they refer to."""
    found: set[tuple[str, str]] = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found.add((entry.name, str(entry.readlink())))
        except FileNotFoundError:
            continue  # the descriptor of the listing itself
    return found


@pytest.fixture
def no_leaks() -> Iterator[None]:
    """Fails a test that leaves descriptors open (and with them maps, programs, links)."""
    vmlinux_btf()  # stays mapped until the process ends
    before = descriptors()
    yield
    gc.collect()
    assert descriptors() - before == set()


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
        deadline = time.monotonic() + 10
        while any(in_kernel(name) for name in names):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    return wait


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """A cgroup (v2) made for this test, as a path that works while the test runs."""
    with mounts.cgroup2_root() as root:
        path = Path(f"/proc/self/fd/{root.fileno()}/beespace-test-{os.getpid()}")
        path.mkdir()
        try:
            yield path
        finally:
            path.rmdir()


@pytest.fixture
def compile_c(tmp_path: Path) -> Callable[[str], ObjectSpec]:
    """Compiles C with clang for BPF and reads the object."""

    def compile_text(source: str, *flags: str) -> ObjectSpec:
        return read(_compiled(source, [*CFLAGS, *flags], tmp_path), "probe")

    return compile_text


@pytest.fixture
def object_file(tmp_path: Path) -> Callable[[str], Path]:
    """The same, as a file ``probe.bpf.o``."""

    def compile_text(source: str, *flags: str) -> Path:
        file = tmp_path / "probe.bpf.o"
        file.write_bytes(_compiled(source, [*CFLAGS, *flags], tmp_path))
        return file

    return compile_text


def _compiled(source: str, flags: list[str], folder: Path) -> bytes:
    """The object, from ``$BEESPACE_OBJECT_CACHE`` if it has it: clang is slow in the guests of the kernel matrix.

    The source is kept beside it, so that the matrix can compile it for a guest that has no clang.
    """
    name = hashlib.sha256("\0".join([*flags, source]).encode()).hexdigest()[:32]
    cache = Path(os.environ.get("BEESPACE_OBJECT_CACHE", folder))
    kept = cache / f"{name}.bpf.o"
    if not kept.exists():
        if shutil.which("clang") is None:
            pytest.skip("clang is not installed, and no object of this source was kept")
        (folder / "probe.c").write_text(source)
        done = subprocess.run(
            ["clang", *flags, "-c", "probe.c", "-o", "probe.bpf.o"],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        (cache / f"{name}.json").write_text(json.dumps({"flags": flags, "source": source}))
        unfinished = cache / f".{name}.{os.uname().nodename}.{os.getpid()}"
        shutil.move(folder / "probe.bpf.o", unfinished)
        unfinished.rename(kept)  # whoever looks at the same time sees all of it or nothing
    return kept.read_bytes()


@pytest.fixture
def loaded_probe(no_leaks: None) -> Iterator[Callable[[type[Program]], Program]]:
    """Compiles and loads a program class without attaching it: its maps can be read, its programs run by hand.

    ``probe.loaded`` is the loaded object; everything is closed when the test ends.
    """
    from beespace.compiler import compile_program
    from beespace.kernel import load
    from beespace.session.running import RunningProgram

    with contextlib.ExitStack() as opened:

        def start(program: type[Program]) -> Program:
            declaration = program.declaration()
            compiled = compile_program(declaration, vmlinux_btf())
            running = RunningProgram(load(read(compiled.object, program.__name__)), declaration)
            opened.callback(running.close)
            probe = program()
            for name, declared in probe.live_maps():
                declared.attach_backend(running.map(name))
            probe.loaded = running.loaded
            return probe

        yield start
