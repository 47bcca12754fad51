"""The readers of files that anybody may hand over, and inputs for them that are damaged in every way.

    python tests/fuzz/fuzzing.py [--seconds N] [--first SEED] [--door NAME]

Whatever the bytes are, a door ends with a result or with a BeespaceError, within a second of processor time and in a
hundred times the input's memory (and a constant).  What does not is written to ``found/`` and named at the end.  Inputs
that found a bug are kept in ``seeds/``; ``test_fuzz.py`` goes through them and a few thousand damaged ones.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import resource
import signal
import struct
import sys
import time
import traceback
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from beespace import elf
from beespace.btf import Btf, BtfBuilder, Kind, Member, Struct, subset
from beespace.btf.codec import codec
from beespace.btf.contained import parse, sections
from beespace.btf.declarations import header
from beespace.errors import BeespaceError, UsageError
from beespace.reloc import relocate

HERE = Path(__file__).parent
SEEDS = HERE / "seeds"
SECONDS = 1.0  # of processor time, for one input
MEMORY = 100  # times the input ...
CONSTANT = 6 << 20  # ... and this
ADDRESSES = 512 << 20  # room for what one input may ask for at once


class Slow(Exception):
    """An input took more than its time."""


# -- doors: what takes bytes that anybody may have made --------------------------------------------------------------


def btf_door(data: bytes) -> None:
    """Everything that can be asked of BTF."""
    walk(Btf(data))


def split_door(data: bytes) -> None:
    """The types of a module."""
    walk(Btf(data, BASE))


def index_door(data: bytes) -> None:
    """An index that somebody else has written: it is used only if it is right."""
    types = Btf(BASE.data(), index=data)
    assert types.find("int", Kind.INT) == BASE.find("int", Kind.INT)


def walk(btf: Btf) -> None:
    """Decode every type, and do with it what there is to do."""
    for type_id in range(min(btf.count, 3000)):
        try:
            btf.type(type_id)
            btf.describe(type_id)
            btf.resolve(type_id)
            with contextlib.suppress(TypeError):  # what has no size
                btf.size(type_id), btf.align(type_id)
            name = btf.name(type_id)
            with contextlib.suppress(TypeError, KeyError):
                btf.member(type_id, "pid")
            with contextlib.suppress(TypeError):
                btf.prototype(type_id)
            if type_id % 16 == 0:
                btf.find_all(name)
                btf.candidates(name)
            coded(btf, type_id)
        except BeespaceError:
            continue
    btf.near("tsk", Kind.STRUCT)
    with contextlib.suppress(BeespaceError):
        header(btf)
    with contextlib.suppress(BeespaceError, KeyError):
        subset(btf, {"task": ["pid"], "inner": None})
    btf.index()


def coded(btf: Btf, type_id: int) -> None:
    """Values of a type, both ways."""
    try:
        made = codec(btf, type_id, "big" if type_id % 2 else "little")
    except UsageError:
        return
    if made.size <= 1 << 16:
        value = made.decode(bytes(range(256)) * (made.size // 256 + 1))
        with contextlib.suppress(UsageError):
            made.encode(value)


def elf_door(data: bytes) -> None:
    """An object, as far as one gets without a kernel."""
    spec = elf.read(data, "fuzz")
    relocate(spec, Btf(spec.btf) if spec.btf else BASE, [TARGET])
    with contextlib.suppress(UsageError):
        elf.write(spec)


def file_door(data: bytes) -> None:
    """A file with types: raw, or ELF of any machine."""
    parse(data)


def target_door(data: bytes) -> None:
    """A good object on damaged types of a kernel."""
    relocate(OBJECT, OBJECT_TYPES, [Btf(data)])


def local_door(data: bytes) -> None:
    """An object with damaged types on a good kernel."""
    relocate(OBJECT, Btf(data), [TARGET])


def kernel_types() -> bytes:
    """Types like those of the object, laid out otherwise."""
    b = BtfBuilder()
    i, u16, u64, char = b.int("int", 4, signed=True), b.int("u16", 2), b.int("u64", 8), b.int("char", 1)
    b.struct("inner", 12, [Member("address", b.array(char, 4), 0), Member("port", u16, 64)])
    flags = [Member("level", i, 3, 5), Member("flag", i, 8, 3)]
    task = b.declare()

    members = [
        *flags,
        Member("comm", b.array(char, 16), 32),
        Member("pid", i, 160),
        Member("parent", b.pointer(task), 192),
    ]
    b.define(task, Struct("task", 40, (*members, Member("a", u64, 256)), has_bitfields=True))
    b.enum("color", [("GREEN", 9)])
    return b.bytes()


OBJECT = elf.read((SEEDS / "seed.bpf.o").read_bytes(), "seed")
OBJECT_TYPES = BASE = Btf(OBJECT.btf)
TARGET = Btf(kernel_types())


def split_types() -> bytes:
    """Types on top of the object's."""
    b = BtfBuilder(first_id=BASE.count, first_string=BASE.string_end)
    b.struct("module_thing", 16, [Member("task", b.pointer(BASE.find("task", Kind.STRUCT)), 0), Member("pid", 1, 64)])
    return b.bytes()


# -- inputs ----------------------------------------------------------------------------------------------------------

_NUMBERS = (0, 1, 2, 3, 4, 8, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x10000, 0xFFFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def damaged(data: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    """``data`` with a few mistakes in it."""
    made = bytearray(data)
    for _ in range(1 << chance.randrange(5)):
        _WAYS[chance.randrange(len(_WAYS))](made, chance, others)
    return bytes(made)


def _byte(made: bytearray, chance: random.Random, _: list[bytes]) -> None:
    if made:
        made[chance.randrange(len(made))] = chance.randrange(256)


def _bit(made: bytearray, chance: random.Random, _: list[bytes]) -> None:
    if made:
        made[chance.randrange(len(made))] ^= 1 << chance.randrange(8)


def _word(made: bytearray, chance: random.Random, _: list[bytes]) -> None:
    """A number where there may well be one."""
    if len(made) >= 4:
        at = chance.randrange(len(made) // 4) * 4
        old = struct.unpack_from("=I", made, at)[0]
        new = chance.choice((*_NUMBERS, old + 1, old - 1, old * 2, len(made), old ^ 1 << chance.randrange(32)))
        struct.pack_into("=I", made, at, new & 0xFFFFFFFF)


def _swap(made: bytearray, chance: random.Random, _: list[bytes]) -> None:
    """One word in the place of another."""
    if len(made) >= 8:
        one, two = (chance.randrange(len(made) // 4) * 4 for _ in range(2))
        made[one : one + 4], made[two : two + 4] = made[two : two + 4], made[one : one + 4]


def _cut(made: bytearray, chance: random.Random, _: list[bytes]) -> None:
    if made:
        at = chance.randrange(len(made))
        del made[at : at + chance.choice((1, 4, 8, 16, 64, len(made)))]


def _again(made: bytearray, chance: random.Random, _: list[bytes]) -> None:
    """A piece twice, or many times."""
    if made and len(made) < 1 << 17:
        at, length = chance.randrange(len(made)), chance.choice((4, 12, 16, 24, 64, 256))
        made[at:at] = bytes(made[at : at + length]) * chance.choice((1, 1, 2, 16, 64))


def _splice(made: bytearray, chance: random.Random, others: list[bytes]) -> None:
    """A piece of another input."""
    other = others[chance.randrange(len(others))]
    if made and other:
        start, at, length = chance.randrange(len(other)), chance.randrange(len(made)), chance.choice((4, 16, 64, 512))
        made[at : at + length] = other[start : start + length]


_WAYS = (_byte, _bit, _bit, _word, _word, _word, _word, _swap, _cut, _again, _splice)


def damaged_section(data: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    """An object of which only a section of types is damaged, in place."""
    content = sections(data)
    name = chance.choice(sorted(content))
    at = data.find(content[name])
    new = damaged(content[name], chance, others)[: len(content[name])].ljust(len(content[name]), b"\0")
    return data[:at] + new + data[at + len(new) :]


def kept() -> list[bytes]:
    """Inputs that found a bug once, and good ones."""
    return [file.read_bytes() for file in sorted(SEEDS.iterdir())]


def _doors() -> dict[str, tuple[Callable[[bytes], None], list[bytes]]]:
    """Each door with the good inputs that damaged ones are made of."""
    objects = [file.read_bytes() for file in sorted(SEEDS.glob("*.o"))]
    blobs = [sections(each)[".BTF"] for each in objects]
    return {
        "elf": (elf_door, objects),
        "btf": (btf_door, [*blobs, TARGET.data()]),
        "split": (split_door, [split_types()]),
        "index": (index_door, [BASE.index()]),
        "file": (file_door, [*objects, *blobs]),
        "target": (target_door, [TARGET.data(), *blobs]),
        "local": (local_door, blobs),
    }


DOORS = _doors()


def inputs(door: str, first: int = 0) -> Iterator[tuple[int, bytes]]:
    """Damaged inputs for a door without end; the number of one makes it again."""
    good = DOORS[door][1]
    others = [each for _, found in DOORS.values() for each in found]
    number = first
    while True:
        chance = random.Random(f"{door} {number}")
        seed = good[chance.randrange(len(good))]
        in_place = door == "elf" and chance.randrange(2)
        yield number, (damaged_section if in_place else damaged)(seed, chance, others)
        number += 1


# -- the limits ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def limited_time(seconds: float = SECONDS) -> Iterator[None]:
    """Raise :class:`Slow` in what takes more processor time."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Slow(f"more than {seconds} s")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def check(door: str, data: bytes, *, memory: bool = False) -> None:
    """Take one input through a door; what is raised here is a bug."""
    open_door = DOORS[door][0]
    if memory:  # three times as slow
        tracemalloc.start()
    try:
        with limited_time(SECONDS * (4 if memory else 1)), contextlib.suppress(BeespaceError):
            open_door(data)
        if memory:
            peak = tracemalloc.get_traced_memory()[1]
            assert peak <= MEMORY * len(data) + CONSTANT, f"{peak >> 10} KiB for {len(data)} bytes"
    finally:
        if memory:
            tracemalloc.stop()


def run(seconds: float, first: int, doors: list[str], found: Path) -> int:
    """Fuzz for so long; gives the number of bugs."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    resource.setrlimit(resource.RLIMIT_AS, (used + ADDRESSES + (1 << 30), resource.RLIM_INFINITY))
    sources = {door: inputs(door, first) for door in doors}
    end = time.monotonic() + seconds
    done = bugs = 0
    seen: set[str] = set()
    while time.monotonic() < end:
        for door, source in sources.items():
            number, data = next(source)
            done += 1
            try:
                check(door, data, memory=number % 40 == 0)
            except Exception as error:
                last = traceback.extract_tb(error.__traceback__)[-1]
                key = f"{door} {type(error).__name__} {Path(last.filename).name}:{last.lineno}"
                if key in seen:
                    continue
                seen.add(key)
                bugs += 1
                found.mkdir(exist_ok=True)
                (found / f"{door}-{number}").write_bytes(data)
                print(f"{door}-{number}: {type(error).__name__}: {str(error)[:200]} ({key})", flush=True)
    print(f"{done} inputs, numbers {first} to {number}, {bugs} bugs", flush=True)
    return bugs


def main() -> int:
    """See the top of this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--first", type=int, default=0, help="the number of the first input")
    parser.add_argument("--door", choices=sorted(DOORS), action="append")
    parser.add_argument("--found", type=Path, default=Path("found"), help="where inputs that find a bug are written")
    asked = parser.parse_args()
    doors = asked.door or sorted(DOORS)
    return 1 if run(asked.seconds, asked.first, doors, asked.found) else 0


if __name__ == "__main__":
    sys.exit(main())
