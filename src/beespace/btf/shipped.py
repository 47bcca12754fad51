"""``shipped``: a part of one kernel's types that comes with the package, for machines that tell none.

It has what probes usually mention (``tools/kernel_types.py`` says what): tracepoints with their records, security
hooks, iterators, functions of the commonly probed families, contexts and constants of programs, and the common
structs.  What is compiled with it has CO-RE records as always, so it fits any kernel.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from beespace.btf.reader import Btf
from beespace.errors import FormatError

__all__ = ["FILE", "ORIGIN", "shipped"]

FILE = Path(__file__).parent / "shipped.btf.xz"
ORIGIN = "Linux 6.18, x86-64, a part of it"


@cache
def shipped() -> Btf:
    """The types.  :class:`FormatError` where this Python cannot unpack them (it was built without ``lzma``)."""
    try:
        import lzma
    except ImportError:
        raise FormatError(
            "the types that come with beespace cannot be unpacked: this Python has no module lzma",
            help="install Python's lzma module (liblzma), or give a kernel's types: simulate(btf=FILE)",
        ) from None
    return Btf(lzma.decompress(FILE.read_bytes()))
