"""``beespace build``: a probe as an object file that any loader takes, and what it became on the way there."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from beespace.errors import UsageError
from beespace.session.files import program_of

if TYPE_CHECKING:
    from beespace.compiler import Compiled

_SUFFIX = {"obj": ".bpf.o", "ir": ".ir", "llvm": ".ll", "asm": ".s"}


def run(options: argparse.Namespace) -> int:
    """Compile and write; prints what was written.  Text goes to standard output unless ``-o`` names a file."""
    program = program_of(options.file, options.program)
    if options.emit == "obj" and not options.report:
        target = options.output or options.file.with_suffix(_SUFFIX["obj"])
        try:
            program.build(target)
        except OSError as error:
            raise UsageError(f"cannot write {target}: {error.strerror}") from error
        print(f"{target}: {target.stat().st_size} bytes, {len(program.declaration().functions)} functions")
        return 0
    from beespace.compiler import compile_program
    from beespace.compiler.build_report import report_of
    from beespace.kernel import vmlinux_btf
    from beespace.kernel.kernel_types import KernelTypes

    compiled = compile_program(program.declaration(), vmlinux_btf, modules=KernelTypes().modules)
    if options.emit == "obj" and (options.output or options.report is None):
        _write(options.output or options.file.with_suffix(_SUFFIX["obj"]), compiled.object)
    elif options.emit != "obj":
        text = _emitted(options.emit, compiled)
        if options.output is not None:
            _write(options.output, text.encode())
        else:
            sys.stdout.write(text)
    if options.report == "json":
        print(json.dumps(report_of(compiled).as_json(), indent=2))
    elif options.report:
        sys.stdout.write(report_of(compiled).as_text())
    return 0


def _emitted(what: str, compiled: Compiled) -> str:
    from beespace.compiler.ir.printer import module_text
    from beespace.compiler.listing import assembly
    from beespace.elf import read

    if what == "ir":
        return module_text(compiled.module)
    if what == "llvm":
        return compiled.llvm
    return assembly(read(compiled.object, compiled.module.name))


def _write(target: Path, data: bytes) -> None:
    try:
        target.write_bytes(data)
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}") from error
