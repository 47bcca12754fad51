"""LLVM in a process of its own: modules of IR in, objects out.

Invariant: whatever LLVM does (report, exit, abort, fault), the caller gets an object or an exception.

:func:`compile_module` starts a process for one module.  Who compiles many keeps a :class:`Worker`, whose
process stays warm; starting it early lets LLVM load while the front half still reads Python.
"""

from __future__ import annotations

import contextlib
import json
import re
import signal
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from beespace.compiler import ir, passes
from beespace.compiler.back_edges import without_falling_back
from beespace.compiler.ir.verify import verify
from beespace.compiler.ir.walk import walk
from beespace.compiler.llvm.cache import from_environment
from beespace.compiler.llvm.emit import emit
from beespace.compiler.llvm.process import Process, start
from beespace.compiler.stack import BUDGETS, KERNEL_STACK, Spill, depth_of, spill
from beespace.elf import read, write
from beespace.errors import BeespaceError, InternalError
from beespace.record import dataclass, replace
from beespace.spec import ObjectSpec

__all__ = ["Build", "StackOverflow", "Worker", "compile_module"]

CPU = "v3"  # instruction set level; Linux 5.10 runs all of it
_STACK_WORDS = re.compile(r"in function (\w+) .*BPF stack limit")


@dataclass(frozen=True, slots=True)
class Build:
    """An object, and what the compiler had to do to make it.

    ``object`` is what a loader reads, without the DWARF that LLVM makes BTF from.
    ``stack`` is the deepest chain of frames of each program in bytes; ``spills`` are the slots that did not fit.
    ``module`` is the IR after its passes, ``text`` the LLVM assembly that was made of it.
    """

    object: bytes
    stack: dict[str, int]
    spills: tuple[Spill, ...]
    module: ir.Module
    text: str


class _Died(Exception):
    """The process has ended; the argument is what LLVM said."""


class Worker:
    """A process that runs LLVM.  A context manager; not to be shared between threads."""

    def __init__(self, cpu: str = CPU, process: Process | None = None) -> None:
        self._cpu = cpu
        self._cache = from_environment()
        self._process = process or start()

    @property
    def pid(self) -> int | None:
        """The process, while there is one; what it uses is the compiler's, too."""
        return None if self._process is None else self._process.pid

    def build(self, module: ir.Module) -> Build:
        """Verify, translate and compile ``module``.

        Raises BeespaceError if llvmlite is not installed, StackOverflow for what does not fit the stack although
        everything that can be elsewhere is, InternalError for whatever else goes wrong: the front half refuses
        every other program that cannot be compiled.
        """
        verify(module)
        overflow = None
        for fitted, spills in _fitted(module):
            text = emit(fitted)
            try:
                code = self.compile(text, module.name)
            except StackOverflow as error:
                overflow = error
                continue
            spec = read(code, module.name)
            needed = depth_of(spec)
            if max(needed.values(), default=0) <= KERNEL_STACK:
                return Build(write(_fit_for_old_kernels(spec)), needed, spills, fitted, text)
            deepest = max(needed, key=lambda name: needed[name])
            what = f"{deepest!r} of module {module.name!r} needs {needed[deepest]} bytes of stack"
            overflow = StackOverflow(what, deepest, needed[deepest])
        assert overflow is not None
        raise overflow

    def compile(self, text: str, name: str) -> bytes:
        """LLVM assembly to an object; ``name`` is for messages."""
        if self._cache is not None and (found := self._cache.load(text, self._cpu)) is not None:
            return found
        if self._process is None:
            self._process = Process()
        data = text.encode()
        try:
            answer, code = self._ask(json.dumps({"cpu": self._cpu, "size": len(data)}).encode() + b"\n" + data)
        except _Died as death:
            raise _explain(name, str(death)) from None
        if "missing" in answer:
            self.close()
            raise BeespaceError(
                f"compiling {name!r} takes llvmlite, which cannot be imported ({answer['missing']})",
                help="pip install 'beespace[compile]'",
            )
        if "error" in answer:
            raise _explain(name, answer["error"])
        if self._cache is not None:
            self._cache.store(text, self._cpu, code)
            self.close()  # the next one is likely to be found
        return code

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None and self._process is not None:
            self._process.kill()
        self.close()

    def _ask(self, request: bytes) -> tuple[dict[str, Any], bytes]:
        assert self._process is not None
        process, errors = self._process.child, self._process.errors
        assert process.stdin is not None and process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it has already answered, or died: reading tells
            process.stdin.write(request)
            process.stdin.flush()
        line = process.stdout.readline()
        if line.endswith(b"\n"):
            answer: dict[str, Any] = json.loads(line)
            body = process.stdout.read(answer["size"])
            if len(body) == answer["size"]:
                return answer, body
        status = process.wait()
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip()
        self.close()
        raise _Died(said or (signal.strsignal(-status) if status < 0 else None) or f"exit status {status}")


def _fit_for_old_kernels(spec: ObjectSpec) -> ObjectSpec:
    programs = {n: replace(p, entry=without_falling_back(p.entry)) for n, p in spec.programs.items()}
    subprograms = {n: without_falling_back(f) for n, f in spec.subprograms.items()}
    return replace(spec, programs=programs, subprograms=subprograms)


def _fitted(module: ir.Module) -> Iterator[tuple[ir.Module, tuple[Spill, ...]]]:
    """The module after its passes, with less and less on the stack, and what is not there."""
    ways = [passes.PASSES]
    if any(isinstance(node, ir.Each) for function in module.functions for node in walk(function.body)):
        ways.append(passes.PASSES_FOR_LITTLE_STACK)
    for way in ways:
        made = passes.run(module, way)
        for budget in BUDGETS:
            fitted, spills = spill(made, budget)
            if spills:
                verify(fitted)
            yield fitted, spills


class StackOverflow(InternalError):
    """The frames of ``function`` and of what it calls are larger than the stack: ``needed`` bytes, if known."""

    def __init__(self, message: str, function: str, needed: int | None = None) -> None:
        super().__init__(message)
        self.function = function
        self.needed = needed


def _explain(name: str, said: str) -> InternalError:
    message = f"LLVM does not take the code for module {name!r}:\n{said}"
    function = _STACK_WORDS.search(said)
    return InternalError(message) if function is None else StackOverflow(message, function[1])


def compile_module(module: ir.Module, *, cpu: str = CPU) -> bytes:
    """The ELF object of ``module``: :meth:`Worker.build` in a process for this one module."""
    with Worker(cpu) as worker:
        return worker.build(module).object
