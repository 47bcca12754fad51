"""``BPF_MAP_TYPE_LPM_TRIE``: the longest prefix that fits."""

from __future__ import annotations

from collections.abc import Iterator

from beespace.errors import UsageError
from beespace.spec import MapSpec
from beespace.vm.errno import Errno, Refused
from beespace.vm.maps.map import EXIST, Element, Map, check_flags

__all__ = ["Trie"]

_NO_PREALLOC = 1  # BPF_F_NO_PREALLOC


class Trie(Map):
    """Keys are a length in bits (u32) and the bits, most significant first; bits behind the length do not count."""

    def __init__(self, spec: MapSpec, cpus: int) -> None:
        super().__init__(spec, cpus)
        if not 5 <= spec.key_size <= 260 or not spec.flags & _NO_PREALLOC:
            raise UsageError(f"map {spec.name!r}: a trie has keys of 5 to 260 bytes and BPF_F_NO_PREALLOC")
        self._longest = (spec.key_size - 4) * 8
        self._elements: dict[str, tuple[bytes, Element]] = {}  # by the bits that count

    def _bits(self, key: bytes) -> str | None:
        length = int.from_bytes(key[:4], "little")
        return "".join(f"{byte:08b}" for byte in key[4:])[:length] if length <= self._longest else None

    def find(self, key: bytes, cpu: int) -> Element | None:
        bits = self._bits(key)
        if bits is None:
            return None
        for length in range(len(bits), -1, -1):
            if bits[:length] in self._elements:
                return self._elements[bits[:length]][1]
        return None

    def update(self, key: bytes, value: bytes, flags: int, cpu: int) -> None:
        """In a full trie, elements can be replaced (Linux 6.13; before it was ``ENOSPC``, and flags did not count)."""
        if flags > EXIST:
            raise Refused(Errno.EINVAL)
        bits = self._bits(key)
        if bits is None:
            raise Refused(Errno.EINVAL)
        old = self._elements.get(bits)
        check_flags(flags, old is not None)
        if old is not None:
            self.dropped.append(old[1])
        elif len(self._elements) >= self.spec.max_entries:
            raise Refused(Errno.ENOSPC)
        self._elements[bits] = key, Element(value)

    def delete(self, key: bytes) -> None:
        bits = self._bits(key)
        if bits is None:
            raise Refused(Errno.EINVAL)
        if bits not in self._elements:
            raise Refused(Errno.ENOENT)
        self.dropped.append(self._elements.pop(bits)[1])

    def elements(self, cpu: int) -> Iterator[tuple[bytes, Element]]:
        """Refused by the kernel's verifier."""
        raise Refused(Errno.EINVAL)

    def keys(self) -> list[bytes]:
        """As the kernel walks: each prefix behind the longer ones that begin with it."""
        return [self._elements[bits][0] for bits in sorted(self._elements, key=lambda bits: bits + "2")]
