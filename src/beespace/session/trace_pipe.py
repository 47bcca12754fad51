"""What programs write with ``print()``: the kernel's trace, read in an instance of our own.

The kernel's trace pipe has one reader at a time, and who reads takes the lines away from others.  An instance
of tracefs gets a copy: the event ``bpf_trace:bpf_trace_printk`` (Linux 5.9) of every program on the machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Self

from beespace.isa import InsnClass, decode
from beespace.isa.opcodes import CALL_HELPER, JumpOp
from beespace.spec import ObjectSpec
from beespace.syscall import mounts

__all__ = ["TracePipe", "prints"]

_PRINTING = (6, 177)  # bpf_trace_printk(), bpf_trace_vprintk()
_EVENT = "events/bpf_trace/bpf_trace_printk/enable"
_MARK = "bpf_trace_printk: "


def prints(spec: ObjectSpec) -> bool:
    """Whether any program of ``spec`` may write to the trace."""
    functions = (*(program.entry for program in spec.programs.values()), *spec.subprograms.values())
    return any(
        insn.insn_class is InsnClass.JMP
        and insn.operation == JumpOp.CALL
        and insn.src == CALL_HELPER
        and insn.imm in _PRINTING
        for function in functions
        for insn in decode(function.code)
    )


class TracePipe:
    """Lines that programs print, from now on.  A context manager; root, or whoever may write to tracefs."""

    def __init__(self) -> None:
        self._name = f"instances/beespace-{os.getpid()}"
        self._rest = ""
        with ExitStack() as undo:
            root = undo.enter_context(mounts.tracefs()).fileno()
            os.mkdir(self._name, 0o700, dir_fd=root)
            undo.callback(os.rmdir, self._name, dir_fd=root)
            self._write(root, _EVENT, b"1")
            undo.callback(self._write, root, _EVENT, b"0")
            self._pipe = undo.enter_context(
                mounts.open_at(root, f"{self._name}/trace_pipe", os.O_RDONLY | os.O_NONBLOCK)
            )
            self._undo = undo.pop_all()

    def _write(self, root: int, path: str, data: bytes) -> None:
        with mounts.open_at(root, f"{self._name}/{path}", os.O_WRONLY) as file:
            os.write(file.fileno(), data)

    def fileno(self) -> int:
        """Becomes readable when lines are there."""
        return self._pipe.fileno()

    def available(self) -> Iterator[str]:
        """The lines that are there now, without what the kernel writes before them; does not wait."""
        while True:
            try:
                data = os.read(self._pipe.fileno(), 1 << 16)
            except BlockingIOError:
                return
            if not data:
                return
            *lines, self._rest = (self._rest + data.decode(errors="replace")).split("\n")
            yield from (line.partition(_MARK)[2] for line in lines if _MARK in line)

    def close(self) -> None:
        """Stop, and take the instance away.  Calling it again does nothing."""
        self._undo.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
