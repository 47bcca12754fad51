"""Where C puts members, and what makes it put them where BTF has them: nameless bit-fields, ``packed``."""

from __future__ import annotations

from beespace.btf.reader import Btf
from beespace.btf.types import Struct

__all__ = ["is_packed", "padding"]

_PADS = (("int", 32), ("short", 16), ("char", 8))


def is_packed(btf: Btf, struct: Struct) -> bool:
    """Whether the members lie otherwise than C would put them; BTF does not record ``packed`` itself."""
    widest = 1
    for member in struct.members:
        try:
            align = btf.align(member.type)
        except TypeError:
            continue
        if align and not member.bitfield_size and member.bit_offset % (8 * align):
            return True
        widest = max(widest, align)
    return struct.size % widest != 0


def padding(at: int, to: int, align: int, in_bits: bool, long: int) -> list[str]:
    """Members without a name that fill the gap from bit ``at`` to bit ``to``, where a member of ``align`` bytes begins.

    ``in_bits``: a bit-field ends and another begins there.  ``long`` is the width of ``long`` in bits.  What the
    compiler leaves free of its own accord is not written: ``type: 0`` moves on to the next ``type``, ``type: n`` takes
    ``n`` bits.
    """
    if at >= to:
        return []
    pads = (("long", long), *_PADS)
    # The widest type on whose boundary there is something of the gap left.
    name, bits = next(((n, b) for n, b in pads if -(-at // b) * b <= to), pads[-1])
    start = -(-at // bits) * bits
    lines: list[str] = []
    if at < start <= to:
        natural = -(-at // (8 * align)) * 8 * align if align else at
        if in_bits or (start == to and natural != start) or (start != to and to - start <= start - at):
            lines.append(f"{name}: {start - at if in_bits else 0};")
        at = start
    while to - at >= bits:
        lines.append(f"{name}: {bits};")
        at += bits
    if at != to:  # the smallest type that has room for the rest
        rest = to - at
        lines.append(f"{next(n for n, b in reversed(pads) if b >= rest)}: {rest};")
    return lines
