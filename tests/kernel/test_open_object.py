"""What clang built, opened, attached, read and detached through the public interface alone."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pace import patience
from readiness import Readiness

import beespace
from beespace.errors import FormatError, UsageError

EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

SOURCE = r"""
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

struct task_struct {
    int tgid;
    struct task_struct *real_parent;
} __attribute__((preserve_access_index));

struct exec_event {
    __u64 number;
    __u32 pid, parent;
    char comm[16];
    _Bool wanted;
};
struct exec_event *unused __attribute__((unused));

const volatile __u32 wanted_parent = 0xffffffff;
const volatile char label[8] = "none";
const volatile _Bool loud = 0;
__u64 seen = 0;
char last_label[8] = "";

struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 65536); } execs SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY); __uint(key_size, 4); __uint(value_size, 4); } copies SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } odd SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16);
    __type(key, __u32);
    __type(value, __u64);
} by_parent SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 4);
    __type(key, __u32);
    __type(value, __u64);
} slots SEC(".maps");

SEC("raw_tp/sched_process_exec")
int exec_of_parent(struct bpf_raw_tracepoint_args *ctx)
{
    struct task_struct *task = (void *)ctx->args[0];
    struct exec_event *event, copy = {};
    __u64 one = 1, *count;
    __u32 slot = 2, parent = BPF_CORE_READ(task, real_parent, tgid);

    if (parent != wanted_parent)
        return 0;
    for (int place = 0; place < 8; place++)
        last_label[place] = label[place];
    copy.number = seen;  // one after the other; an addition that gives the old number is of Linux 5.12
    __sync_fetch_and_add(&seen, 1);
    copy.pid = BPF_CORE_READ(task, tgid);
    copy.parent = parent;
    copy.wanted = 1;
    bpf_get_current_comm(copy.comm, sizeof(copy.comm));
    bpf_perf_event_output(ctx, &copies, BPF_F_CURRENT_CPU, &copy, sizeof(copy));
    bpf_ringbuf_output(&odd, &copy, 12, 0);
    event = bpf_ringbuf_reserve(&execs, sizeof(*event), 0);
    if (event) {
        __builtin_memcpy(event, &copy, sizeof(copy));
        bpf_ringbuf_submit(event, 0);
    }
    count = bpf_map_lookup_elem(&slots, &slot);
    if (count)
        __sync_fetch_and_add(count, 1);
    count = bpf_map_lookup_elem(&by_parent, &parent);
    if (count)
        __sync_fetch_and_add(count, 1);
    else
        bpf_map_update_elem(&by_parent, &parent, &one, BPF_ANY);
    return 0;
}
char LICENSE[] SEC("license") = "GPL";
"""
# Starts /bin/true so often, and says who its parent is.
PARENT = """
import os, subprocess, sys
print(os.getpid(), flush=True)
input()
for _ in range(int(sys.argv[1])):
    subprocess.run(["/bin/true"])
"""


@pytest.fixture
def file(object_file: Callable[[str], Path]) -> Path:
    return object_file(SOURCE)


class Parent:
    """A process that starts three others when told."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PARENT, "3"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.pid = int(self.process.stdout.readline())

    def go(self) -> None:
        self.process.communicate("\n", timeout=patience(60))


def test_variables_ring_hash_and_detach(file: Path) -> None:
    parent = Parent()
    with beespace.open(file, variables={"wanted_parent": parent.pid, "label": "here", "loud": True}) as probe:
        probe.attach()
        events = probe.events("execs")
        assert events.struct == "exec_event"
        parent.go()
        got = list(events.until(timeout=0))
        assert [event.number for event in got] == [0, 1, 2]
        assert {event.parent for event in got} == {parent.pid}
        assert {event.comm for event in got} == {"true"}
        assert all(event.wanted is True for event in got)
        assert dict(probe.maps["by_parent"]) == {parent.pid: 3}
        assert probe.variables["seen"].value == 3
        assert probe.variables["last_label"].value == "here"
        assert events.lost == 0
        probe.detach()
        subprocess.run(["/bin/true"], check=True)
        assert list(events.until(timeout=0)) == []


def test_perf_event_array_gives_the_same(file: Path) -> None:
    parent = Parent()
    with beespace.open(file, variables={"wanted_parent": parent.pid}) as probe:
        probe.attach()
        ring, copies = probe.events("execs"), probe.events("copies")
        parent.go()
        assert sorted(copies.available()) == sorted(ring.available())
        assert copies.lost == 0


def test_columns(file: Path) -> None:
    parent = Parent()
    with beespace.open(file, variables={"wanted_parent": parent.pid}) as probe:
        probe.attach()
        rings = [probe.events("execs"), probe.events("copies")]
        parent.go()
        for ring in rings:
            [batch] = ring.batches(timeout=0)
            assert batch.table == "exec_event"
            rows = sorted(batch.records.to_pylist(), key=lambda row: row["number"])
            assert [row["number"] for row in rows] == [0, 1, 2]
            assert {(row["parent"], row["comm"], row["wanted"]) for row in rows} == {(parent.pid, "true", True)}


def test_an_event_loop(file: Path) -> None:
    async def three(events: Any, parent: Parent) -> list[Any]:
        asyncio.get_running_loop().call_later(0.05, parent.go)
        return [event async for event, _ in _zip(events, range(3))]

    async def _zip(events: Any, numbers: range) -> Any:
        left = iter(numbers)
        async for event in events:
            yield event, next(left)
            if event.number == 2:
                return

    parent = Parent()
    with beespace.open(file, variables={"wanted_parent": parent.pid}) as probe:
        probe.attach()
        got = asyncio.run(asyncio.wait_for(three(probe.events("execs"), parent), 60))
        assert [event.number for event in got] == [0, 1, 2]


def test_which_struct(file: Path) -> None:
    with beespace.open(file) as probe:
        assert set(probe.rings) == {"execs", "copies", "odd"}
        assert probe.events("execs", "exec_event").why == "as asked for"
        assert probe.events("copies").why == "it is the only struct that fits"
        odd = probe.events("odd")
        assert (odd.struct, odd.why) == ("", "no struct of the object has the length of what is put in (12 bytes)")
        with pytest.raises(UsageError, match="did you mean exec_event"):
            probe.events("execs", "exec_evnt")
        with pytest.raises(UsageError, match="name the ring"):
            probe.events()
        with pytest.raises(UsageError, match="no ring 'by_parent'"):
            probe.events("by_parent")


def test_what_is_no_object(tmp_path: Path) -> None:
    (tmp_path / "x.bpf.o").write_bytes(b"\x7fELF" + bytes(20))
    with pytest.raises(FormatError, match="offset"):
        beespace.open(tmp_path / "x.bpf.o")
    with pytest.raises(UsageError, match="No such file"):
        beespace.open(tmp_path / "none.bpf.o")


def test_the_example_opens_any_object(file: Path) -> None:
    parent = Parent()
    command = [sys.executable, str(EXAMPLES / "open_object.py"), str(file), "2", f"wanted_parent={parent.pid}"]
    with subprocess.Popen([*command[:1], "-u", *command[1:]], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "exec_of_parent is attached to raw_tp/sched_process_exec" in process.stdout.readline()
        parent.go()
        rest = process.stdout.read()
    assert process.returncode == 0
    assert rest.count("exec_event(number=") == 6  # from the ring and from the perf event array
    assert "HashMap 'by_parent'" in rest


def run(file: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "beespace", "run", str(file), *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | (environment or {}),
    )  # fmt: skip


def test_run_prints_events_maps_and_variables_as_json(
    file: Path, in_kernel: Callable[[str], set[int]], gone: Callable[..., bool]
) -> None:
    parent = Parent()
    before = in_kernel("exec_of_parent")
    with closing(Readiness()) as readiness:
        process = run(
            file, "-o", "json", "--for", "60s", "--wanted-parent", str(parent.pid), "--label=there",
            environment=readiness.environment,
        )  # fmt: skip
        readiness.wait(process)
    assert len(in_kernel("exec_of_parent") - before) == 1
    parent.go()
    process.terminate()
    out, err = process.communicate(timeout=patience(60))
    assert process.returncode == 0, err
    lines = [json.loads(line) for line in out.splitlines()]
    execs = [line for line in lines if line.get("ring") == "execs"]
    assert [line["number"] for line in execs] == [0, 1, 2]
    assert set(execs[0]) == {"ring", "number", "pid", "parent", "comm", "wanted"}
    assert {(line["comm"], line["wanted"], line["parent"]) for line in execs} == {("true", True, parent.pid)}
    odd = [line for line in lines if line.get("ring") == "odd"]
    assert [bytes.fromhex(line["data"])[:8] for line in odd] == [number.to_bytes(8, "little") for number in range(3)]
    assert "records of odd are shown as hex" in err
    maps = {line["map"]: line["value"] for line in lines if "map" in line}
    assert maps == {"by_parent": [[parent.pid, 3]], "slots": [[2, 3]]}
    variables = {line["variable"]: line["value"] for line in lines if "variable" in line}
    assert variables["seen"] == 3
    assert variables["last_label"] == "there"
    assert gone("exec_of_parent")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--nonsense", "1"], "no option --nonsense"),
        (["--wanted-parent", "many"], "--wanted-parent (__u32) cannot be 'many'"),
        (["--wanted-parent", "-1e9"], "cannot be"),
        (["--wanted-parent", str(1 << 40)], "does not fit"),
        (["--loud", "perhaps"], "takes true or false"),
        (["--label", "far too long"], "label"),
        (["--event", "execs"], "--event takes RING=STRUCT"),
        (["--event", "none=exec_event"], "no ring 'none'"),
        (["--event", "execs=nothing"], "no struct 'nothing'"),
        (["--attach", "interfce=eth0"], "there is no 'interfce'"),
        (["--only", "absent"], "no program 'absent'"),
    ],
)
def test_run_says_what_is_wrong(file: Path, arguments: list[str], message: str) -> None:
    process = run(file, "--for", "100ms", *arguments)
    out, err = process.communicate(timeout=patience(60))
    assert process.returncode == 2, err
    assert message in err
    assert "Traceback" not in err
    assert out == ""


def test_run_lists_an_objects_options(file: Path) -> None:
    out, _ = run(file, "--help").communicate(timeout=patience(60))
    assert "options of probe.bpf.o:" in out
    assert "--wanted-parent" in out
    assert "default: 'none'" in out
