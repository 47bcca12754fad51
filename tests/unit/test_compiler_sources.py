"""Where source text comes from: files, notebook cells, the interactive Python, executed text, closures, mixins."""

from __future__ import annotations

import dataclasses
import importlib.util
import linecache
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from beespace.btf import Btf
from beespace.compiler import ir, lower
from beespace.compiler.ir.walk import walk
from beespace.errors import CompileError
from beespace.lang import Counter, Program, function, raw_tracepoint
from beespace.types import u32

TEXT = """\
from beespace.lang import Counter, Program, raw_tracepoint

STEP = 5

class Probe(Program):
    total = Counter()

    @raw_tracepoint("sched_process_exit")
    def on_exit(self, task):
        self.total += STEP
"""
WRONG = TEXT.replace("+= STEP", "+= self.missing")


@pytest.fixture(scope="module")
def btf() -> Btf:
    return Btf((Path(__file__).parent.parent / "golden" / "kernel.btf").read_bytes())


def added(program: type[Program], btf: Btf) -> set[int]:
    """The constants that its programs add."""
    module = lower(program.declaration(), btf)
    nodes = (node for each in module.functions for node in walk(each.body))
    return {node.value.value for node in nodes if isinstance(node, ir.AtomicAdd) and isinstance(node.value, ir.Const)}


def imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[path.stem]
    return module


def executed(text: str, name: str, remember: bool = True) -> type[Program]:
    if remember:
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    scope: dict[str, object] = {"__name__": "__main__"}
    exec(compile(text, name, "exec", dont_inherit=True), scope)
    found = scope["Probe"]
    assert isinstance(found, type) and issubclass(found, Program)
    return found


def test_a_file(tmp_path: Path, btf: Btf) -> None:
    path = tmp_path / "from_a_file.py"
    path.write_text(TEXT)
    assert added(imported(path).Probe, btf) == {5}


def test_a_file_that_changed_since(tmp_path: Path, btf: Btf) -> None:
    """The lines of the function that runs are gone: that is said, nothing else is compiled."""
    path = tmp_path / "that_changed.py"
    path.write_text(TEXT)
    program = imported(path).Probe
    path.write_text("# another first line\n" + TEXT.replace("STEP = 5", "STEP = 55555"))
    with pytest.raises(CompileError, match="source text"):
        lower(program.declaration(), btf)


@pytest.mark.parametrize("name", ["<ipython-input-3-0a1b2c3d>", "/tmp/ipykernel_4711/1234567.py", "<python-input-0>"])
def test_notebook_cells_and_the_interactive_python(name: str, btf: Btf) -> None:
    assert added(executed(TEXT, name), btf) == {5}


def test_mistakes_in_a_cell_are_shown_in_it(btf: Btf) -> None:
    program = executed(WRONG, "<ipython-input-4-0a1b2c3d>")
    with pytest.raises(CompileError) as caught:
        lower(program.declaration(), btf)
    shown = str(caught.value).splitlines()
    assert shown[0].startswith("<ipython-input-4-0a1b2c3d>:10:23: error: ")
    assert "self.total += self.missing" in shown[1] and "^" in shown[2]


def test_cells_with_magic_commands(btf: Btf) -> None:
    """What IPython runs is the cell without them, and that is what it keeps."""
    cell = TEXT.replace("STEP = 5", "get_ipython = None; STEP = 5")
    assert added(executed(cell, "<ipython-input-5-0a1b2c3d>"), btf) == {5}


def test_executed_text_without_an_entry(btf: Btf) -> None:
    program = executed(TEXT, "<nowhere>", remember=False)
    with pytest.raises(CompileError, match=r"text given to exec\(\) needs an entry in linecache"):
        lower(program.declaration(), btf)


def test_typed_into_a_python_that_keeps_nothing(btf: Btf) -> None:
    """``python < file`` and ``python -i`` before 3.13."""
    program = executed(TEXT, "<stdin>", remember=False)
    with pytest.raises(CompileError, match=r"Python 3\.13 and IPython keep what is typed"):
        lower(program.declaration(), btf)


def test_a_real_interactive_python(btf: Btf) -> None:
    # There an empty line ends a class.
    script = TEXT.replace("total = Counter()\n\n", "total = Counter()\n") + "\n"
    types = Path(__file__).parent.parent / "golden" / "kernel.btf"
    script += (
        "from beespace.btf import Btf\nfrom beespace.compiler import lower\nfrom pathlib import Path\n"
        f"types = Btf(Path({str(types)!r}).read_bytes())\n"
        "try: print('made', len(lower(Probe.declaration(), types).functions))\n"
        "except Exception as error: print('refused', error)\n\n"
    )
    done = subprocess.run([sys.executable, "-i", "-q"], input=script, capture_output=True, text=True, timeout=60)
    if sys.version_info >= (3, 13) and "made 1" in done.stdout:
        return
    assert "refused <stdin>: error: the source text of Probe.on_exit() is not there" in done.stdout, done.stdout


def make(step: int) -> type[Program]:
    """A class made in a function: what it captures is a constant of it."""

    class Made(Program):
        total = Counter()

        @raw_tracepoint("sched_process_exit")
        def on_exit(self, task):  # type: ignore[no-untyped-def]
            self.total += step

    return Made


def test_closures(btf: Btf) -> None:
    assert added(make(3), btf) == {3}
    assert added(make(4), btf) == {4}


class Counting(Program):
    total = Counter()
    least: u32 = 7

    @function
    def count(self, by: u32):  # type: ignore[no-untyped-def]
        if by > self.least:
            self.total += 11


class Exits:
    """No Program itself: methods for programs."""

    @raw_tracepoint("sched_process_exit")
    def on_exit(self, task):  # type: ignore[no-untyped-def]
        self.count(9)  # type: ignore[attr-defined]


class Both(Exits, Counting):
    pass


class Changed(Both):
    least: u32 = 8

    @raw_tracepoint("sched_process_exit")
    def on_exit(self, task):  # type: ignore[no-untyped-def]
        self.total += 12


def test_inheritance_and_mixins(btf: Btf) -> None:
    assert added(Both, btf) == {11}
    assert Changed.declaration().options["least"].default == 8


def test_methods_can_be_replaced(btf: Btf) -> None:
    class Replaced(Counting):
        @raw_tracepoint("sched_process_exit")
        def on_exit(self, task):  # type: ignore[no-untyped-def]
            self.count(1)

        @function
        def count(self, by: u32):  # type: ignore[no-untyped-def]
            self.total += 13

    assert added(Replaced, btf) == {13}


def registered(found: list[type[Program]]) -> Callable[[type[Program]], type[Program]]:
    def wrap(cls: type[Program]) -> type[Program]:
        found.append(cls)
        return cls

    return wrap


def rebuilt(cls: type[Program]) -> type[Program]:
    """As dataclass(slots=True) does: another class of the same parts."""
    parts = {name: value for name, value in vars(cls).items() if name not in ("__dict__", "__weakref__")}
    return type(cls)(cls.__name__, cls.__bases__, parts)  # type: ignore[return-value]


def test_class_decorators(btf: Btf) -> None:
    found: list[type[Program]] = []

    @registered(found)
    @rebuilt
    @dataclasses.dataclass
    class Decorated(Program):
        total = Counter()

        @raw_tracepoint("sched_process_exit")
        def on_exit(self, task):  # type: ignore[no-untyped-def]
            self.total += 14

    assert found == [Decorated]
    assert added(Decorated, btf) == {14}
