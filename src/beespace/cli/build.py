"""``beespace build``: a probe as an object file that any loader takes."""

from __future__ import annotations

import argparse

from beespace.errors import UsageError
from beespace.session.files import program_of


def run(options: argparse.Namespace) -> int:
    """Compile and write; prints what was written."""
    program = program_of(options.file, options.program)
    target = options.output or options.file.with_suffix(".bpf.o")
    try:
        program.build(target)
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}") from error
    print(f"{target}: {target.stat().st_size} bytes, {len(program.declaration().functions)} functions")
    return 0
