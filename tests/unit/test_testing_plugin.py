"""The pytest plugin: fixtures, places, reports of failing tests, files with probes; `beespace test` and its status."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from beespace.cli.main import main
from beespace.cli.test import plugin_name

SOURCE = str(Path(__file__).parents[2] / "src")
PROBE = '''
from beespace import Counter, Hash, Program, bpf, xdp
from beespace.types import u8, u64


class Protocols(Program):
    """Counts packets."""

    shortest: u64 = 60
    short = Counter()
    lengths = Hash(key=u8, value=u64)

    @xdp
    def on_packet(self, ctx):
        if bpf.packet_length(ctx) < self.shortest:
            self.short += 1
            print("short")
            return 1
        self.lengths[1] += bpf.packet_length(ctx)
        return 2
'''


def run(
    folder: Path, *arguments: str, tests: str = "", without_rights: bool = False
) -> subprocess.CompletedProcess[str]:
    """`beespace test` in a folder with a probe and tests of it, without this kernel's types."""
    (folder / "protocols.py").write_text(PROBE)
    if tests:
        (folder / "test_protocols.py").write_text("import pytest\nfrom protocols import Protocols\n" + tests)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    powerless = ["setpriv", "--bounding-set=-all"] if without_rights and os.geteuid() == 0 else []
    return subprocess.run(
        [*powerless, sys.executable, "-m", "beespace", "test", "-p", "no:cacheprovider", *arguments],
        cwd=folder, capture_output=True, text=True, check=False,
        env=environment | {
            "PYTHONPATH": SOURCE, "BEESPACE_BTF": "shipped", "XDG_CACHE_HOME": str(folder / "cache"), "COLUMNS": "150",
        },
    )  # fmt: skip


def test_a_test_in_the_machine(tmp_path: Path) -> None:
    done = run(tmp_path, "test_protocols.py", tests='''
def test_counts(vm):
    probe = vm(Protocols(shortest=40), cpu=1)
    assert probe.test_run("on_packet", bytes(64)).retval == 2
    assert probe.test_run("on_packet", bytes(20)).retval == 1
    assert probe.short.value == 1
    assert vm.printed == ["short"]
    assert vm.machines[0].inputs.cpu == 1
    vm.change(cpu=2)
    vm.advance(5)
    assert (vm.machines[0].inputs.cpu, len(vm.machines)) == (2, 1)

def test_a_class_will_do(vm):
    with pytest.raises(Exception, match="has no input 'colour'"):
        vm(Protocols, colour=1)
    assert vm(Protocols).test_run("on_packet", bytes(64)).retval == 2
''')  # fmt: skip
    assert (done.returncode, "2 passed" in done.stdout) == (0, True), done.stdout + done.stderr


def test_a_failing_test_shows_maps_and_lines(tmp_path: Path) -> None:
    done = run(tmp_path, "test_protocols.py", tests='''
def test_counts(vm):
    probe = vm(Protocols)
    probe.test_run("on_packet", bytes(64))
    assert probe.test_run("on_packet", bytes(20)).retval == 2
''')  # fmt: skip
    assert done.returncode == 1
    for line in ("maps of Protocols", "short: 1", "lengths: 1 entries", "  1: 64", "printed by Protocols", "\nshort\n"):
        assert line in done.stdout, done.stdout


def test_a_fault_shows_line_and_registers(tmp_path: Path) -> None:
    done = run(tmp_path, "test_faults.py", tests='''
def test_nothing(vm):
    pass
''')  # fmt: skip
    (tmp_path / "test_faults.py").write_text('''
from beespace import Hash, Program, btf_tracepoint
from beespace.types import u32


class Exits(Program):
    parents = Hash(key=u32, value=u32)

    @btf_tracepoint("sched_process_exit")
    def on_exit(self, task):
        number = u32(task.tgid)
        self.parents[number] = u32(task.real_parent.tgid)


def test_exits(vm):
    vm(Exits).test_run("on_exit", context=[{"tgid": 7}])
''')  # fmt: skip
    done = run(tmp_path, "test_faults.py")
    assert done.returncode == 1
    for line in ("fault on the kernel side", ">   12          self.parents[number] = u32(task.real_parent.tgid)",
                 "instruction ", "r10 = 0x", "where there is nothing"):  # fmt: skip
        assert line in done.stdout, done.stdout
    assert "simulated.py" not in done.stdout  # our own frames say nothing to the reader


def test_places(tmp_path: Path) -> None:
    tests = """
@pytest.mark.kernels("vm")
def test_here(run):
    assert run(Protocols).test_run("on_packet", bytes(64)).retval == 2

def test_everywhere(run):
    assert run(Protocols).test_run("on_packet", bytes(64)).retval == 2
"""
    done = run(tmp_path, "test_protocols.py", "-v", tests=tests)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_here[vm] PASSED" in done.stdout and "test_everywhere[vm] PASSED" in done.stdout
    assert "test_everywhere[here]" in done.stdout
    done = run(tmp_path, "--on", "vm", "test_protocols.py", "-v")
    assert "2 passed" in done.stdout and "[here]" not in done.stdout
    done = run(tmp_path, "--on", "moon", "test_protocols.py")
    assert done.returncode == 2 and "there is no place 'moon'" in done.stderr


def test_a_place_that_a_marker_names_and_that_there_is_not(tmp_path: Path) -> None:
    done = run(tmp_path, "test_protocols.py", tests='''
@pytest.mark.kernels("2.4")
def test_here(run):
    pass
''')  # fmt: skip
    assert done.returncode == 1 and "there is no place '2.4'" in done.stdout + done.stderr


def test_what_is_not_permitted_is_skipped_with_the_reason_and_has_a_status(tmp_path: Path) -> None:
    tests = "def test_here(kernel):\n    kernel(Protocols)\n"
    done = run(tmp_path, "-rs", "test_protocols.py", tests=tests, without_rights=True)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "not permitted" in done.stdout and "nothing could be tested here: not permitted" in done.stderr


def test_a_file_with_probes_is_a_test(tmp_path: Path) -> None:
    done = run(tmp_path, "protocols.py", "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "protocols.py::Protocols::compiles PASSED" in done.stdout
    assert "protocols.py::Protocols::on_packet PASSED" in done.stdout
    wrong = PROBE.replace("return 2", "return ctx.colour")
    (tmp_path / "wrong.py").write_text(wrong)
    done = run(tmp_path, "wrong.py")
    assert done.returncode == 1
    assert "wrong.py:20:" in done.stdout and "has no field colour" in done.stdout, done.stdout


def test_a_folder_has_tests_and_probes(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    (tmp_path / "notes.py").write_text("raise RuntimeError('nobody imports this')\n")
    done = run(tmp_path, ".", tests="def test_one(vm):\n    vm(Protocols)\n")
    assert "3 passed" in done.stdout, done.stdout


def test_nothing_to_test(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert run(tmp_path, "empty").returncode == 2
    assert run(tmp_path, "missing.py").returncode == 2


def test_without_pytest(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("beespace.cli.test.find_spec", lambda name: None)
    assert main(["test"]) == 3
    assert "pip install 'beespace[test]'" in capsys.readouterr().err


def test_other_projects_tests_run_as_without_it(tmp_path: Path) -> None:
    """Names of fixtures that a project has itself are its own, and nothing of beespace is loaded."""
    (tmp_path / "conftest.py").write_text('''
import pytest

def pytest_addoption(parser):
    parser.addoption("--on")
    parser.addoption("--kernels")
    parser.addoption("--snapshot-it")

@pytest.fixture
def run():
    return 1

@pytest.fixture(params=[1, 2])
def kernel(request):
    return request.param
''')  # fmt: skip
    (tmp_path / "test_own.py").write_text('''
import sys

def test_own(run, kernel):
    assert run == 1 and kernel in (1, 2)
    assert [name for name in sys.modules if name.startswith("beespace.lang")] == []
''')  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", plugin_name(), "-p", "no:cacheprovider", "-q"],
        cwd=tmp_path, capture_output=True, text=True, check=False, env=environment | {"PYTHONPATH": SOURCE},
    )  # fmt: skip
    assert "2 passed" in done.stdout, done.stdout + done.stderr
