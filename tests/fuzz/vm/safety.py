"""Damaged programs in beespace's machine, unverified: whatever they do, they read and write nothing but what is theirs.

A program (a random one, or one of those that ship) is damaged: bits are turned, opcodes, registers, offsets and numbers
changed, instructions left out or doubled, calls of any helper or kernel function put in.  Then it runs on a packet.  It
may end, or end in :class:`~beespace.errors.ProgramFault`; anything else is a finding: another exception, a canary that
changed or was read (``watched_memory``), an access that the second opinion does not allow, a process that died
(compiled code).

``make fuzz-vm-safety SECONDS=3600``.  A seed names a program: ``--first SEED --programs 1``.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

from both import MAPS, PACKETS
from verified import FEATURES, generate
from watched_memory import CANARY, Escape, Watch, watched

from beespace import elf
from beespace.btf import Btf
from beespace.errors import ProgramFault
from beespace.hooks import resolve
from beespace.isa import Insn, ProgramType
from beespace.isa.helpers import BY_NUMBER
from beespace.isa.opcodes import CALL, LD_IMM64, Pseudo
from beespace.record import dataclass
from beespace.session.native import native
from beespace.vm import Code, Inputs, Loaded, Machine, Rights, load, maps
from beespace.vm.instructions import INSTRUCTIONS
from beespace.vm.sockets import Socket

__all__ = ["main", "run"]

_OBJECTS = Path(elf.__file__).parents[1] / "probes" / "objects"
_CPUS = 2
_BATCH = 200
_STEPS = 20_000
_NUMBERS = (0, 1, 8, 64, 511, 512, 4096, (1 << 31) - 1, -1, -8, -512, -(1 << 31), 0x7FFF0000)


@dataclass(frozen=True, slots=True)
class Subject:
    """A valid program: its instructions name maps by their place in ``maps``."""

    insns: tuple[Insn, ...]
    maps: tuple[Any, ...]  # MapSpec
    kind: int


def shipped() -> list[Subject]:
    """The programs in the wheel, with the maps of their objects."""
    found = []
    types = Btf((_OBJECTS / "kernel.btf").read_bytes())
    for name in ("flows", "execs"):
        loaded: Loaded = load(elf.read((_OBJECTS / f"{name}.bpf.o").read_bytes(), name), types=types)
        for program, code in loaded.programs.items():
            kind = resolve(loaded.spec.programs[program].section).hook.program_type
            found.append(Subject(code.insns, tuple(each.spec for each in loaded.maps.values()), kind))
    return found


def of_seed(seed: int, known: list[Subject]) -> Subject:
    chance = random.Random(seed)
    if chance.random() < 0.3:
        return chance.choice(known)
    made = generate(seed, frozenset(FEATURES))
    specs = list(MAPS)
    of_maps = (Pseudo.MAP_FD, Pseudo.MAP_VALUE)
    insns = tuple(
        Insn(each.opcode, each.dst, each.src, each.off, specs.index(each.imm) + 1)
        if each.is_wide and each.src in of_maps
        else each
        for each in made.insns
    )
    return Subject(insns, tuple(MAPS.values()), ProgramType.XDP if made.xdp else ProgramType.SCHED_CLS)


# -- damage --------------------------------------------------------------------------------------------------------


def damaged(insns: tuple[Insn, ...], chance: random.Random) -> tuple[Insn, ...]:
    code = list(insns)
    for _ in range(chance.choice((1, 1, 2, 3, 5, 10, 30))):
        at = chance.randrange(len(code))
        code[at : at + 1] = _damaged(code[at], chance)
        if not code:
            code = [Insn(0x95)]
    return tuple(code)


def _damaged(insn: Insn, chance: random.Random) -> list[Insn]:
    opcode, dst, src, off, imm = insn.opcode, insn.dst, insn.src, insn.off, insn.imm
    match chance.randrange(11):
        case 0:  # a bit of the eight bytes
            bit = chance.randrange(64)
            if bit < 8:
                opcode ^= 1 << bit
            elif bit < 12:
                dst ^= 1 << bit - 8
            elif bit < 16:
                src ^= 1 << bit - 12
            elif bit < 32:
                off = _signed(off ^ 1 << bit - 16, 16)
            else:
                imm = _signed(imm ^ 1 << bit - 32, 32)
        case 1:
            opcode = chance.choice(sorted(INSTRUCTIONS))
        case 2:
            dst = chance.randrange(11)
        case 3:
            src = chance.randrange(11)
        case 4:
            off = _signed(off + chance.choice((1, -1, 4, -4, 8, -8, 64, -64, 512, -512, 4096)), 16)
        case 5:
            off = chance.choice((0, 1, -1, 32767, -32768, -512, -513, 8))
        case 6:
            imm = chance.choice(_NUMBERS)
        case 7:
            return []
        case 8:
            return [insn, insn]
        case 9:  # any helper, or a kernel function
            function = chance.choice(sorted(BY_NUMBER)) if chance.random() < 0.7 else chance.randrange(200)
            return [Insn(CALL, src=0 if chance.random() < 0.7 else 2, imm=function), insn]
        case _:  # an address from somewhere
            register = chance.randrange(11)
            made = chance.choice((0, 1 << 31, (1 << 31) + 256, (1 << 32) + (1 << 31), -1, chance.getrandbits(63)))
            low, high = _signed(made, 32), _signed(made >> 32, 32)
            return [Insn(LD_IMM64, register, 0, 0, low), Insn(0, imm=high), insn]
    return [Insn(opcode, dst, src, off, imm)]


def _signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


# -- runs ----------------------------------------------------------------------------------------------------------


def run(seed: int, known: list[Subject], watch: Watch, options: dict[str, Any]) -> str:
    """How the program of that seed ended: ``"ends"`` or the fault's kind.  What it may not do is an exception."""
    subject, chance = of_seed(seed, known), random.Random(~seed)
    code = Code("damaged", damaged(subject.insns, chance))
    machine = Machine(inputs=Inputs(cpus=_CPUS), max_steps=_STEPS, **options)
    machine.memory.add("somebody else's", bytearray(64), Rights.NONE)
    machine.memory.add("what can be read", bytearray(range(64)), Rights.READ)
    for spec in subject.maps:
        made = maps.make(spec, _CPUS)
        machine.add_map(made)
        if isinstance(made, maps.OfMaps) and spec.inner is not None:
            made.put(bytes(4), maps.make(spec.inner, _CPUS))
        if isinstance(made, maps.ProgramArray):
            made.put(0, code)
    socket = Socket(cookie=1) if chance.random() < 0.5 else None
    machine.task = machine.memory.add("a task", bytearray(8192), Rights.READ).base
    try:
        if subject.kind in (ProgramType.XDP, ProgramType.SCHED_CLS, ProgramType.CGROUP_SKB):
            outcome = machine.run_on_packet(code, subject.kind, chance.choice(PACKETS), b"", socket)
        else:
            outcome = machine.run_on_context(code, bytes(chance.randrange(256) for _ in range(96)), socket)
        machine.timers.advance(1 << 40)
        if outcome.result.to_bytes(8, "little") in CANARIES:
            raise Escape("the result is what is around some memory")
        return "ends"
    except ProgramFault as fault:
        return kind_of(fault)
    finally:
        watch.check()


def kind_of(fault: ProgramFault) -> str:
    """The words of a fault without what is different each time."""
    words = [word for word in fault.reason.replace(",", "").split() if not any(sign.isdigit() for sign in word)]
    return " ".join(words[:4])


def _canaries() -> frozenset[bytes]:
    twice = CANARY + CANARY
    return frozenset(twice[start : start + 8] for start in range(8))


CANARIES = _canaries()


def child(first: int, last: int, known: list[Subject], options: dict[str, Any], out: int) -> None:
    """Run seeds, and write a line for each: a process that dies names the seed that it was at."""
    with watched() as watch, os.fdopen(out, "w", buffering=1) as lines:
        for seed in range(first, last):
            lines.write(f"at {seed}\n")
            try:
                lines.write(f"end {run(seed, known, watch, options)}\n")
            except (Exception, Escape) as error:
                last_line = traceback.extract_tb(error.__traceback__)[-1]
                where = f"{Path(last_line.filename).name}:{last_line.lineno}"
                said = f"{type(error).__name__} {where} {error}".replace("\n", " ")
                lines.write(f"found {seed} {said}\n")


def batch(first: int, last: int, known: list[Subject], options: dict[str, Any], ends: Counter[str]) -> list[str]:
    """A child's findings; ``ends`` counts how programs ended."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        status = 1
        try:
            child(first, last, known, options, writing)
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    found, at = [], first
    with os.fdopen(reading) as lines:
        for line in lines:
            kind, _, rest = line.rstrip("\n").partition(" ")
            if kind == "at":
                at = int(rest)
            elif kind == "end":
                ends[rest] += 1
            else:
                found.append(rest)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        found.append(f"{at} the process died of {signal.Signals(os.WTERMSIG(status)).name}")
    elif os.WEXITSTATUS(status):
        found.append(f"{at} the process ended with {os.WEXITSTATUS(status)}")
    return found


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--programs", type=int, default=1 << 62)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--jit", action="store_true", help="compiled code")
    given = parser.parse_args(arguments)
    options = {"jit": native()} if given.jit else {}
    known, ends = shipped(), Counter[str]()
    began, told, seed, findings = time.monotonic(), time.monotonic(), given.first, 0
    while time.monotonic() - began < given.seconds and seed < given.first + given.programs:
        last = min(seed + _BATCH, given.first + given.programs)
        for finding in batch(seed, last, known, options, ends):
            findings += 1
            print(f"seed {finding}", flush=True)
        seed = last
        if time.monotonic() - told > 60:
            told = time.monotonic()
            print(f"{seed - given.first} programs, {findings} findings", flush=True)
    count = seed - given.first
    seconds = time.monotonic() - began
    faults = sum(ends.values()) - ends["ends"]
    print(f"{count} damaged programs in {seconds:.0f} s: {ends['ends']} ended, {faults} stopped, {findings} findings")
    for kind, number in ends.most_common(16):
        print(f"  {number:8} {kind}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
