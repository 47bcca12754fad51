"""``beespace stubs``: classes of kernel structs, for type checkers and editors.

The package ships those of the common structs of one kernel.  This writes them for any other, with any structs, as a
partial stub package (PEP 561) that replaces the shipped ones.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from beespace.btf import Btf
from beespace.compiler.kernel.stubs import COMMON, stubs
from beespace.errors import UsageError
from beespace.kernel import vmlinux_btf

PACKAGE = "beespace-stubs"


def run(options: argparse.Namespace) -> int:
    """Write the package into ``--output``, or the stubs alone to standard output."""
    btf, origin = _types(options.btf)
    common = [] if options.only else [name for name in COMMON if btf.find_all(name)]
    text = stubs(btf, [*common, *options.types], origin)
    if options.output is None:
        print(text, end="")
        return 0
    target = options.output / PACKAGE / "lang" / "kernel_structs.pyi"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        (options.output / PACKAGE / "py.typed").write_text("partial\n")
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}") from error
    print(f"{target}: {text.count(chr(10) + 'class ')} structs, {len(text)} bytes")
    return 0


def _types(file: Path | None) -> tuple[Btf, str]:
    """The kernel's types, and how to call that kernel."""
    if file is None:
        return vmlinux_btf(), f"Linux {os.uname().release}"
    try:
        return Btf(file.read_bytes()), file.name
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
