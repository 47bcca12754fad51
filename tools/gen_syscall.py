"""Write ``src/beespace/syscall/_attributes.py``: how ``bpf(2)`` and ``perf_event_open(2)`` lay out their arguments."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "src/beespace/syscall/_attributes.py"

# Which arm of `union bpf_attr` a command uses: the arm's own name, or, for an arm without one,
# `+field` names a field that only that arm has.
ARMS = {
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
}  # fmt: skip
STRUCTS = ["bpf_prog_info", "bpf_map_info", "bpf_link_info", "bpf_btf_info", "perf_event_attr"]
SKIP = {"__MAX_BPF_CMD", "BPF_PROG_RUN"}
FORMATS = {(1, False): "B", (2, False): "H", (4, False): "I", (8, False): "Q",
           (1, True): "b", (2, True): "h", (4, True): "i", (8, True): "q"}  # fmt: skip


def load(path: str) -> dict[int, dict]:
    text = subprocess.run(["bpftool", "-j", "btf", "dump", "file", path], check=True, capture_output=True).stdout
    return {t["id"]: t for t in json.loads(text)["types"]}


def skip(types, i):
    while types[i]["kind"] in ("TYPEDEF", "CONST", "VOLATILE"):
        i = types[i]["type_id"]
    return types[i]


def flatten(types, struct, base, prefix, out):
    for m in struct["members"]:
        t = skip(types, m["type_id"])
        bits = base + m["bits_offset"]
        name = m["name"]
        if t["kind"] in ("STRUCT", "UNION"):
            flatten(types, t, bits, prefix if name in ("", "(anon)") else f"{prefix}{name}.", out)
            continue
        if t["kind"] == "ARRAY":
            e = skip(types, t["type_id"])
            out[prefix + name] = (bits // 8, f"{t['nr_elems'] * e['size']}s")
            continue
        fmt = FORMATS[t["size"], t["encoding"] == "SIGNED" if t["kind"] == "INT" else False]
        width = m.get("bitfield_size", 0)
        if width:
            word = t["size"] * 8
            out[prefix + name] = (bits // word * t["size"], fmt, bits % word, width)
        else:
            out[prefix + name] = (bits // 8, fmt)
    return out


def render(name, struct, types):
    fields = flatten(types, struct, 0, "", {})
    lines = [f"{name.upper()} = Layout(", f'    "{name}",', f"    {struct['size']},", "    {"]
    for field, slot in fields.items():
        args = ", ".join(f'"{s}"' if isinstance(s, str) else str(s) for s in slot)
        lines.append(f'        "{field}": Slot({args}),')
    return [*lines, "    },", ")"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("btf", nargs="?", default="/sys/kernel/btf/vmlinux")
    options = parser.parse_args()
    types = load(options.btf)
    named = {(t["kind"], t["name"]): t for t in types.values() if t.get("name")}
    attr = named["UNION", "bpf_attr"]
    commands = [v for v in named["ENUM", "bpf_cmd"]["values"] if v["name"] not in SKIP]
    covered = {"BPF_" + c for _, cs in ARMS.values() for c in cs}
    if missing := {c["name"] for c in commands} ^ covered:
        raise SystemExit(f"commands without an arm, or arms without a command: {sorted(missing)}")
    out = [
        '"""How ``bpf(2)`` and ``perf_event_open(2)`` lay out their arguments.  Written by ``tools/gen_syscall.py``; not by hand.',
        "",
        "Source: ``union bpf_attr``, ``enum bpf_cmd``, ``struct bpf_*_info`` and ``struct perf_event_attr`` of a kernel's BTF.",
        '"""',
        "",
        "from enum import IntEnum",
        "",
        "from beespace.syscall.layout import Layout, Slot",
        "",
        "",
        "class Command(IntEnum):",
        '    """``enum bpf_cmd``."""',
        "",
    ]
    out += [f"    {c['name'][4:]} = {c['val']}" for c in commands] + ["", ""]
    for name, (key, _) in ARMS.items():
        for m in attr["members"]:
            t = skip(types, m["type_id"])
            if key == m["name"] or (
                key[0] == "+" and m["name"] in ("", "(anon)") and key[1:] in flatten(types, t, 0, "", {})
            ):
                out += render(name, t, types)
                break
        else:
            raise SystemExit(f"no arm {key}")
    for name in STRUCTS:
        out += render(name, named["STRUCT", name], types)
    out += ["", "ATTRIBUTES = {"]
    out += [f"    Command.{c}: {name.upper()}," for name, (_, cs) in ARMS.items() for c in cs] + ["}"]
    TARGET.write_text("\n".join(out) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
