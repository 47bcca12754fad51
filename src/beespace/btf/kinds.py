"""The kinds of type record, and how long each record is."""

from __future__ import annotations

from beespace.enumeration import IntEnum

__all__ = ["FIXED_WORDS", "ITEM_WORDS", "ITEMS", "KIND", "Kind", "kind_of", "record_words"]

# The info word: vlen in bits 0-23 and kind in bits 24-30 since libbpf 1.8
# (0-15 and 24-28 before, and the others had to be zero), a flag in bit 31.
ITEMS = 0xFFFFFF
KIND = 0x7F


class Kind(IntEnum):
    """``BTF_KIND_*`` (include/uapi/linux/btf.h)."""

    VOID = 0
    INT = 1
    PTR = 2
    ARRAY = 3
    STRUCT = 4
    UNION = 5
    ENUM = 6
    FWD = 7
    TYPEDEF = 8
    VOLATILE = 9
    CONST = 10
    RESTRICT = 11
    FUNC = 12
    FUNC_PROTO = 13
    VAR = 14
    DATASEC = 15
    FLOAT = 16
    DECL_TAG = 17
    TYPE_TAG = 18
    ENUM64 = 19
    UNKNOWN = 128  # of a newer kernel; its record can be skipped if the blob says how long it is


# A record is struct btf_type (3 words: name, info, size or type), then words that depend on the kind:
# a fixed number of them, and so many for each of its vlen items.  VOID (0) has no record.
FIXED_WORDS = (-1, 4, 3, 6, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 3, 3, 4, 3, 3)
ITEM_WORDS = (0, 0, 0, 0, 3, 3, 2, 0, 0, 0, 0, 0, 0, 2, 0, 3, 0, 0, 0, 3)


_KINDS = {int(kind): kind for kind in Kind if kind is not Kind.UNKNOWN}


def kind_of(info: int) -> Kind:
    """The kind in an info word."""
    return _KINDS.get(info >> 24 & KIND, Kind.UNKNOWN)


def record_words(info: int) -> int:
    """Length in 32-bit words of the record whose ``info`` word is given; ``-1`` if its kind is unknown."""
    kind = info >> 24 & KIND
    if not 0 < kind < len(FIXED_WORDS):
        return -1
    return FIXED_WORDS[kind] + ITEM_WORDS[kind] * (info & ITEMS)
