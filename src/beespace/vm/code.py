"""``Code``: the instructions of one program with everything that it calls, and the lines they came from."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from beespace.errors import SourceLine
from beespace.isa.insn import ByteOrder, Insn, decode
from beespace.record import dataclass
from beespace.reloc.image import Image

__all__ = ["Code"]


@dataclass(frozen=True, slots=True)
class Code:
    """Instructions, entered at the first; sub-programs stand behind it and are called by distance.

    A 64-bit immediate load of a map names it by the number that :meth:`Machine.add_map` gave, where the kernel
    has a file descriptor.
    """

    name: str
    insns: tuple[Insn, ...]
    lines: Sequence[SourceLine] = ()
    exception: int | None = None  # the function that bpf_throw() calls, where it does not just end the program

    @classmethod
    def of(
        cls,
        code: bytes,
        *,
        name: str = "program",
        byteorder: ByteOrder = "little",
        lines: Sequence[SourceLine] = (),
        exception: int | None = None,
    ) -> Code:
        """From bytes.  ``FormatError`` if they are no multiple of eight."""
        return cls(name, tuple(decode(code, byteorder)), lines, exception)

    @classmethod
    def of_image(cls, image: Image) -> Code:
        """From a program whose symbols are all filled in."""
        return cls.of(image.code, name=image.name, lines=image.lines)

    def source(self, index: int) -> str | None:
        """``file:line: text`` of instruction ``index``, if it is known."""
        position = bisect_right(self.lines, index, key=lambda line: line.index) - 1
        if position < 0:
            return None
        line = self.lines[position]
        return f"{line.file}:{line.line}: {line.text.strip()}"
