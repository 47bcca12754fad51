"""What beespace makes of a folder of BPF objects, held against what another loader makes of them.

    python tools/compare_objects.py FOLDER --output ours.jsonl
    python tools/compare_objects.py FOLDER --verdicts ours.jsonl --against theirs.jsonl

Every object is loaded whole, then each of its programs alone, each time in a child process with limits of
time and memory.  Nothing is attached.  All this happens in a mount namespace of its own with a bpffs of its
own, so that maps which objects pin by name are gone with the run.  ``--stage read`` only reads the files and
needs no rights.

A verdict is one JSON object a line; any runner of any loader can write the same::

    object   the file's path below the folder
    program  the one program that was asked for; null: the whole object
    btf      the name of the file with kernel types that was given (--btf); left out if none was
    verdict  "ok"; "open": refused when read; "load": refused when loaded; "timeout"; "crash"
    errno    of the system call that was refused; 0 if none was
    reason   why, in the loader's own words
    ms       how long it took

An object that is refused when read has no lines for its programs.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import fnmatch
import json
import os
import re
import resource
import select
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from beespace.btf import Btf  # noqa: E402
from beespace.elf import read  # noqa: E402
from beespace.errors import BeespaceError, KernelError  # noqa: E402
from beespace.kernel import load, vmlinux_btf  # noqa: E402
from beespace.spec import ObjectSpec  # noqa: E402

Verdict = dict[str, Any]
Key = tuple[str, str | None, str | None]

#: How a pair of verdicts is counted, the good first.
KINDS = (
    "both accept",
    "both refuse, same errno",
    "both refuse, one without errno",
    "both refuse, other errno",
    "accepted by them only",
    "accepted by us only",
    "in one file only",
)
_EXPLAINED = KINDS[2:]  # these are listed with their reasons
_DIFFERENT = KINDS[4:]  # these are failures
#: What differs between two messages that say the same, and what stands for it.
_PARTICULARS = (
    (r",? at \S+:\d+: .*", ""),
    (r"'[^']*'|\"[^\"]*\"|`[^`]*`", "'...'"),
    (r"\b\w+\(\)", "...()"),
    (r"(?<=field )[\w.]+|(?<=struct )\w+|(?<=union )\w+|(?<=member )\w+|(?<=enumerator )\w+", "..."),
    (r"0x[0-9a-f]+|\d+", "N"),
)
_STOPPED = ("timeout", "crash")
_CLONE_NEWNS = 0x00020000
_MS_REC_PRIVATE = 0x4000 | 1 << 18


# -- what we make of objects ---------------------------------------------------------------------------------


def attempt(work: Callable[[], Verdict], seconds: float, megabytes: int) -> Verdict:
    """``work()`` in a child process: its verdict, or "timeout" or "crash"."""
    start = time.monotonic()
    near, far = os.pipe()
    child = os.fork()
    if not child:
        _work(work, far, megabytes)
    os.close(far)
    data, in_time = _everything(near, start + seconds)
    os.close(near)
    if not in_time:
        os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if not in_time:
        found = {"verdict": "timeout", "errno": 0, "reason": f"longer than {seconds:.0f} s"}
    elif status:
        found = {"verdict": "crash", "errno": 0, "reason": f"ended with {status}"}
    else:
        found = json.loads(data)
    return found | {"ms": round((time.monotonic() - start) * 1000, 1)}


def _work(work: Callable[[], Verdict], far: int, megabytes: int) -> None:
    """The child: it never returns."""
    status = 1
    try:
        # Not the address space: an arena alone may take 4 GiB of it, shared and mostly empty.
        resource.setrlimit(resource.RLIMIT_DATA, (megabytes << 20, megabytes << 20))
        data = json.dumps(work()).encode()
        while data:
            data = data[os.write(far, data) :]
        status = 0
    finally:
        os._exit(status)


def _everything(near: int, deadline: float) -> tuple[bytes, bool]:
    """All that comes until the end, and whether that was before the deadline."""
    data = b""
    while select.select([near], [], [], max(deadline - time.monotonic(), 0))[0]:
        more = os.read(near, 1 << 16)
        if not more:
            return data, True
        data += more
    return data, False


def judge(stage: str, work: Callable[[], object]) -> Verdict:
    """``work()`` as a verdict: what :class:`BeespaceError` says is refused, everything else is a bug."""
    try:
        work()
    except BeespaceError as error:
        number = error.errno if isinstance(error, KernelError) else 0
        log: str = getattr(error, "log", "")
        told = "\n".join([str(error), *getattr(error, "__notes__", ())])
        return {"verdict": stage, "errno": number, "reason": told, "log": log[-2000:]}
    except Exception as error:
        return {"verdict": "crash", "errno": 0, "reason": f"{type(error).__name__}: {error}{_where(error)}"}
    return {"verdict": "ok", "errno": 0, "reason": ""}


def _where(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f" ({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})"


def verdicts(folder: Path, names: Iterable[str], options: argparse.Namespace) -> Iterator[Verdict]:
    """Every verdict on these files of ``folder``, in their order."""
    types = None if options.btf is None else Btf(_types(options.btf))
    given = {} if options.btf is None else {"btf": options.btf.name}
    if options.stage == "load" and types is None:
        vmlinux_btf()  # once, before there are children
    for name in names:
        path = folder / name

        def one(program: str | None, work: Callable[..., Verdict], *about: object, name: str = name) -> Verdict:
            found = attempt(partial(work, *about), options.timeout, options.memory)
            return {"object": name, "program": program} | given | found

        if options.stage == "read" or options.what == "programs":
            first = one(None, _reading, path)
            if options.stage == "read" or first["verdict"] != "ok":
                yield first
        else:
            first = one(None, _whole, path, types)
            yield first
        if options.stage == "read" or options.what == "objects" or first["verdict"] == "open":
            continue
        if first["verdict"] in _STOPPED and one(None, _reading, path)["verdict"] != "ok":
            continue
        spec = _read(path)  # a child has shown that this ends well
        for program in spec.programs:
            yield one(program, _loading, spec, types, program)


def _reading(path: Path) -> Verdict:
    return judge("open", lambda: _read(path))


def _loading(spec: ObjectSpec, types: Btf | None, program: str | None) -> Verdict:
    return judge("load", lambda: _load(spec, types, program))


def _whole(path: Path, types: Btf | None) -> Verdict:
    found: list[ObjectSpec] = []
    opened = judge("open", lambda: found.append(_read(path)))
    return _loading(found[0], types, None) if found else opened


def _read(path: Path) -> ObjectSpec:
    return read(path.read_bytes(), path.name.removesuffix(".o").removesuffix(".bpf"))


def _load(spec: ObjectSpec, types: Btf | None, program: str | None) -> None:
    load(spec, btf=types, programs=None if program is None else [program]).close()


def _types(path: Path) -> bytes:
    """Raw BTF, or that of an ELF file."""
    data = path.read_bytes()
    if data[:4] != b"\x7fELF":
        return data
    spec = read(data, path.name)
    return spec.btf


def apart() -> None:
    """A mount namespace and a bpffs of our own; without the right to have them, things stay as they are."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) or libc.mount(None, b"/", None, _MS_REC_PRIVATE, None):
        print("no mount namespace of our own: what objects pin will stay", file=sys.stderr)
    elif libc.mount(b"bpf", b"/sys/fs/bpf", b"bpf", 0, None):
        print(f"no bpffs of our own: {os.strerror(ctypes.get_errno())}", file=sys.stderr)


# -- ours beside theirs --------------------------------------------------------------------------------------


def read_verdicts(path: Path) -> dict[Key, Verdict]:
    """A file of verdicts, by object, program and types."""
    with path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file if line.strip()]
    return {(row["object"], row.get("program"), row.get("btf")): row for row in rows}


def kind(ours: Verdict, theirs: Verdict) -> str:
    """Which of :data:`KINDS` a pair of verdicts is."""
    accepted = ours["verdict"] == "ok", theirs["verdict"] == "ok"
    if all(accepted):
        return "both accept"
    if any(accepted):
        return "accepted by us only" if accepted[0] else "accepted by them only"
    if theirs["verdict"] in _STOPPED or ours["verdict"] in _STOPPED:
        return "both refuse, other errno"
    if ours["verdict"] == theirs["verdict"] == "open" or ours["errno"] == theirs["errno"]:
        return "both refuse, same errno"
    # What a loader finds out by itself, before it asks the kernel, has the errno that its author chose, or none.
    return "both refuse, other errno" if ours["errno"] and theirs["errno"] else "both refuse, one without errno"


def compare(ours: dict[Key, Verdict], theirs: dict[Key, Verdict]) -> dict[str, list[tuple[Key, str]]]:
    """For each kind, the keys of its pairs and what to print about them."""
    found: dict[str, list[tuple[Key, str]]] = {each: [] for each in KINDS}
    refused = {key[::2] for rows in (ours, theirs) for key, row in rows.items() if row["verdict"] == "open"}
    for key in sorted({*ours, *theirs}, key=lambda key: (key[0], key[1] or "", key[2] or "")):
        here, there = ours.get(key), theirs.get(key)
        if here is None or there is None:
            if key[1] is None or key[::2] not in refused:  # programs of what cannot be read are nowhere
                found["in one file only"].append((key, "theirs" if here is None else "ours"))
            continue
        which = kind(here, there)
        say = {
            "accepted by them only": f"we: {_short(here)}",
            "accepted by us only": f"they: {_short(there)}",
        }.get(which, f"we: {_short(here)} | they: {_short(there)}")
        found[which].append((key, say))
    return found


def _short(verdict: Verdict) -> str:
    """One line that is the same for all that are refused for the same reason."""
    number = verdict["errno"]
    name = errno.errorcode.get(number, str(number)) if number else verdict["verdict"]
    line = next((line for line in verdict["reason"].splitlines() if line.strip()), "")
    for pattern, instead in _PARTICULARS:
        line = re.sub(pattern, instead, line)
    return f"{name}: {line[:200]}"


def table(found: dict[str, list[tuple[Key, str]]], names: int) -> Iterator[str]:
    """The counts, then what differs by reason, the most frequent first, with ``names`` examples."""
    yield f"{'':32} {'objects':>8} {'programs':>9}"
    for which, rows in found.items():
        whole = sum(key[1] is None for key, _ in rows)
        yield f"{which:32} {whole:>8} {len(rows) - whole:>9}"
    for which in _EXPLAINED:
        reasons = Counter(say for _, say in found[which])
        for reason, count in reasons.most_common():
            yield f"\n{which}, {count}: {reason}"
            shown = [key for key, say in found[which] if say == reason][:names]
            yield from (f"    {' '.join(str(part) for part in key if part is not None)}" for key in shown)


# -- the command ---------------------------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the objects are: every *.o in it and below")
    parser.add_argument("--only", action="append", metavar="GLOB", help="only these paths below the folder")
    parser.add_argument("--skip", action="append", default=[], metavar="GLOB", help="not these")
    parser.add_argument("--list", type=Path, metavar="FILE", help="the paths below the folder, one a line")
    parser.add_argument("--stage", choices=("read", "load"), default="load")
    parser.add_argument("--what", choices=("objects", "programs", "both"), default="both")
    parser.add_argument("--btf", type=Path, metavar="FILE", help="kernel types to relocate to (raw BTF or ELF)")
    parser.add_argument("--timeout", type=float, default=60, metavar="SECONDS", help="of each attempt")
    parser.add_argument("--memory", type=int, default=2048, metavar="MIB", help="of each attempt")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the verdicts there, not to stdout")
    parser.add_argument("--verdicts", type=Path, metavar="FILE", help="compare these verdicts, run nothing")
    parser.add_argument("--against", type=Path, metavar="FILE", help="the verdicts of the other loader")
    parser.add_argument("--names", type=int, default=3, metavar="N", help="examples to each reason (default: 3)")
    options = parser.parse_args(arguments)

    path = options.verdicts or options.output
    if options.against and not path:
        parser.error("--against needs --verdicts or --output")
    if options.verdicts is None:
        if options.stage == "load":
            apart()
        with path.open("w", encoding="utf-8") if path else os.fdopen(os.dup(1), "w") as output:
            for row in verdicts(options.folder, _chosen(options), options):
                print(json.dumps(row), file=output, flush=True)
    if options.against is None:
        return 0
    wanted = set(_chosen(options))
    ours, theirs = (
        {key: row for key, row in read_verdicts(each).items() if key[0] in wanted} for each in (path, options.against)
    )
    found = compare(ours, theirs)
    print("\n".join(table(found, options.names)))
    return int(any(found[which] for which in _DIFFERENT))


def _chosen(options: argparse.Namespace) -> list[str]:
    if options.list:
        names = options.list.read_text(encoding="utf-8").split()
    else:
        names = sorted(str(path.relative_to(options.folder)) for path in options.folder.rglob("*.o"))
    matches = fnmatch.fnmatchcase
    return [
        name
        for name in names
        if (not options.only or any(matches(name, glob) for glob in options.only))
        and not any(matches(name, glob) for glob in options.skip)
    ]


if __name__ == "__main__":
    sys.exit(main())
