"""Write src/beespace/isa/signatures.py: what every helper function takes, gives and needs.

    python tools/gen_helpers.py [--header linux/bpf.h] [--versions kernel-versions.md] [--measured 7.3.json ...]

* ``--header`` (include/uapi/linux/bpf.h) has numbers, C types and names of parameters.
* ``--versions`` (docs/kernel-versions.md of bcc) has the first kernel of each helper.
* ``--measured`` is what tools/measure_helpers.py says of a kernel, oldest first: who may call what (their union), and
  the kernel's own declarations of arguments (those of the last that has them).
* tools/helper_docs.txt has a sentence for each helper; it is always read.

What the present file holds is kept wherever no input says more, so that a run without inputs only formats it anew.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

TABLE = ROOT / "src" / "beespace" / "isa" / "signatures.py"
DOCS = ROOT / "tools" / "helper_docs.txt"

Row = dict[str, Any]

_KINDS = {
    "ARG_ANYTHING": "number", "ARG_SCALAR": "number", "ARG_PTR_TO_CTX": "ctx", "ARG_CONST_MAP_PTR": "map",
    "ARG_PTR_TO_MAP_KEY": "key", "ARG_PTR_TO_MAP_VALUE": "value", "ARG_PTR_TO_MEM": "memory", "ARG_MEM_SIZE": "size",
    "ARG_MEM_SIZE_OR_ZERO": "size", "ARG_PTR_TO_SPIN_LOCK": "lock", "ARG_PTR_TO_SOCK_COMMON": "socket",
    "ARG_PTR_TO_SOCKET": "socket", "ARG_PTR_TO_BTF_ID_SOCK_COMMON": "socket", "ARG_PTR_TO_BTF_ID": "object",
    "ARG_PTR_TO_RINGBUF_MEM": "record", "ARG_CONST_ALLOC_SIZE_OR_ZERO": "constant",
    "ARG_PTR_TO_PERCPU_BTF_ID": "percpu",
    "ARG_PTR_TO_FUNC": "callback", "ARG_PTR_TO_STACK": "state", "ARG_PTR_TO_CONST_STR": "text",
    "ARG_PTR_TO_TIMER": "timer", "ARG_KPTR_XCHG_DEST": "kptr", "ARG_PTR_TO_DYNPTR": "dynptr",
}  # fmt: skip
_RESULTS = {
    "RET_VOID": "nothing", "RET_PTR_TO_MAP_VALUE": "value", "RET_PTR_TO_SOCKET": "socket",
    "RET_PTR_TO_TCP_SOCK": "tcp_socket", "RET_PTR_TO_SOCK_COMMON": "any_socket", "RET_PTR_TO_MEM": "memory",
    "RET_PTR_TO_MEM_OR_BTF_ID": "percpu", "RET_PTR_TO_BTF_ID": "object", "RET_PTR_TO_BTF_ID_TRUSTED": "object",
}  # fmt: skip
# Helpers that the kernel declares under a name that does not have theirs in it, or not at all; and those of which
# several declarations differ in the first argument.
_SPELT = {
    "get_prandom_u32": "", "get_func_ip": "ctx", "tail_call": "ctx,map,number", "probe_read": "memory:out,size,address",
    "probe_read_str": "memory:out,size,address", "override_return": "ctx,number",
    "lwt_push_encap": "ctx,number,memory,size",
    "rc_repeat": "ctx", "rc_keydown": "ctx,number,number,number", "rc_pointer_rel": "ctx,number,number",
    "skb_output": "object,map,number,memory,size", "xdp_output": "object,map,number,memory,size",
    "redirect_map": "map,number,number", "get_cgroup_classid": "ctx", "get_socket_cookie": "ctx|socket",
    "setsockopt": "ctx|socket,number,number,memory,size", "getsockopt": "ctx|socket,number,number,memory:out,size",
    "sk_storage_get": "map,ctx|socket|object,value?,number", "sk_storage_delete": "map,ctx|socket|object",
    "xdp_get_buff_len": "ctx|object", "perf_event_output": "ctx,map,number,memory,size",
    "sk_assign": "ctx,socket?,number",
    "trace_printk": "memory,size", "get_branch_snapshot": "memory:out,size,number",
}  # fmt: skip
# No surveyed kernel has infrared receivers (CONFIG_BPF_LIRC_MODE2), nor error injection on a host without kprobes.
_PLACES = {"rc_repeat": {"20"}, "rc_keydown": {"20"}, "rc_pointer_rel": {"20"}, "override_return": {"2"}}
# Which traced functions a program has is known only when it is verified (check_get_func_ip in kernel/bpf/verifier.c).
_ONLY = {"get_func_ip": {"2", "26:24", "26:25", "26:26", "26:58", "26:59", "26:60", "26:61"}}
_TYPES = {  # where the header says less than the kernel's declaration means
    "task_pt_regs": "struct pt_regs *", "skc_lookup_tcp": "struct bpf_sock *",
    "skb_output": {"ctx": "struct sk_buff *"}, "xdp_output": {"ctx": "struct xdp_buff *"},
    "per_cpu_ptr": "void *", "this_cpu_ptr": "void *",
}  # fmt: skip


def header(path: Path) -> dict[str, Row]:
    """Numbers, results and parameters, from the documented list of the header."""
    text = path.read_text()
    numbers = dict(re.findall(r"\bFN\((\w+), (\d+)", text))  # before 6.3 they are counted
    numbers = numbers or {name: at for at, name in enumerate(re.findall(r"^\tFN\((\w+)\)", text, re.M))}
    rows: dict[str, Row] = {}
    pattern = r"^ \* ?((?:const |struct |unsigned )*\w+[ *]+)bpf_(\w+)\(((?:[^()]|\n)*?)\)\n \* ?\t ?Description"
    for match in re.finditer(pattern, text, re.M):
        result, name, parameters = match.groups()
        if name not in numbers or not int(numbers[name]):
            continue
        listed = [each.strip() for each in re.sub(r"\s*\n \*\s*", " ", parameters).split(",")]
        pairs = [re.fullmatch(r"(.*?)\s*(\w+)", each) for each in listed if each not in ("void", "...")]
        rows[name] = {
            "number": int(numbers[name]),
            "result": result.strip(),
            "parameters": [(found[2], found[1]) for found in pairs if found],
        }
    return rows


def versions(path: Path) -> dict[str, str]:
    """The first kernel of each helper."""
    found = re.findall(r"^`BPF_FUNC_(\w+)\(\)` \| ([\d.]+) \|", path.read_text(), re.M)
    return {name.replace("mctcp", "mptcp"): since for name, since in found}


def _kind(spelt: list[str], size: int, type_: str) -> str:
    base, flags = spelt[0], set(spelt[1:])
    kind = _KINDS[base]
    if kind == "number" and type_.endswith("*"):
        kind = "address"
    if kind in ("memory", "value", "dynptr"):
        written = {"MEM_UNINIT": ":out", "MEM_WRITE": ":both"}
        kind += next((mark for flag, mark in written.items() if flag in flags), "")
        kind += f":{size}" if "MEM_FIXED_SIZE" in flags else ""
    return kind + ("?" if "PTR_MAYBE_NULL" in flags else "") + ("!" if "OBJ_RELEASE" in flags else "")


def _declared(name: str, row: Row, declared: dict[str, list[Row]], names: set[str]) -> list[Row]:
    """The kernel's declarations of a helper: of its own name, or of that name with a context's before or behind it."""
    exact = declared.get(name, [])
    near = [f for f in declared if f not in names and (f.endswith("_" + name) or f.startswith(name + "_"))]
    return exact + [each for function in near for each in declared[function]]


def prototypes(rows: dict[str, Row], measured: list[Row]) -> None:
    """Put what the kernel declares into the rows."""
    functions: dict[str, list[Row]] = {}
    for each in measured:
        functions.setdefault(each["function"].removeprefix("bpf_"), []).append(each)
    for name, row in rows.items():
        known = _declared(name, row, functions, set(rows))
        types = [type_ for _, type_ in row["parameters"]]
        if name in _SPELT:
            row["kinds"] = [kind for kind in _SPELT[name].split(",") if kind]
        elif known:
            first = known[0]
            row["kinds"] = [
                _kind(spelt, size, type_)
                for spelt, size, type_ in zip(first["arguments"], first["sizes"], types, strict=False)
            ]
        if known:
            row["gpl"] = all(each["gpl"] for each in known)
            row["sleeps"] = all(each["sleeps"] for each in known)
            row["picky"] = any(each["picky"] for each in known)
            result = known[0]["result"]
            row["gives"] = _RESULTS.get(result[0], "number") + ("?" if "PTR_MAYBE_NULL" in result[1:] else "")
        fixed = _TYPES.get(name)
        if isinstance(fixed, str):
            row["result"] = fixed
        elif fixed:
            row["parameters"] = [(parameter, fixed.get(parameter, type_)) for parameter, type_ in row["parameters"]]


def callers(rows: dict[str, Row], measured: list[dict[str, list[str]]]) -> None:
    """Put the places from which each may be called into the rows; what is known already stays."""
    for name, row in rows.items():
        row["places"] = row.get("places", set()) | _PLACES.get(name, set())
    for each in measured:
        for place, names in each.items():
            for name in names:
                rows[name]["places"].add(place)
    known = {place for each in measured for place in each}
    for row in rows.values():
        row["places"] = _shortened(row["places"], known)
    for name, places in _ONLY.items():
        rows[name]["places"] = places


def _shortened(places: set[str], known: set[str]) -> set[str]:
    """A program type alone stands for all its attach types."""
    whole = {place.partition(":")[0] for place in places if ":" not in place}
    for program in {place.partition(":")[0] for place in places}:
        attached = {place for place in known if place.startswith(f"{program}:")}
        if attached and attached <= places:
            whole.add(program)
    return whole | {place for place in places if place.partition(":")[0] not in whole}


def present() -> dict[str, Row]:
    """What the present file has."""
    try:
        from beespace.isa.signatures import SIGNATURES
    except ImportError:
        return {}
    return {
        name: {
            "number": found.number, "since": found.since, "gpl": found.gpl, "sleeps": found.sleeps,
            "picky": found.picky, "gives": found.gives, "result": found.result, "places": set(found.places),
            "parameters": [(argument.name, argument.type) for argument in found.arguments],
            "kinds": [argument.kind for argument in found.arguments],
        }
        for name, found in SIGNATURES.items()
    }  # fmt: skip


def _place_order(place: str) -> tuple[int, int]:
    program, _, attach = place.partition(":")
    return int(program), int(attach or -1)


def written(rows: dict[str, Row], docs: dict[str, str]) -> str:
    """The module."""
    template = (ROOT / "tools" / "signatures.template").read_text()
    sets = sorted({" ".join(sorted(row["places"], key=_place_order)) for row in rows.values()})
    out = [template.rstrip(), "", "", "_PLACES = ("]
    out += [f"    {json.dumps(each)}," for each in sets]
    out += [")  # fmt: skip", "", "_TABLE = ("]
    for name, row in sorted(rows.items(), key=lambda item: item[1]["number"]):
        places = sets.index(" ".join(sorted(row["places"], key=_place_order)))
        flags = "".join(letter for letter, key in (("g", "gpl"), ("s", "sleeps"), ("p", "picky")) if row.get(key))
        arguments = ", ".join(
            f"{type_}{'' if type_.endswith('*') else ' '}{parameter}={kind}"
            for (parameter, type_), kind in zip(row["parameters"], row["kinds"], strict=False)
        )
        fields = (row["number"], name, row["since"], flags, row["result"], row["gives"], arguments, places, docs[name])
        out.append(f"    ({', '.join(json.dumps(each) for each in fields)}),")
    out += [")  # fmt: skip", "", "SIGNATURES: dict[str, Signature] = {row[1]: _signature(*row) for row in _TABLE}"]
    return "\n".join(out) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--header", type=Path)
    parser.add_argument("--versions", type=Path)
    parser.add_argument("--measured", type=Path, nargs="*", default=[])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file would change")
    options = parser.parse_args()
    rows = present()
    if options.header:
        for name, found in header(options.header).items():
            rows.setdefault(name, {"since": "", "gives": "number", "kinds": []}).update(found)
        # Its parameters are documented in a comment of another form.
        rows.setdefault("per_cpu_ptr", {"gives": "number", "kinds": []}).update(
            number=153, result="void *", parameters=[("percpu_ptr", "const void *"), ("cpu", "u32")]
        )
    if options.versions:
        for name, since in versions(options.versions).items():
            rows[name]["since"] = since
    measured = [json.loads(path.read_text()) for path in options.measured]
    if any(each["declarations"] for each in measured):
        prototypes(rows, next(each["declarations"] for each in reversed(measured) if each["declarations"]))
    callers(rows, [each["callers"] for each in measured])
    docs = dict(line.split(": ", 1) for line in DOCS.read_text().splitlines())
    text = written(rows, docs)
    if options.check:
        sys.exit(0 if TABLE.exists() and TABLE.read_text() == text else f"{TABLE.name} would change")
    TABLE.write_text(text)


if __name__ == "__main__":
    main()
