"""Write ``src/beespace/syscall/_attributes.py``: how ``bpf(2)`` and ``perf_event_open(2)`` lay out their arguments.

Run it on a kernel newer than the one that the table was made from::

    python tools/gen_syscall.py [/sys/kernel/btf/vmlinux]

``union bpf_attr`` only ever grows at the end of its arms, so the newest layout serves every kernel.
``--check`` writes nothing and fails when the file is not what would be written.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from beespace.btf import Array, Btf, Enum, Int, Kind, Member, Struct

TARGET = Path(__file__).resolve().parent.parent / "src/beespace/syscall/_attributes.py"

# Which arm of `union bpf_attr` a command uses: the arm's own name, or, for an arm without one,
# `+field` names a field that only that arm has.
ARMS: dict[str, tuple[str, list[str]]] = {
    "map_create": ("+map_type", ["MAP_CREATE"]),
    "map_element": (
        "+next_key",
        ["MAP_LOOKUP_ELEM", "MAP_UPDATE_ELEM", "MAP_DELETE_ELEM", "MAP_GET_NEXT_KEY", "MAP_LOOKUP_AND_DELETE_ELEM",
         "MAP_FREEZE"],
    ),
    "map_batch": (
        "batch",
        ["MAP_LOOKUP_BATCH", "MAP_LOOKUP_AND_DELETE_BATCH", "MAP_UPDATE_BATCH", "MAP_DELETE_BATCH"],
    ),
    "prog_load": ("+prog_type", ["PROG_LOAD"]),
    "object": ("+pathname", ["OBJ_PIN", "OBJ_GET"]),
    "prog_attach": ("+attach_bpf_fd", ["PROG_ATTACH", "PROG_DETACH"]),
    "prog_test_run": ("test", ["PROG_TEST_RUN"]),
    "id": (
        "+next_id",
        ["PROG_GET_NEXT_ID", "MAP_GET_NEXT_ID", "BTF_GET_NEXT_ID", "LINK_GET_NEXT_ID", "PROG_GET_FD_BY_ID",
         "MAP_GET_FD_BY_ID", "BTF_GET_FD_BY_ID", "LINK_GET_FD_BY_ID"],
    ),
    "info": ("info", ["OBJ_GET_INFO_BY_FD"]),
    "prog_query": ("query", ["PROG_QUERY"]),
    "raw_tracepoint": ("raw_tracepoint", ["RAW_TRACEPOINT_OPEN"]),
    "btf_load": ("+btf_log_buf", ["BTF_LOAD"]),
    "task_fd_query": ("task_fd_query", ["TASK_FD_QUERY"]),
    "link_create": ("link_create", ["LINK_CREATE"]),
    "link_update": ("link_update", ["LINK_UPDATE"]),
    "link_detach": ("link_detach", ["LINK_DETACH"]),
    "enable_stats": ("enable_stats", ["ENABLE_STATS"]),
    "iter_create": ("iter_create", ["ITER_CREATE"]),
    "prog_bind_map": ("prog_bind_map", ["PROG_BIND_MAP"]),
    "token_create": ("token_create", ["TOKEN_CREATE"]),
    "prog_stream_read": ("prog_stream_read", ["PROG_STREAM_READ_BY_FD"]),
    "prog_assoc_struct_ops": ("prog_assoc_struct_ops", ["PROG_ASSOC_STRUCT_OPS"]),
}  # fmt: skip
STRUCTS = ("bpf_prog_info", "bpf_map_info", "bpf_link_info", "bpf_btf_info", "perf_event_attr")
SKIPPED_COMMANDS = {"__MAX_BPF_CMD", "BPF_PROG_RUN", "BPF_COMMON_ATTRS"}  # a count, an alias and a flag
FORMATS = {1: "B", 2: "H", 4: "I", 8: "Q"}

HEADER = '''\
"""How ``bpf(2)`` and ``perf_event_open(2)`` lay out their arguments.  Written by ``tools/gen_syscall.py``.

Source: ``union bpf_attr``, ``enum bpf_cmd``, ``struct bpf_*_info`` and ``struct perf_event_attr`` in a kernel's BTF.
"""

from beespace.enumeration import IntEnum
from beespace.syscall.layout import Layout, Slot


class Command(IntEnum):
    """``enum bpf_cmd``."""

'''


def flatten(btf: Btf, struct: Struct, base: int = 0, prefix: str = "") -> Iterator[tuple[str, tuple[object, ...]]]:
    """Name and slot of each scalar, those of a named member with its name and a dot in front; ``base`` in bits."""
    for member in struct.members:
        if member.name.startswith("__reserved"):  # shrinks from kernel to kernel, and is to be zero
            continue
        kind = btf.type(btf.resolve(member.type))
        if isinstance(kind, Struct):
            inner = f"{prefix}{member.name}." if member.name else prefix
            yield from flatten(btf, kind, base + member.bit_offset, inner)
        else:
            yield prefix + member.name, slot(btf, member, kind, base + member.bit_offset)


def slot(btf: Btf, member: Member, kind: object, bits: int) -> tuple[object, ...]:
    """The arguments of ``Slot`` for one member ``bits`` after the start."""
    if isinstance(kind, Array):
        return bits // 8, f"{kind.count * btf.size(kind.type)}s"
    assert isinstance(kind, Int | Enum), f"{member.name} is neither an integer nor an array"
    code = FORMATS[kind.size].lower() if kind.is_signed else FORMATS[kind.size]
    if not member.bitfield_size:
        return bits // 8, code
    word = kind.size * 8
    return bits // word * kind.size, code, bits % word, member.bitfield_size


def render(btf: Btf, name: str, struct: Struct) -> Iterator[str]:
    """One ``Layout``."""
    yield f"{name.upper()} = Layout("
    yield f'    "{name}",'
    yield f"    {struct.size},"
    yield "    {"
    for field, arguments in flatten(btf, struct):
        text = ", ".join(f'"{a}"' if isinstance(a, str) else str(a) for a in arguments)
        yield f'        "{field}": Slot({text}),'
    yield "    },"
    yield ")"


def arm(btf: Btf, attributes: Struct, key: str) -> Struct:
    """The arm of ``union bpf_attr`` that ``key`` names."""
    for member in attributes.members:
        kind = btf.type(btf.resolve(member.type))
        if not isinstance(kind, Struct):
            continue
        if member.name == key or (not member.name and key[0] == "+" and key[1:] in dict(flatten(btf, kind))):
            return kind
    raise SystemExit(f"union bpf_attr has no arm {key}: is this BTF older than the table in {Path(__file__).name}?")


def generate(btf: Btf) -> str:
    """The whole file."""
    attributes = btf.type(btf.find("bpf_attr", Kind.UNION))
    enum = btf.type(btf.find("bpf_cmd", Kind.ENUM))
    assert isinstance(attributes, Struct) and isinstance(enum, Enum)
    commands = [(v.name.removeprefix("BPF_"), v.value) for v in enum.values if v.name not in SKIPPED_COMMANDS]
    covered = {command for _, names in ARMS.values() for command in names}
    if missing := {name for name, _ in commands} ^ covered:
        raise SystemExit(f"commands without an arm, or arms without a command: {', '.join(sorted(missing))}")
    lines = [f"    {name} = {value}" for name, value in commands] + ["", ""]
    for name, (key, _) in ARMS.items():
        lines += render(btf, name, arm(btf, attributes, key))
    for name in STRUCTS:
        struct = btf.type(btf.find(name, Kind.STRUCT))
        assert isinstance(struct, Struct)
        lines += render(btf, name, struct)
    lines += ["", "ATTRIBUTES = {"]
    lines += [f"    Command.{c}: {name.upper()}," for name, (_, names) in ARMS.items() for c in names] + ["}"]
    return formatted(HEADER + "\n".join(lines) + "\n")


def formatted(source: str) -> str:
    """``source`` as the formatter of this repository wants it."""
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(TARGET), "-"]
    return subprocess.run(command, input=source, text=True, capture_output=True, check=True).stdout


def main() -> int:
    """Write or check the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("btf", nargs="?", type=Path, default=Path("/sys/kernel/btf/vmlinux"), help="kernel types")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file is not up to date")
    options = parser.parse_args()
    source = generate(Btf(options.btf.read_bytes()))
    if options.check:
        return int(source != TARGET.read_text())
    TARGET.write_text(source)
    return 0


if __name__ == "__main__":
    sys.exit(main())
