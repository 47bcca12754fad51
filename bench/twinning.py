"""Programs written twice, in Python and in C: the same behaviour, code and time side by side.

A pair is ``twins/NAME.py`` with ``class Twin(Program)`` and ``twins/NAME.bpf.c``.  Both get the same packets by
BPF_PROG_TEST_RUN, or see the same system calls; verdicts, packets and maps must be the same afterwards, or nothing is
said of either.

Time is this thread's, in turns: it does not count while another has the CPU, and a busy machine is busy for both.
What a test run costs without a run is taken off.  Those that trace are measured by the kernel's own statistics.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

from measure import TWINS, Row, clang, cpu, cpu_of, least, twin

from beespace.compiler import compile_program, lower
from beespace.compiler.worker import Worker
from beespace.elf import read
from beespace.kernel import LoadedObject, load, vmlinux_btf
from beespace.session.files import program_of
from beespace.syscall import bpf

PAIRS = tuple(sorted(path.stem for path in TWINS.glob("*.py") if (TWINS / f"{path.stem}.bpf.c").exists()))
TRACING = ("calls",)
REPEAT, CALLS = 200_000, 20_000
ROUNDS = 15
MEDIAN, WORST = 1.00, 1.10
_UNLIKE = {"first", "last", "filled", "tokens", "time"}  # what depends on the clock
_UNSEEN = (".", "open", "beespace", "stages")  # maps that are not compared: rings, storages, programs, what is lost


def packets() -> list[bytes]:
    """Frames of several kinds; the addresses are for documentation (RFC 5737)."""

    def frame(protocol: int, source: int, ports: tuple[int, int], payload: bytes, ttl: int = 64) -> bytes:
        tcp = struct.pack("!HHIIBBHHH", *ports, 1, 1, 5 << 4, 0x12, 502, 0, 0) + payload
        udp = struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload
        body = tcp if protocol == 6 else udp
        ends = socket.inet_aton(f"192.0.2.{source}") + socket.inet_aton("198.51.100.2")
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0x4000, ttl, protocol, 0xFEFF - source) + ends
        return bytes(range(12)) + b"\x08\x00" + ip + body

    found = [frame(6, 1, (40_000, 443), bytes(1000)), frame(6, 2, (40_001, 8080), bytes(10))]
    found += [frame(17, 3, (53, 53), bytes(60)), frame(6, 21, (999, 80), bytes(9), ttl=1)]
    found += [frame(6, number, (1000 + number, 22), bytes(number)) for number in range(4, 20)]
    found += [
        frame(6, 20, (1000, 80), line + bytes(9)) for line in (b"GET / HTTP", b"POST /", b"HEAD /", b"GETS", b"POST")
    ]
    found += [frame(1, 9, (0, 0), bytes(30)), bytes(12) + b"\x86\xdd" + bytes(60), bytes(12) + b"\x08\x06" + bytes(46)]
    return found


def rows() -> Iterator[Row]:
    ratios: dict[str, list[float]] = {"instructions": [], "ns": [], "compile": []}
    types = vmlinux_btf()
    with Worker() as worker:
        for name in PAIRS:
            declaration = program_of(TWINS / f"{name}.py").declaration()
            compiled = compile_program(declaration, types)
            traced = variables(name)
            with (
                load(read(compiled.object, name), variables=traced) as ours,
                load(twin(name), variables=traced) as theirs,
            ):
                same(name, ours, theirs)
                took = (traced_ns if traced else packet_ns)(ours, theirs)
                code = {each: length(loaded) for each, loaded in (("ours", ours), ("twin", theirs))}

            def build() -> float:
                worker_began, began = cpu_of(worker.pid), time.process_time()
                worker.build(lower(declaration, types))  # noqa: B023
                return (time.process_time() - began + cpu_of(worker.pid) - worker_began) * 1e3

            built = least(5, {"ours": build, "clang": lambda: cpu(clang(name))})  # noqa: B023
            ratios["instructions"].append(code["ours"] / code["twin"])
            ratios["ns"].append(took["ours"] / took["twin"])
            ratios["compile"].append(built["ours"] / built["clang"])
            yield Row(
                f"twin {name}", code["ours"], "instructions", code["twin"],
                peer=f"{took['ours']:.1f} ns a run, C {took['twin']:.1f} ({ratios['ns'][-1]:.2f}x); "
                f"compiled in {built['ours']:.0f} ms of CPU, clang {built['clang']:.0f}",
            )  # fmt: skip
    for what, values in ratios.items():
        yield Row(
            f"{len(values)} twins, {what}, median of the ratios", median(values), "x", MEDIAN,
            peer=f"worst {max(values):.2f}x{f' (budget {WORST:.2f}x)' if what != 'compile' else ''}",
            how="ours / clang -O2, xlated instructions; least of several in turns",
        )  # fmt: skip


def length(loaded: LoadedObject) -> int:
    """Instructions of all programs, after the verifier."""
    return sum(len(program.xlated()) // 8 for program in loaded.programs.values())


def packet_ns(ours: LoadedObject, theirs: LoadedObject) -> dict[str, float]:
    """Nanoseconds a run, by test runs of one packet."""
    frame = packets()[0]

    def runs(loaded: LoadedObject, repeat: int) -> Callable[[], float]:
        def once() -> float:
            began = time.thread_time_ns()
            loaded.programs["run"].test_run(frame, repeat=repeat)
            return time.thread_time_ns() - began

        return once

    pair = {"ours": ours, "twin": theirs}
    took = least(ROUNDS, {f"{who} {n}": runs(loaded, n) for who, loaded in pair.items() for n in (1, REPEAT)})
    return {who: (took[f"{who} {REPEAT}"] - took[f"{who} 1"]) / (REPEAT - 1) for who in pair}


def traced_ns(ours: LoadedObject, theirs: LoadedObject) -> dict[str, float]:
    """Nanoseconds a system call, of all programs together, by the kernel's statistics."""

    def calls(loaded: LoadedObject) -> Callable[[], float]:
        def once() -> float:
            before = sum(program.info().run_time_ns for program in loaded.programs.values())
            _call(loaded)
            return (sum(program.info().run_time_ns for program in loaded.programs.values()) - before) / CALLS

        return once

    with bpf.enable_stats():
        return least(ROUNDS, {"ours": calls(ours), "twin": calls(theirs)})


def _call(loaded: LoadedObject) -> None:
    """Attach all programs, and make system calls."""
    links = [program.attach() for program in loaded.programs.values()]
    try:
        for _ in range(CALLS):
            os.getppid()
    finally:
        for link in links:
            link.close()


def variables(name: str) -> dict[str, int]:
    """What both are told before they are loaded: whose system calls to see."""
    return {"only": os.getpid()} if name in TRACING else {}


def _same_calls(name: str, ours: LoadedObject, theirs: LoadedObject) -> None:
    """Raise if not both have seen all calls.  How long they take differs, and what else the interpreter calls."""
    for each in (ours, theirs):
        _call(each)
        found = each.maps["latency"][0]
        seen = sum(sum(histogram.slots) for histogram in found)
        if not CALLS <= seen <= CALLS * 1.01:
            raise RuntimeError(f"{name}: {CALLS} calls were made, and {seen} seen")


def same(name: str, ours: LoadedObject, theirs: LoadedObject) -> None:
    """Raise if verdicts or maps differ, or what was seen of system calls."""
    if name in TRACING:
        _same_calls(name, ours, theirs)
        return
    if name == "blocklist":
        for each in (ours, theirs):
            each.maps["blocked"][0xC0000203] = 1
    if name == "allowed":  # 192.0.2.0/30
        for each in (ours, theirs):
            each.maps["networks"].raw.update(bytes((30, 0, 0, 0, 192, 0, 2, 0)), bytes(8))
    for number, frame in enumerate(packets()):
        runs = [each.programs["run"].test_run(frame) for each in (ours, theirs)]
        if runs[0].retval != runs[1].retval:
            raise RuntimeError(f"{name}: packet {number}: ours gives {runs[0].retval}, its twin {runs[1].retval}")
        if runs[0].data != runs[1].data:
            raise RuntimeError(f"{name}: packet {number}: ours makes {runs[0].data!r}, its twin {runs[1].data!r}")
    for map_name in theirs.maps:
        if map_name in ours.maps and not map_name.startswith(_UNSEEN):
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
