"""``beespace vm-plugin``: the plugin protocol of bpf_conformance (its README, "bpf_conformance_runner plugins")."""

from __future__ import annotations

import argparse
import sys

from beespace.elf import read
from beespace.errors import FormatError, UsageError
from beespace.reloc.image import assemble
from beespace.vm import Code, Machine, Rights
from beespace.vm.jit import Native


def run(options: argparse.Namespace) -> int:
    """Prints r0; what goes wrong is an error, which :mod:`beespace.cli.main` prints."""
    program = _bytes(options.program if options.program is not None else sys.stdin.read(), "the program")
    machine = Machine(max_steps=options.max_steps, jit=_native() if options.jit else None)
    memory = bytearray(_bytes(options.memory, "the memory"))
    address = machine.memory.add("the memory", memory, Rights.BOTH).base if memory else 0
    code = _of_object(program) if options.elf else Code.of(program)
    print(f"{machine.run(code, address, len(memory)).result:#x}")
    return 0


def _native() -> Native:
    from beespace.session.native import native  # the compiler takes longer to import than the machine

    return native()


def _bytes(text: str, what: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise UsageError(f"{what} is not hexadecimal") from None


def _of_object(data: bytes) -> Code:
    """The first program of an object file, or else its first function."""
    spec = read(data, "program")
    functions = [program.entry for program in spec.programs.values()] or list(spec.subprograms.values())
    if not functions:
        raise FormatError("the object file has no program")
    image = assemble(spec, functions[0])
    if image.symbols:
        raise FormatError(f"the program needs {image.symbols[0].symbol!r}, and there is nothing to take it from")
    return Code.of_image(image)
