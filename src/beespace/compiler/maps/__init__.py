"""Operations on maps: a table of what each class has (``table``), and a file for each family.

Invariant: a lookup gives None or a place in the map; += on what other CPUs see is one atomic step;
an insertion that fails is counted.
"""

from beespace.compiler.maps.adding import addable, atomic_add
from beespace.compiler.maps.dispatch import (
    attribute,
    contains,
    define,
    delete,
    increment_counter,
    increment_item,
    length,
    map_call,
    read_item,
    set_item,
    unknown_word,
    walk,
    words_of,
)
from beespace.compiler.maps.walking import Entries

__all__ = [
    "Entries",
    "addable", "atomic_add", "attribute", "contains", "define", "delete", "increment_counter", "increment_item",
    "length", "map_call", "read_item", "set_item", "unknown_word", "walk", "words_of",
]  # fmt: skip
