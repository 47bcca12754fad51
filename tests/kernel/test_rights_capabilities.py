"""Which rights are needed is what beespace says: tried with every set of capabilities, as a user that is not root."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from itertools import combinations

import pytest

from beespace.isa import MapType, ProgramType
from beespace.kernel import features
from beespace.syscall import capabilities, process

NOBODY = 65534
SPLIT = ("CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN")

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.usefixtures("no_leaks"),
    pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed (util-linux)"),
    pytest.mark.skipif(
        not process.sysctl("kernel.unprivileged_bpf_disabled"), reason="any user may load programs here"
    ),
]

SETS = [set(each) for count in range(4) for each in combinations(SPLIT, count)]
SCRIPT = """
import json
from beespace.kernel import features
rows = [(f.group, f.name, f.available, f.why, f.help)
        for tried in (features.program_types(), features.map_types(), features.attach_kinds()) for f in tried]
print(json.dumps(rows))
"""


def as_nobody(script: str, owned: set[str], *, data: bytes = b"", fds: tuple[int, ...] = ()) -> str:
    """What ``script`` prints when user nobody runs it with exactly these capabilities."""
    names = ",".join(["-all", *(f"+{name.removeprefix('CAP_').lower()}" for name in sorted(owned))])
    command = [
        "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
        f"--bounding-set={names}", f"--inh-caps={names}", f"--ambient-caps={names}",
        sys.executable, "-W", "error", "-c", script,
    ]  # fmt: skip
    path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, input=data, capture_output=True, check=False, env=os.environ | path, pass_fds=fds)
    if done.returncode and b"Permission denied" in done.stderr and b"Traceback" not in done.stderr:
        pytest.skip("user nobody may not run this interpreter")
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


Rows = dict[tuple[str, str], tuple[bool, str, str]]


@pytest.fixture(scope="module", params=SETS, ids=lambda owned: "+".join(sorted(owned)) or "none")
def tried(request: pytest.FixtureRequest) -> tuple[set[str], Rows]:
    owned: set[str] = request.param
    rows = json.loads(as_nobody(SCRIPT, owned))
    return owned, {(group, name): (available, why, help) for group, name, available, why, help in rows}


def check(owned: set[str], needs: tuple[str, ...], answer: tuple[bool, str, str], root: bool) -> str | None:
    """What is wrong with an answer."""
    available, why, help = answer
    lacking = [name for name in needs if name not in owned]
    if not lacking:
        return None if available is root else f"root: {root}, but with {', '.join(needs)}: {why or available}"
    if available:
        return f"did not need {' and '.join(lacking)}"
    if root and not why.startswith(f"this process (user {NOBODY}) lacks {' and '.join(lacking)}"):
        return f"lacks {' and '.join(lacking)}, but says: {why}"
    if root and not help.startswith("run it as root, or grant "):
        return f"no help: {help}"
    return None


def test_programs(tried: tuple[set[str], Rows]) -> None:
    owned, rows = tried
    wrong = {}
    for kind in ProgramType:
        if kind is ProgramType.UNSPEC:
            continue
        name = kind.name.lower()
        root = features.program_type(kind).available
        said = check(owned, capabilities.for_program(kind), rows["program", name], root)
        if said:
            wrong[name] = said
    assert wrong == {}


def test_maps(tried: tuple[set[str], Rows]) -> None:
    owned, rows = tried
    wrong = {}
    for (group, name), answer in rows.items():
        if group != "map":
            continue
        kind = MapType[name.upper()]
        said = check(owned, capabilities.for_map(kind), answer, features.map_type(kind).available)
        if said:
            wrong[name] = said
    assert wrong == {}


def test_every_refusal_names_something(tried: tuple[set[str], Rows]) -> None:
    """A capability is named wherever root can do it: nobody has less than the kernel asks for, and nothing else."""
    owned, rows = tried
    wrong = {}
    for (group, name), (available, why, help) in rows.items():
        if group != "attach" or available or not features.attach_kind(name).available:
            continue
        named = [capability for capability in process.CAPABILITIES if capability in why]
        if not named or set(named) & owned or "grant" not in help:
            wrong[name] = why
    assert wrong == {}


def test_what_is_attached_with_all_three(tried: tuple[set[str], Rows]) -> None:
    owned, rows = tried
    if owned != set(SPLIT):
        return
    for name in ("raw tracepoint", "btf tracepoint", "iterator task", "tcx", "network namespace"):
        if features.attach_kind(name).available:
            assert rows["attach", name][0], rows["attach", name]


PERF = """
from beespace.errors import NotPermitted
from beespace.syscall import perf
try:
    perf.perf_event_open(perf.TYPE_SOFTWARE, perf.SOFTWARE_DUMMY).close()
    print("opened")
except NotPermitted as error:
    print(error.missing)
"""


def test_performance_events_name_their_setting() -> None:
    level = process.sysctl("kernel.perf_event_paranoid")
    said = as_nobody(PERF, set()).strip()
    if level is not None and level < 1:
        assert said == "opened"
    else:
        assert said == f"this process (user {NOBODY}) lacks CAP_PERFMON (kernel.perf_event_paranoid = {level})"
    allowed = {"opened"}
    if level is not None and level > 2:  # a level of Debian's own, which takes more than CAP_PERFMON
        allowed.add(f"this process (user {NOBODY}) lacks CAP_SYS_ADMIN (kernel.perf_event_paranoid = {level})")
    assert as_nobody(PERF, {"CAP_PERFMON"}).strip() in allowed
