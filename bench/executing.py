"""Programs that only compute: beespace's machine beside the JITs of ubpf and rbpf.

``$BEESPACE_UBPF`` and ``$BEESPACE_RBPF`` name the plugins for bpf_conformance that these projects come with
(``ubpf_plugin``, ``rbpf_plugin``); both, and ``beespace vm-plugin``, take memory and a program in hexadecimal.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from math import prod

from measure import Row, environment, least, twin

from beespace.errors import ProgramFault
from beespace.reloc.image import assemble
from beespace.vm import Code, Machine, Rights

_MOST = 1 << 62
_PEERS = {"ubpf": "BEESPACE_UBPF", "rbpf": "BEESPACE_RBPF"}
#: Program of twins/compute.bpf.c -> rounds, for about half a second.
_ROUNDS = {
    "collatz": 2_000_000, "primes": 1_500_000, "hash": 80_000, "checksum": 160_000, "sieve": 30_000, "sort": 16_000,
    "matrix": 8_000_000, "calls": 60_000_000,
}  # fmt: skip


def memory(rounds: int) -> bytes:
    """What a program gets: how often, and 4096 bytes."""
    return rounds.to_bytes(8, "little") + bytes(place * 7 & 255 for place in range(4096))


def plugin(command: list[str], code: bytes, rounds: int) -> tuple[float, int]:
    """Seconds of CPU that a plugin and what it starts take, and what the program leaves in r0."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [command[0], *command[1:-1], memory(rounds).hex(" "), command[-1]],
        input=code.hex(" ") + "\n", env=environment(), check=True, capture_output=True, text=True,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return took, int(done.stdout, 16)


def rows() -> Iterator[Row]:
    peers = {name: os.environ[variable] for name, variable in _PEERS.items() if os.environ.get(variable)}
    ours = [sys.executable, "-m", "beespace", "vm-plugin", "--max-steps", str(_MOST), "--jit"]
    machines = {"beespace": ours} | {name: [path, "--jit"] for name, path in peers.items()}
    spec = twin("compute")
    programs = {name: assemble(spec, program.entry).code for name, program in spec.programs.items()}
    ratios: dict[str, float] = {}
    for name, code in programs.items():
        took = seconds(machines, code, _ROUNDS[name])
        steps = counted(code, _ROUNDS[name])
        others = {peer: took[peer] for peer in peers}
        if others:
            ratios[name] = took["beespace"] / min(others.values())
        yield Row(
            f"{name}: native code", steps / took["beespace"] / 1e6, "M insn/s",
            peer=", ".join(f"{took['beespace'] / other:.2f}x the time of {peer}" for peer, other in others.items()),
        )  # fmt: skip
    if ratios:
        yield Row(
            "native code beside the faster of the others", prod(ratios.values()) ** (1 / len(ratios)), "x", 1.2,
            peer=f"worst {max(ratios, key=ratios.__getitem__)} {max(ratios.values()):.2f}x",
            how="geometric mean of the ratios; CPU of a long run less that of a short one, least of 3 in turns; "
            "the others check no access to memory and count no instructions",
        )  # fmt: skip
    else:
        print("no other machine: set $BEESPACE_UBPF or $BEESPACE_RBPF to the path of its plugin")
    yield from interpreter(programs)


def seconds(machines: Mapping[str, list[str]], code: bytes, rounds: int) -> dict[str, float]:
    """CPU of ``rounds`` without that of starting and compiling; all machines come to the same."""
    answers = {name: plugin(command, code, rounds // 100)[1] for name, command in machines.items()}
    if len(set(answers.values())) > 1:
        raise RuntimeError(f"the machines disagree: {answers}")
    cases: dict[str, Callable[[], float]] = {}
    for name, command in machines.items():
        cases[name] = partial(lambda command: plugin(command, code, rounds)[0], command)
        cases[f"{name} short"] = partial(lambda command: plugin(command, code, rounds // 100)[0], command)
    took = least(3, cases)
    return {name: (took[name] - took[f"{name} short"]) / 0.99 for name in machines}


def counted(code: bytes, rounds: int) -> float:
    """How many instructions ``rounds`` are."""
    from beespace.session.native import native

    machine = Machine(max_steps=_MOST, jit=native())
    held = bytearray(memory(rounds))
    address = machine.memory.add("the memory", held, Rights.BOTH).base
    return machine.run(Code.of(code), address, len(held)).steps


def interpreter(programs: Mapping[str, bytes]) -> Iterator[Row]:
    speeds = []
    for code in programs.values():
        machine, held = Machine(max_steps=20_000), bytearray(memory(_MOST))
        address = machine.memory.add("the memory", held, Rights.BOTH).base
        speeds.append(20_000 / least(3, {"": partial(once, machine, Code.of(code), address, len(held))})[""])
    yield Row(
        "the interpreter", prod(speeds) ** (1 / len(speeds)) / 1e6, "M insn/s",
        how=f"geometric mean; from {min(speeds) / 1e6:.2f} to {max(speeds) / 1e6:.2f}",
    )  # fmt: skip


def once(machine: Machine, code: Code, address: int, size: int) -> float:
    """Seconds of CPU until the machine has had enough."""
    began = time.process_time()
    try:
        machine.run(code, address, size)
    except ProgramFault as fault:
        if "has not ended" not in fault.reason:
            raise
    return time.process_time() - began
