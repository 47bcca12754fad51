"""Programs written twice, in Python and in C: the same behaviour, code and time side by side.

A pair is ``twins/NAME.py`` with ``class Twin(Program)`` and ``twins/NAME.bpf.c``.  Both get the same packets by
BPF_PROG_TEST_RUN; verdicts and maps must be the same, or nothing is said of either.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from statistics import median
from typing import Any

from measure import TWINS, Row, clang, least, twin, wall

from beespace.compiler import compile_program, lower
from beespace.compiler.worker import Worker
from beespace.elf import read
from beespace.kernel import LoadedObject, load, vmlinux_btf
from beespace.session.files import program_of

PAIRS = tuple(sorted(path.stem for path in TWINS.glob("*.py") if (TWINS / f"{path.stem}.bpf.c").exists()))
REPEAT = 100_000
ROUNDS = 7
MEDIAN, WORST = 1.00, 1.10
_UNLIKE = {"first", "last", "filled", "tokens", "time"}  # what depends on the clock


def packets() -> list[bytes]:
    """Frames of several kinds; the addresses are for documentation (RFC 5737)."""

    def frame(protocol: int, source: int, ports: tuple[int, int], size: int) -> bytes:
        tcp = struct.pack("!HHIIBBHHH", *ports, 1, 1, 5 << 4, 0x12, 502, 0, 0) + bytes(size)
        udp = struct.pack("!HHHH", *ports, 8 + size, 0) + bytes(size)
        body = tcp if protocol == 6 else udp
        ends = socket.inet_aton(f"192.0.2.{source}") + socket.inet_aton("198.51.100.2")
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0x4000, 64, protocol, 0) + ends
        return bytes(12) + b"\x08\x00" + ip + body

    found = [frame(6, 1, (40_000, 443), 1000), frame(6, 2, (40_001, 8080), 10), frame(17, 3, (53, 53), 60)]
    found += [frame(6, number, (1000 + number, 22), number) for number in range(4, 20)]
    found += [frame(1, 9, (0, 0), 30), bytes(12) + b"\x86\xdd" + bytes(60), bytes(12) + b"\x08\x06" + bytes(46)]
    return found


def rows() -> Iterator[Row]:
    ratios: dict[str, list[float]] = {"instructions": [], "ns": [], "compile": []}
    types = vmlinux_btf()
    with Worker() as worker:
        for name in PAIRS:
            declaration = program_of(TWINS / f"{name}.py").declaration()
            compiled = compile_program(declaration, types)
            with load(read(compiled.object, name)) as ours, load(twin(name)) as theirs:
                same(name, ours, theirs)
                frame = packets()[0]
                took = least(ROUNDS, {"ours": lambda: _once(ours, frame), "twin": lambda: _once(theirs, frame)})  # noqa: B023
                code = {each: length(loaded) for each, loaded in (("ours", ours), ("twin", theirs))}

            def build() -> float:
                began = time.perf_counter()
                worker.build(lower(declaration, types))  # noqa: B023
                return (time.perf_counter() - began) * 1e3

            built = least(3, {"ours": build, "clang": lambda: wall(clang(name))})  # noqa: B023
            ratios["instructions"].append(code["ours"] / code["twin"])
            ratios["ns"].append(took["ours"] / took["twin"])
            ratios["compile"].append(built["ours"] / built["clang"])
            yield Row(
                f"twin {name}", code["ours"], "instructions", code["twin"],
                peer=f"{took['ours']:.1f} ns a run, C {took['twin']:.1f} ({ratios['ns'][-1]:.2f}x); "
                f"compiled in {built['ours']:.0f} ms, clang {built['clang']:.0f}",
            )  # fmt: skip
    for what, values in ratios.items():
        yield Row(
            f"{len(values)} twins, {what}, median of the ratios", median(values), "x", MEDIAN,
            peer=f"worst {max(values):.2f}x{f' (budget {WORST:.2f}x)' if what != 'compile' else ''}",
            how="ours / clang -O2, xlated instructions; least of several in turns",
        )  # fmt: skip


def length(loaded: LoadedObject) -> int:
    return len(loaded.programs["run"].xlated()) // 8


def _once(loaded: LoadedObject, frame: bytes) -> float:
    return loaded.programs["run"].test_run(frame, repeat=REPEAT).duration_ns


def same(name: str, ours: LoadedObject, theirs: LoadedObject) -> None:
    """Raise if verdicts or maps differ."""
    if name == "blocklist":
        for each in (ours, theirs):
            each.maps["blocked"][0xC0000203] = 1
    if name == "allowed":  # 192.0.2.0/30
        for each in (ours, theirs):
            each.maps["networks"].raw.update(bytes((30, 0, 0, 0, 192, 0, 2, 0)), bytes(8))
    for number, frame in enumerate(packets()):
        verdicts = [each.programs["run"].test_run(frame).retval for each in (ours, theirs)]
        if verdicts[0] != verdicts[1]:
            raise RuntimeError(f"{name}: packet {number}: ours gives {verdicts[0]}, its twin {verdicts[1]}")
    for map_name in theirs.maps:
        if map_name in ours.maps and not map_name.startswith((".", "opened", "beespace")):
            found = [_content(each.maps[map_name]) for each in (ours, theirs)]
            if found[0] != found[1]:
                raise RuntimeError(f"{name}: map {map_name} is {found[0]}, its twin's {found[1]}")
    for variable in theirs.variables:
        values = [each.variables[variable].value for each in (ours, theirs)]
        if values[0] != values[1]:
            raise RuntimeError(f"{name}: {variable} is {values[0]}, its twin's {values[1]}")


def _content(map: Any) -> Any:
    items = map.items() if hasattr(map, "items") else enumerate(map)
    return sorted((_plain(key), _plain(value)) for key, value in items)


def _plain(value: Any) -> Any:
    if hasattr(value, "_asdict"):
        return [_plain(part) for name, part in value._asdict().items() if name not in (*_UNLIKE, "padding")]
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value
