"""Probes are ordinary typed Python: examples and docs pass mypy and pyright, and a wrong field is their error, too."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from pages import blocks, page

from beespace.btf import Btf
from beespace.cli.main import main
from beespace.compiler.kernel.stubs import COMMON, stubs
from beespace.errors import UsageError
from beespace.lang import contexts, kernel_structs
from beespace.lang.kernel_types import KernelType

ROOT = Path(__file__).parent.parent.parent
SHIPPED = ROOT / "src" / "beespace" / "lang" / "kernel_structs.pyi"
# Kernel-side parameters need no annotation; all else is strict.
MYPY = ("--strict", "--allow-untyped-defs", "--allow-incomplete-defs", "--allow-untyped-calls", "--check-untyped-defs")
# Where the names of an example of docs/language.md come from that it does not import itself.
HOMES = ("beespace.lang", "beespace.types", "beespace.lang.packet", "beespace.lang.verdicts")
GOOD = """
from enum import IntEnum

from beespace import Counter, Event, Hash, Program, Ring, bpf, btf_tracepoint, function, tracepoint, xdp
from beespace.kernel import bpf_attach_type, no_such_type, sock, task_struct
from beespace.lang import KernelStruct, Struct, Union, exists, offsetof, option, sizeof
from beespace.lang.contexts import XdpContext
from beespace.types import Pid, Raw, Text, array, be32, i64, raw, stored, text, u8, u16, u64


class State(IntEnum):
    OPEN = 1


class task_struct___old(KernelStruct, name="task_struct"):
    state: i64
    real_parent: task_struct


class Where(Union):
    v4: be32
    v6: Raw = raw(16)


class Point(Struct):
    x: u16
    state: State = stored(State, u8)


class Key(Struct):
    state: State
    where: Where
    pid: Pid
    name: Text = text(16)
    points: list[Point] = array(Point, 4)
    grid: list[list[u16]] = array(array(u16, 4), 2)


class Seen(Event):
    pid: Pid
    name: Text = text(16)


class Good(Program):
    path: Text = option(text(64), "/usr/", help="where to look")
    ports: list[u16] = option(array(u16, 4), [80, 443, 0, 0])
    state: State = State.OPEN
    verbose: bool = False
    total = Counter()
    keys = Hash(key=Key, value=u64)
    by_state = Hash(key=State, value=u64)
    seen = Ring(Seen)

    @btf_tracepoint("sched_process_exec")
    def on_exec(self, task: task_struct, old_pid: Pid, binary: no_such_type) -> None:
        key = Key(state=State.OPEN, where=Where(v4=1), pid=task.tgid, name=task.comm)
        key.points[1].x = 4
        key.where.v4 = self.ports[0]
        self.keys[key] += 1
        self.by_state[self.state] += 1
        self.total += self.look(task.real_parent)
        self.seen.emit(Seen(pid=task.pid, name=task.group_leader.comm))
        limit = task.signal.rlim[7].rlim_cur
        if exists(task_struct___old, "state") and bpf.cast(task, task_struct___old).state == 0 and limit > 0:
            self.total += u64(bpf_attach_type.BPF_CGROUP_INET_EGRESS) + sizeof(task_struct)
        if task.mm.exe_file is not None:
            self.total += task.mm.exe_file.f_inode.i_ino

    @function
    def look(self, task: task_struct) -> u64:
        return bpf.cast(u64(task), sock).__sk_common.skc_num + offsetof(task_struct, "mm")

    @xdp
    def on_packet(self, ctx: XdpContext) -> int:
        self.total += ctx.ingress_ifindex
        return 2


if __name__ == "__main__":
    with Good(path="/opt/", state=State.OPEN) as probe:
        for event in probe.seen:
            print(event.name.upper(), event.pid + 1, probe.total.value)
        for key, count in probe.keys.items():
            print(key.where.v6.hex(), key.points[0].state.name, count + 1)
"""
# Each mistake, and what both checkers call the place.
BAD = {
    "print(task.real_parnt)": "real_parnt",
    "print(task.mm.exe_file.f_mode)": "f_mode",
    "self.seen.emit(Seen(pid=1, nam='x'))": "nam",
    "print(ctx.ingress_index)": "ingress_index",
    "print(self.totals)": "totals",
}


def _examples(folder: Path) -> list[str]:
    files = []
    for number, block in enumerate(blocks(page("language"), "python")):
        files.append(folder / f"block_{number}.py")
        files[-1].write_text(_imports(block) + block)
    (folder / "good.py").write_text(GOOD)
    return [str(path) for path in [*files, folder / "good.py", *_probes()]]


def _probes() -> list[Path]:
    """The examples, without their tests, which find them by a setting of pytest."""
    return sorted(path for path in (ROOT / "examples").rglob("*.py") if path.parent.name != "tests")


def _imports(block: str) -> str:
    """``from beespace.lang import ...`` of what the example uses."""
    tree = ast.parse(block)
    bound = {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    bound |= {name.name for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom) for name in node.names}
    bound |= {name.id for node in tree.body if isinstance(node, ast.Assign) for name in node.targets
              if isinstance(name, ast.Name)}  # fmt: skip
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - bound
    lines = []
    for home in HOMES:
        module = import_module(home)  # of which some names are imported when they are asked for
        known = {*vars(module), *getattr(module, "__all__", ())}
        names = sorted(used & {name for name in known if not name.startswith("_")})
        used -= set(names)
        lines += [f"from {home} import {', '.join(names)}"] * bool(names)
    return "\n".join([*lines, "", ""])


def _bad(folder: Path) -> Path:
    lines = "\n".join(f"        {line}" for line in BAD)
    file = folder / "bad.py"
    file.write_text(
        f"{GOOD}\n\nclass Bad(Good):\n    def look_at(self, task: task_struct, ctx: XdpContext) -> None:\n{lines}\n"
    )
    return file


def _mypy(folder: Path, *files: str) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("mypy")
    words = [sys.executable, "-m", "mypy", *MYPY, "--follow-imports", "silent", "--config-file", "", "--cache-dir"]
    environment = {**os.environ, "MYPYPATH": str(ROOT / "src")}
    words += [str(folder.parent / "mypy-cache"), *files]
    return subprocess.run(words, capture_output=True, text=True, check=False, env=environment, cwd=folder)


def test_mypy(tmp_path: Path) -> None:
    done = _mypy(tmp_path, *_examples(tmp_path))
    assert done.stdout.startswith("Success: no issues found"), done.stdout + done.stderr


def test_mypy_finds_wrong_names(tmp_path: Path) -> None:
    done = _mypy(tmp_path, str(_bad(tmp_path)))
    errors = [line for line in done.stdout.splitlines() if " error: " in line]
    assert len(errors) == len(BAD), done.stdout
    for name in BAD.values():
        assert any(f'"{name}"' in line for line in errors), (name, done.stdout)


def test_pyright(tmp_path: Path) -> None:
    bin = Path(sys.executable).parent  # of a virtual environment that nobody has activated
    pyright = shutil.which("basedpyright", path=f"{bin}:{os.environ['PATH']}")
    if pyright is None:
        pytest.skip("pyright is not installed: pip install basedpyright")
    options = {"extraPaths": [str(ROOT / "src")], "typeCheckingMode": "standard"}  # pyright's own default
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(options))
    files = [*_examples(tmp_path), str(_bad(tmp_path))]
    done = subprocess.run([pyright, "--outputjson", *files], capture_output=True, text=True, check=False, cwd=tmp_path)
    try:
        found = json.loads(done.stdout)["generalDiagnostics"]
    except (ValueError, KeyError):
        pytest.skip(f"pyright does not start here: {done.stdout}{done.stderr}")
    errors = [each for each in found if each["severity"] == "error"]
    assert {Path(each["file"]).name for each in errors} == {"bad.py"}, errors
    text = "\n".join(each["message"] for each in errors)
    assert all(f'"{name}"' in text for name in BAD.values()), text


# --- the stubs themselves ------------------------------------------------------------------------


def test_shipped_stubs() -> None:
    """Small enough to ship, valid, and of what they say."""
    text = SHIPPED.read_text()
    assert len(text) < 300_000
    classes = {node.name: node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)}
    fields = {
        node.target.id: ast.unparse(node.annotation)
        for node in classes["task_struct"].body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    assert (fields["tgid"], fields["comm"], fields["real_parent"]) == ("int", "_str", "task_struct")
    assert {"sock", "file", "sk_buff", "inode", "mm_struct"} <= set(classes)
    assert len(set(COMMON) - set(classes)) < 5


def test_stubs_of_types(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    types = ROOT / "tests" / "golden" / "kernel.btf"
    text = stubs(Btf(types.read_bytes()), ["task_struct", "socket"], "a test")
    ast.parse(text)
    assert "    real_parent: task_struct\n" in text
    assert "as of a test" in text
    with pytest.raises(UsageError, match="no struct task_strukt"):
        stubs(Btf(types.read_bytes()), ["task_strukt"])
    assert main(["stubs", "--btf", str(types), "--only", "socket", "-o", str(tmp_path)]) == 0
    written = tmp_path / "beespace-stubs" / "lang" / "kernel_structs.pyi"
    assert (tmp_path / "beespace-stubs" / "py.typed").read_text() == "partial\n"
    assert "class socket(_Struct):" in written.read_text()
    assert "class task_struct(" not in written.read_text()
    assert main(["stubs", "--btf", str(types), "--only", "socket"]) == 0
    assert "class socket(_Struct):" in capsys.readouterr().out
    assert main(["stubs", "--btf", str(tmp_path / "none")]) == 2


def test_names_at_run_time() -> None:
    assert kernel_structs.task_struct == KernelType("task_struct")
    assert contexts.XdpContext.struct == "xdp_md"
    assert "ingress_ifindex" in contexts.XdpContext.__annotations__
