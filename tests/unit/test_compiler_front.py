"""The front half: Python to IR, without a kernel and without LLVM."""

from __future__ import annotations

import inspect
import linecache
from pathlib import Path

import pytest

from beespace import lang
from beespace import types as kinds
from beespace.btf import Btf
from beespace.compiler import ir, lost_index, lower
from beespace.compiler.ir.walk import walk
from beespace.compiler.statements import statements
from beespace.compiler.words import WORDS
from beespace.errors import CompileError, InternalError, UsageError
from beespace.lang import Array, Counter, Hash, Interval, Program, Ring, Struct, bpf, function, raw_tracepoint
from beespace.types import u32, u64

TYPES = Path(__file__).parent.parent / "golden" / "kernel.btf"


@pytest.fixture(scope="module")
def btf() -> Btf:
    return Btf(TYPES.read_bytes())


def program(body: str, members: str = "", *, hook: str = '@raw_tracepoint("sched_process_exit")') -> type[Program]:
    """A program from text, as a notebook cell has it."""
    lines = ["class Probe(Program):", *(f"    {line}" for line in members.splitlines()), f"    {hook}",
             "    def on_event(self, ctx):", *(f"        {line}" for line in body.splitlines())]  # fmt: skip
    text = "\n".join(lines) + "\n"
    file = f"<cell {abs(hash(text))}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    scope = {**{name: getattr(lang, name) for name in lang.__all__}, **vars(kinds), "__name__": __name__}
    exec(compile(text, file, "exec"), scope)
    return scope["Probe"]


def functions(btf: Btf, body: str, members: str = "", **where: str) -> dict[str, ir.Function]:
    module = lower(program(body, members, **where).declaration(), btf)
    return {found.name: found for found in module.functions}


def nodes(btf: Btf, kind: type, body: str, members: str = "", **where: str) -> list:
    return [node for node in walk(functions(btf, body, members, **where)["on_event"].body) if isinstance(node, kind)]


def mistakes(btf: Btf, body: str, members: str = "", **where: str) -> list[str]:
    with pytest.raises(CompileError) as caught:
        lower(program(body, members, **where).declaration(), btf)
    return [type(found).__name__ for found in caught.value.diagnostics]


STATS = "flows = Hash(key=u32, value=u64)\ntotal = Counter()\n"


def test_words_are_those_of_the_language() -> None:
    public = {name for name, found in vars(bpf).items() if inspect.isfunction(found) and not name.startswith("_")}
    assert set(WORDS) == public
    for name, (count, _) in WORDS.items():
        assert len(inspect.signature(getattr(bpf, name)).parameters) == count, name


def test_the_same_source_gives_the_same_module(btf: Btf) -> None:
    made = program("self.flows[bpf.pid()] += 1\nself.total += 1", STATS)
    assert lower(made.declaration(), btf) == lower(made.declaration(), btf)


def test_no_path_of_this_machine_is_in_the_module(btf: Btf) -> None:
    from beespace.probes.flows import Flows

    probes = Path(inspect.getfile(lang)).parent.parent / "probes" / "objects" / "kernel.btf"
    module = lower(Flows.declaration(), Btf(probes.read_bytes()))
    assert [source.file for source in module.sources] == ["beespace/probes/flows/probe.py"]
    assert str(Path.home()) not in repr(module.functions)


def test_a_program_that_says_nothing_returns_its_verdict(btf: Btf) -> None:
    for hook, verdict in (('@cgroup_skb("egress")', 1), ('@raw_tracepoint("sched_process_exit")', 0)):
        (returned,) = nodes(btf, ir.Return, "pass", hook=hook)
        assert returned.value == ir.Const(verdict, ir.I32)


def test_adding_to_a_map_is_atomic_and_counts_what_is_lost(btf: Btf) -> None:
    made = program("self.flows[bpf.pid()] += 3", STATS)
    module = lower(made.declaration(), btf)
    adds = [node for node in walk(module.functions[0].body) if isinstance(node, ir.AtomicAdd)]
    assert len(adds) == 2
    assert [definition.name for definition in module.maps] == ["flows", "total", "beespace_lost"]
    assert module.maps[-1].max_entries == 2
    assert [lost_index(made.declaration(), name) for name in ("flows", "total")] == [0, 1]
    with pytest.raises(KeyError):
        lost_index(made.declaration(), "nothing")


def test_the_name_of_a_thread_is_written_over_zeroes(btf: Btf) -> None:
    """Linux 6.1 leaves what follows the name as it was: garbage in a key makes one name many keys."""
    body = walk(functions(btf, "self.names[bpf.comm()] = 1", "names = Hash(key=text(16), value=u64)")["on_event"].body)
    order = [node for node in body if isinstance(node, ir.Zero | ir.Helper)]
    (at,) = [place for place, node in enumerate(order) if getattr(node, "name", "") == "get_current_comm"]
    zeroed = [node for node in order[:at] if isinstance(node, ir.Zero)]
    assert [(node.pointer, node.size) for node in zeroed] == [(order[at].arguments[0], 16)]


def test_without_anything_to_lose_there_is_no_counter(btf: Btf) -> None:
    module = lower(program("self.total += 1", STATS).declaration(), btf)
    assert [definition.name for definition in module.maps] == ["flows", "total"]


def test_map_definitions(btf: Btf) -> None:
    class Key(Struct):
        number: u32

    class Seen(lang.Event):
        number: u32

    class Probe(Program):
        limit: u32 = 7
        big = Interval(key=Key, value=u64, max_entries=100)
        seen = Ring(Seen, size="8 KiB")
        last = lang.Global(u32, 5)
        none = lang.Global(Key)

        @raw_tracepoint("sched_process_exit")
        def on_event(self, ctx):
            pass

    module = lower(Probe.declaration(), btf)
    big, seen = module.maps
    assert (big.type, big.value_size, big.max_entries, big.inner.type, big.inner.max_entries) == (12, 4, 1, 1, 100)
    assert (seen.type, seen.key, seen.max_entries, module.events) == (27, None, 8192, (Seen,))
    assert [(item.name, item.section.value, item.initial) for item in module.globals] == [
        ("limit", ".rodata", b"\7\0\0\0"), ("last", ".data", b"\5\0\0\0"), ("none", ".bss", bytes(4)),
    ]  # fmt: skip


NARROWED = {
    "early return": "v = self.flows.get(1)\nif v is None:\n    return\nself.total += v",
    "inside": "v = self.flows.get(1)\nif v is not None:\n    self.total += v",
    "equality": "v = self.flows.get(1)\nif v != None:\n    self.total += v",
    "walrus": "if (v := self.flows.get(1)) is not None:\n    self.total += v",
    "and": "v = self.flows.get(1)\nif v is not None and v > 3:\n    self.total += v",
    "or": "v = self.flows.get(1)\nif v is None or v == 0:\n    return\nself.total += v",
    "not": "v = self.flows.get(1)\nif not (v is None):\n    self.total += v",
    "truth": "v = self.flows.get(1)\nif v:\n    self.total += v",
    "two": "v = self.flows.get(1)\nw = self.flows.get(2)\nif v is not None and w is not None:\n    self.total += v + w",
    "choice": "v = self.flows.get(1)\nself.total += v if v is not None else 0",
    "default": "self.total += self.flows.get(1) or 5",
    "continue": "for i in range(4):\n    if (v := self.flows.get(i)) is None:\n        continue\n    self.total += v",
    "break": "for i in range(4):\n    v = self.flows.get(i)\n    if v is not None:\n        break\nelse:\n    return\n"
             "self.total += v",
    "reassigned": "v = self.flows.get(1)\nif v is None:\n    v = 7\nself.total += v",
    "none first": "v = None\nif bpf.cpu() == 0:\n    v = bpf.task().mm\nif v is not None:\n    self.total += v.arg_end",
}  # fmt: skip


@pytest.mark.parametrize("body", NARROWED.values(), ids=NARROWED)
def test_narrowed(body: str, btf: Btf) -> None:
    assert functions(btf, body, STATS)


NOT_NARROWED = {
    "other branch": "v = self.flows.get(1)\nif v is None:\n    self.total += v",
    "and may be skipped": "v = self.flows.get(1)\nif v is not None and bpf.cpu() == 0:\n    pass\nself.total += v",
    "or": "v = self.flows.get(1)\nif v is not None or bpf.cpu() == 0:\n    self.total += v",
    "other name": "v = self.flows.get(1)\nw = self.flows.get(2)\nif v is not None:\n    self.total += w",
    "assigned again": "v = self.flows.get(1)\nif v is None:\n    return\nv = self.flows.get(2)\nself.total += v",
    "next round": "v = self.flows.get(1)\nif v is None:\n    return\nfor i in range(3):\n    self.total += v\n"
                  "    v = self.flows.get(i)",
    "after the loop": "v = self.flows.get(1)\nif v is None:\n    return\nfor i in range(3):\n"
                      "    v = self.flows.get(i)\nself.total += v",
    "continue in between": "v = self.flows.get(1)\nif v is None:\n    return\nfor i in range(3):\n    self.total += v\n"
                           "    if i == 1:\n        v = self.flows.get(7)\n        continue\n    v = 1",
}  # fmt: skip


@pytest.mark.parametrize("body", NOT_NARROWED.values(), ids=NOT_NARROWED)
def test_not_narrowed(body: str, btf: Btf) -> None:
    assert mistakes(btf, body, STATS) == ["MayBeNone"]


ASSIGNED = {
    "both branches": "if bpf.cpu() == 0:\n    x: u64 = 1\nelse:\n    x = 2\nself.total += x",
    "one returns": "if bpf.cpu() == 0:\n    x: u64 = 1\nelse:\n    return\nself.total += x",
    "certain loop": "for i in range(3):\n    x: u64 = 1\nself.total += x + u64(i)",
    "every break": "for i in range(3):\n    x: u64 = 1\n    if bpf.cpu() == i:\n        break\nself.total += x",
    "match": "match bpf.cpu():\n    case 0:\n        x: u64 = 1\n    case _:\n        x = 2\nself.total += x",
}
UNASSIGNED = {
    "dynamic loop": "for i in range(min(bpf.cpu(), 3)):\n    x: u64 = 1\nself.total += x",
    "early break": "for i in range(3):\n    if bpf.cpu() == i:\n        break\n    x: u64 = 1\nself.total += x",
    "and": "if bpf.cpu() == 0 and (x := bpf.now()) > 0:\n    pass\nself.total += x",
    "match": "match bpf.cpu():\n    case 0:\n        x: u64 = 1\nself.total += x",
    "later round": "for i in range(3):\n    if i > 0:\n        self.total += x\n    x: u64 = 1",
}


@pytest.mark.parametrize("body", ASSIGNED.values(), ids=ASSIGNED)
def test_assigned(body: str, btf: Btf) -> None:
    assert functions(btf, body, STATS)


@pytest.mark.parametrize("body", UNASSIGNED.values(), ids=UNASSIGNED)
def test_unassigned(body: str, btf: Btf) -> None:
    assert mistakes(btf, body, STATS) == ["NotAssigned"]


SLOTS = "slots = Array(u64, 10)\ntotal = Counter()\nlimit: u32 = 3\n"
BOUNDED = {
    "modulo": "self.slots[bpf.cpu() % 10] += 1",
    "mask": "self.slots[bpf.cpu() & 7] += 1",
    "min": "self.slots[min(bpf.cpu(), 9)] += 1",
    "shift": "self.slots[bpf.random() >> 29] += 1",
    "checked": "i = bpf.cpu()\nif i < 10:\n    self.slots[i] += 1",
    "checked early": "i = bpf.cpu()\nif i >= 10:\n    return\nself.slots[i] += 1",
    "chain": "i = i32(bpf.random())\nif 0 <= i < 10:\n    self.slots[i] += 1",
    "loop": "for i in range(10):\n    self.slots[i] += 1",
    "loop from the end": "for i in range(9, -1, -1):\n    self.slots[i] += 1",
    "option": "if self.limit < 10:\n    self.slots[self.limit] += 1",
    "divisor": "d = bpf.cpu()\nif d != 0:\n    self.total += bpf.now() // d",
    "divisor is true": "d = bpf.cpu()\nif d:\n    self.total += bpf.now() % d",
    "divisor in a choice": "self.total += u64(ctx.len // ctx.gso_size) if ctx.gso_size > 0 else 1",
    "divisor early": "d = bpf.cpu()\nif d == 0 or d > 100:\n    return\nself.total += 1000 // u64(d)",
}
UNBOUNDED = {
    "too far": "self.slots[bpf.cpu() % 11] += 1",
    "mask": "self.slots[bpf.cpu() & 15] += 1",
    "checked too late": "i = bpf.cpu()\nself.slots[i] += 1\nif i < 10:\n    return",
    "changed since": "i = bpf.cpu()\nif i < 10:\n    i += 1\n    self.slots[i] += 1",
    "changed inside": "i = bpf.cpu()\nif i < 9:\n    for _ in range(3):\n        self.slots[i] = 1\n        i += 1",
    "negative": "i = i32(bpf.random())\nif i < 10:\n    self.slots[i] += 1",
    "wrong side": "i = bpf.cpu()\nif not i < 10:\n    self.slots[i] += 1",
    "loop": "for i in range(11):\n    self.slots[i] += 1",
}
UNDIVIDED = {
    "nothing known": "self.total += bpf.now() // bpf.now()",
    "wrong side": "d = bpf.cpu()\nif d == 0:\n    self.total += bpf.now() // d",
    "changed since": "d = bpf.cpu()\nif d != 0:\n    d -= 1\n    self.total += bpf.now() // d",
    "may wrap": "self.total += bpf.now() // (bpf.now() + 1)",
}


@pytest.mark.parametrize("body", BOUNDED.values(), ids=BOUNDED)
def test_bounded(body: str, btf: Btf) -> None:
    assert functions(btf, body, SLOTS, hook='@cgroup_skb("egress")')


@pytest.mark.parametrize("body", UNBOUNDED.values(), ids=UNBOUNDED)
def test_unbounded(body: str, btf: Btf) -> None:
    assert mistakes(btf, body, SLOTS) == ["IndexOutOfRange"]


@pytest.mark.parametrize("body", UNDIVIDED.values(), ids=UNDIVIDED)
def test_undivided(body: str, btf: Btf) -> None:
    assert mistakes(btf, body, SLOTS) == ["DivisorMayBeZero"]


def test_loops_of_any_length(btf: Btf) -> None:
    assert mistakes(btf, "for i in range(10**30):\n    pass") == ["LoopTooLong"]
    assert mistakes(btf, "for i in range(bpf.now()):\n    pass") == ["LoopUnbounded"]
    assert mistakes(btf, "for i in range(10**30, 0, -1):\n    pass") == ["LoopTooLong"]
    loops = nodes(btf, ir.Loop, "for i in range(7, 7):\n    pass\nfor i in range(0, 7, 3):\n    pass")
    assert [loop.limit for loop in loops] == [0, 3]


def test_one_mistake_is_one_message(btf: Btf) -> None:
    body = "x = bpf.nothing()\ny = x + 1\nif y > 3:\n    self.total += y\nz = bpf.pid() / 2\n"
    assert mistakes(btf, body, STATS) == ["NoWord", "NotSupported"]


def test_a_mistake_in_a_loop_that_is_compiled_twice_is_said_once(btf: Btf) -> None:
    body = (
        "v = None\nfor i in range(3):\n    self.lose()\n    if v is not None:\n        self.total += v.arg_end\n"
        "    v = bpf.task().mm"
    )
    members = STATS + "@function\ndef lose(self):\n    x = bpf.nothing()\n"
    assert mistakes(btf, body, members) == ["NoWord"]


def test_a_mistake_in_a_loop_is_found_again_when_it_is_compiled_again(btf: Btf) -> None:
    body = "best = None\nfor key, value in self.flows.items():\n    if best is None:\n        best = value"
    assert mistakes(btf, body, STATS) == ["VariableType"]


def test_a_local_may_be_none_until_a_round_of_a_loop_finds_something(btf: Btf) -> None:
    for test in ("best is None or task.pid < best.pid", "best is not None and task.pid > best.pid"):
        body = (
            f"best = None\nfor i in range(9):\n    task = bpf.task().real_parent\n    if {test}:\n        best = task"
        )
        body += "\nif best is not None:\n    self.total += u64(u32(best.pid))"
        assert nodes(btf, ir.KernelField, body, STATS)


def test_sub_programs_are_compiled_once(btf: Btf) -> None:
    members = STATS + "@function\ndef twice(self, n: u64):\n    return n * 2\n"
    made = functions(btf, "self.total += self.twice(self.twice(bpf.now()))", members)
    assert list(made) == ["twice", "on_event"]
    assert made["twice"].result == ir.U64


def test_what_a_closure_holds_is_a_constant(btf: Btf) -> None:
    threshold = 12

    class Probe(Program):
        total = Counter()

        @raw_tracepoint("sched_process_exit")
        def on_event(self, ctx):
            self.add(threshold)

        @function
        def add(self, n: u32):
            self.total += u64(n)

    module = lower(Probe.declaration(), btf)
    (call,) = [node for node in walk(module.functions[1].body) if isinstance(node, ir.Call)]
    assert call.arguments == (ir.Const(12, ir.U32),)


def test_inherited_methods_have_their_own_file(btf: Btf) -> None:
    base = program("self.total += 1", STATS)

    class Derived(base):  # type: ignore[misc, valid-type]
        more = Array(u64, 4)

        @raw_tracepoint("sched_process_exec")
        def on_exec(self, ctx):
            self.more[1] += 1

    module = lower(Derived.declaration(), btf)
    assert len(module.sources) == 2
    assert {node.span.file for node in module.functions} == {source.file for source in module.sources}


def test_source_that_is_not_there(btf: Btf) -> None:
    scope = {**{name: getattr(lang, name) for name in lang.__all__}}
    exec('class Probe(Program):\n    @raw_tracepoint("x")\n    def on_event(self, ctx):\n        pass\n', scope)
    with pytest.raises(CompileError, match=r"the source text of Probe\.on_event"):
        lower(scope["Probe"].declaration(), btf)


def test_a_class_without_programs(btf: Btf) -> None:
    class Probe(Program):
        flows = Hash(key=u32, value=u64)

    with pytest.raises(UsageError, match="no kernel-side method"):
        lower(Probe.declaration(), btf)


def test_a_bug_of_ours_is_not_a_mistake_of_the_authors(btf: Btf, monkeypatch: pytest.MonkeyPatch) -> None:
    import ast

    monkeypatch.setitem(statements.NODES, ast.Pass, lambda frame, node: 1 // 0)
    with pytest.raises(InternalError, match=r"(?s)compiling <cell \d+>:4 \(pass\): ZeroDivisionError.*report"):
        lower(program("pass").declaration(), btf)


def test_every_node_of_python_is_known_or_refused() -> None:
    import ast

    from beespace.compiler.expressions import expressions

    for base, known, refused in (
        (ast.expr, expressions.NODES, expressions._REFUSED),
        (ast.stmt, statements.NODES, statements._REFUSED),
    ):
        named = set(known) | set(refused)
        missing = {node.__name__ for node in base.__subclasses__() if node not in named}
        # FormattedValue stands in an f-string only; the rest is of later Pythons.
        assert missing <= {"FormattedValue", "TryStar", "TypeAlias", "TemplateStr", "Interpolation"}


@pytest.mark.parametrize(
    ("hook", "body", "stored"),
    [
        ('@cgroup_sock_addr("connect6")', "ctx.user_ip6[0] = 1\nctx.user_ip6[3] = 2", [(8, 32), (20, 32)]),
        ('@cgroup_sock_addr("sendmsg6")', "ctx.msg_src_ip6[1] = 1\nctx.user_port = 7", [(48, 32), (24, 32)]),
        ('@cgroup_skb("egress")', "ctx.cb[4] += 3", [(64, 32)]),
        ('@flow_dissector', "ctx.flow_keys.ipv6_dst[2] = 1", [(40, 32)]),
    ],
)  # fmt: skip
def test_elements_of_a_context_are_stored_whole(btf: Btf, hook: str, body: str, stored: list[tuple[int, int]]) -> None:
    """Each by one store of its own size, which is what the kernel takes (struct bpf_sock_addr, __sk_buff)."""
    stores = nodes(btf, ir.Store, body, hook=hook)
    assert [(each.pointer.offset, 8 * each.value.type.size) for each in stores] == stored
