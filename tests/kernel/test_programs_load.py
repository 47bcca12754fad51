"""Loading programs: what is chosen, alternatives, logs, extensions of other programs."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from beespace.errors import KernelError, NotPermitted, NotSupported, UsageError, VerifierError
from beespace.kernel import KernelProgram, LoadedObject, features, load, loading, open_program, statistics
from beespace.spec import FunctionSpec, ObjectSpec, ProgramSpec
from beespace.syscall import bpf, mounts

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

Compile = Callable[..., ObjectSpec]
InKernel = Callable[[str], set[int]]
Gone = Callable[..., bool]

HEAD = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
"""
PACKET = bytes(64)

TWO = (
    HEAD
    + """
SEC("socket") int always(struct __sk_buff *skb) { return 1; }
SEC("?socket") int wanted(struct __sk_buff *skb) { return 2; }
"""
)


def test_a_program_that_waits_to_be_asked_for(compile_c: Compile) -> None:
    spec = compile_c(TWO)
    with load(spec) as loaded:
        assert list(loaded.programs) == ["always"]
    with load(spec, programs=["wanted"]) as loaded:
        assert list(loaded.programs) == ["wanted"]
        assert loaded.programs["wanted"].test_run(PACKET).retval == 2
    with pytest.raises(UsageError, match=r"has no program 'want'\n  help: its programs: always, wanted"):
        load(spec, programs=["want"])


# -- alternatives --------------------------------------------------------------------------------------------

EITHER = (
    HEAD
    + """
SEC("?tp_btf/no_such_tracepoint") int first(void *ctx) { return 0; }
SEC("?socket") int refused(struct __sk_buff *skb) { return *(volatile int *)0; }
SEC("?raw_tp/sched_process_exec") int third(void *ctx) { return 0; }
SEC("?tracepoint/sched/sched_process_exec") int fourth(void *ctx) { return 0; }
SEC("socket") int beside(struct __sk_buff *skb) { return 7; }
"""
)


def test_the_first_alternative_that_loads_is_taken(compile_c: Compile, gone: Gone) -> None:
    with load(compile_c(EITHER), either=[("first", "refused", "third", "fourth")]) as loaded:
        assert list(loaded.programs) == ["third", "beside"]
        (choice,) = loaded.choices
        assert choice.taken == ("third",)
        assert [(each.programs, each.step, type(each.error).__name__) for each in choice.refused] == [
            (("first",), "loaded", "RelocationError"),
            (("refused",), "loaded", "VerifierError"),
        ]
        said = loaded.explain()
        assert said.startswith(
            "third was taken; first could not be loaded: this kernel has no tracepoint 'no_such_tracepoint'; "
            "refused could not be loaded: the kernel refused program 'refused'"
        )
        (link,) = loaded.attach()
        assert link.program == "third"
        with pytest.raises(UsageError, match=r"program 'first' is not loaded: third was taken; first could not be"):
            loaded.attach("first")
        assert link.explain() in loaded.explain()
    assert gone("third", "beside")


def test_the_first_choice_says_so(compile_c: Compile) -> None:
    with load(compile_c(EITHER), either=[("third", "fourth")]) as loaded:
        assert loaded.explain() == "third was taken, the first choice"


def test_no_alternative_is_one_error_that_lists_each(compile_c: Compile, gone: Gone) -> None:
    with pytest.raises(NotSupported) as caught:
        load(compile_c(EITHER), either=[("first", "refused")])
    assert "any of first or refused: first could not be loaded: this kernel has no tracepoint" in str(caught.value)
    assert "refused could not be loaded: the kernel refused program 'refused'" in str(caught.value)
    assert isinstance(caught.value.__cause__, ExceptionGroup)
    assert [type(each).__name__ for each in caught.value.__cause__.exceptions] == ["RelocationError", "VerifierError"]
    assert gone("beside")


def test_alternatives_of_several_programs(compile_c: Compile, gone: Gone) -> None:
    groups = [(("third", "refused"), ("third_again", "fourth"))]
    text = EITHER + 'SEC("?raw_tp/sched_process_exit") int third_again(void *ctx) { return 0; }\n'
    with load(compile_c(text), either=groups) as loaded:
        assert list(loaded.programs) == ["fourth", "beside", "third_again"]
        assert gone("third")
        links = loaded.attach()
        assert {link.program for link in links} == {"third_again", "fourth"}
        assert loaded.explain().startswith("third_again and fourth was taken; third and refused could not be loaded")


def test_one_that_loads_but_cannot_be_attached_makes_room(
    compile_c: Compile, monkeypatch: pytest.MonkeyPatch, gone: Gone
) -> None:
    with load(compile_c(EITHER), either=[("third", "fourth")]) as loaded:
        original = KernelProgram.attach

        def attach(program: KernelProgram, **where: object) -> object:
            if program.name == "third":
                raise NotPermitted("attach a tracing program", missing="lockdown", call="BPF_LINK_CREATE", errno=1)
            return original(program, **where)

        monkeypatch.setattr(KernelProgram, "attach", attach)
        links = loaded.attach()
        assert [link.program for link in links] == ["fourth"]
        assert sorted(loaded.programs) == ["beside", "fourth"]
        assert loaded.explain().startswith(
            "fourth was taken; third could not be attached: not permitted to attach a tracing program: lockdown"
        )
    assert gone("third", "fourth")


def test_none_that_can_be_attached(compile_c: Compile, monkeypatch: pytest.MonkeyPatch, gone: Gone) -> None:
    def attach(program: KernelProgram, **where: object) -> object:
        raise KernelError(f"no {program.name}", call="BPF_LINK_CREATE", errno=524)

    with load(compile_c(EITHER), either=[("third", "fourth")]) as loaded:
        monkeypatch.setattr(KernelProgram, "attach", attach)
        with pytest.raises(NotSupported, match=r"third could not be attached: no third.*; fourth could not be attach"):
            loaded.attach()
        assert list(loaded.programs) == ["beside"]
        with pytest.raises(NotSupported, match="third could not be attached"):
            loaded.attach()  # and again
    assert gone("third", "fourth")


def test_functions_of_the_kernel_or_else_a_tracepoint(compile_c: Compile) -> None:
    text = HEAD + (
        'SEC("?fentry/bpf_fentry_test1") int entry(void *ctx) { return 0; }\n'
        'SEC("?raw_tp/sched_process_exec") int point(void *ctx) { return 0; }\n'
    )
    with load(compile_c(text), either=[("entry", "point")]) as loaded:
        (link,) = loaded.attach()
        expected = "entry" if features.attach_kind("fentry").available else "point"
        assert link.program == expected
        assert loaded.choices[0].taken == (expected,)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (["third"], "either='third' is no group"),
        ([("third", "nobody")], "has no program 'nobody'"),
        ([("third", "fourth"), ("fourth",)], "program 'fourth' is an alternative twice"),
    ],
)
def test_wrong_groups(compile_c: Compile, groups: list[object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load(compile_c(EITHER), either=groups)  # type: ignore[arg-type]


# -- attach types that older kernels do not know -------------------------------------------------------------


def test_an_attach_type_that_programs_can_do_without(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    original = bpf.prog_load

    def prog_load(*arguments: object, **options: object) -> object:
        asked.append(options["expected_attach_type"])  # type: ignore[arg-type]
        if options["expected_attach_type"]:
            raise KernelError("unknown", call="BPF_PROG_LOAD", errno=22)
        return original(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(bpf, "prog_load", prog_load)
    monkeypatch.setattr(loading, "_without_attach_type", set())
    entry = FunctionSpec("pass_all", bytes.fromhex("b700000002000000 9500000000000000"))
    spec = ObjectSpec("x", "GPL", {"pass_all": ProgramSpec("pass_all", "xdp", entry)})
    for _ in range(2):
        with load(spec) as loaded:
            assert loaded.programs["pass_all"].test_run(PACKET).retval == 2
    assert asked == [37, 0, 0]
    with pytest.raises(KernelError, match="unknown"):
        load(replace(spec, programs={"pass_all": ProgramSpec("pass_all", "sk_lookup", entry)}))
    assert asked == [37, 0, 0, 36]


@pytest.mark.parametrize(("section", "since"), [("syscall", "5.14"), ("xdp.frags", "5.18")])
def test_flags_of_the_section(compile_c: Compile, section: str, since: str) -> None:
    text = HEAD + f'SEC("{section}") int it(void *ctx) {{ return 2; }}\n'
    try:
        loaded = load(compile_c(text))
    except KernelError as error:
        pytest.skip(f"{section} (Linux {since}): {error.message}")
    loaded.close()


# -- logs ----------------------------------------------------------------------------------------------------

SUMS = (
    HEAD
    + """
static __attribute__((noinline)) int add(struct __sk_buff *skb, int start)
{
    volatile char room[40] = {};
    return start + room[skb->len & 31];
}
SEC("socket") int total(struct __sk_buff *skb) { return add(skb, 3) + add(skb, 4); }
"""
)


@pytest.mark.parametrize(("level", "has_code"), [(1, False), (2, True), (4, False), (6, True)])
def test_the_log_of_a_program_that_is_accepted(compile_c: Compile, level: int, has_code: bool) -> None:
    with load(compile_c(SUMS), log_level=level) as loaded:
        program = loaded.programs["total"]
        assert ("(95) exit" in program.log) is has_code
        verified = program.verified
        assert verified is not None
        assert (verified.limit, verified.processed) == (1_000_000, program.info().verified_insns or verified.processed)
        assert verified.processed >= len(program.image.code) // 8
        if level & 4:
            assert verified.microseconds is not None and 0 < verified.microseconds < 10_000_000
            assert verified.stack and max(verified.stack) >= 40


def test_without_a_log_level_there_is_no_log(compile_c: Compile) -> None:
    with load(compile_c(SUMS)) as loaded:
        assert (loaded.programs["total"].log, loaded.programs["total"].verified) == ("", None)


def many_branches(count: int) -> ObjectSpec:
    """A program whose log at level 2 takes some hundred bytes an instruction."""
    step = "85000000 07000000 67000000 01000000".replace(" ", "")  # call get_prandom_u32; r0 <<= 1
    code = bytes.fromhex((step * count) + "b700000000000000" + "9500000000000000")
    return ObjectSpec("long", "GPL", {"long": ProgramSpec("long", "socket", FunctionSpec("long", code))})


@pytest.mark.parametrize("room", [None, 200, 1 << 22])
def test_a_log_grows_until_it_holds_everything(room: int | None) -> None:
    count = 3000
    with load(many_branches(count), log_level=2, log_size=room) as loaded:
        log = loaded.programs["long"].log
    assert len(log) > 1 << 17
    assert "0: " in log[:200]
    assert f"{2 * count + 1}: (95) exit" in log
    assert "processed" in log[-400:]


def test_a_refusal_carries_the_whole_log_and_its_decisive_line(compile_c: Compile) -> None:
    text = HEAD + (
        'SEC("socket") int bad(struct __sk_buff *skb)\n{\n    int *p = 0;\n'
        "    return skb->len + *(volatile int *)p;\n}\n"
    )
    with pytest.raises(VerifierError) as caught:
        load(compile_c(text), log_level=2)
    error = caught.value
    assert error.program == "bad"
    assert "invalid mem access" in error.reason or "Invalid dereference" in error.reason
    assert "processed" in error.log and "(61)" in error.log
    assert error.source is not None and "*(volatile int *)p" in error.source


# -- programs for other programs -----------------------------------------------------------------------------

TARGET = (
    HEAD
    + """
__attribute__((noinline)) int decide(struct __sk_buff *skb) { volatile int r = 1; return r; }
SEC("tc") int serve(struct __sk_buff *skb) { return decide(skb); }
"""
)
REPLACEMENT = HEAD + 'SEC("freplace/decide") int mine(struct __sk_buff *skb) { return 5; }\n'


@pytest.mark.parametrize("by_id", [False, True])
def test_a_function_of_another_program_is_replaced(compile_c: Compile, by_id: bool) -> None:
    with load(compile_c(TARGET)) as target:
        serve = target.programs["serve"]
        assert serve.test_run(PACKET).retval == 1
        who = serve.info().id if by_id else serve
        try:
            replacement = load(compile_c(REPLACEMENT), targets={"mine": (who, None)})
        except KernelError as error:
            if error.errno not in (1, 524):
                raise
            pytest.skip(f"extensions (Linux 5.10): {error.message}")
        with replacement:
            replacement.attach()
            assert serve.test_run(PACKET).retval == 5
        assert serve.test_run(PACKET).retval == 1


def test_a_program_is_watched_by_another(compile_c: Compile) -> None:
    watcher = HEAD + (
        'int seen;\nSEC("fentry/decide") int watch(void *ctx) { seen++; return 0; }\n'
        'SEC("?fexit/serve") int leave(void *ctx) { seen += 100; return 0; }\n'
    )
    with load(compile_c(TARGET)) as target:
        serve = target.programs["serve"]
        targets = {"watch": (serve, None), "leave": (serve, None)}
        try:
            loaded = load(compile_c(watcher), targets=targets, programs=["watch", "leave"])
        except KernelError as error:
            if error.errno not in (1, 524):
                raise
            pytest.skip(f"trampolines of programs (Linux 5.10): {error.message}")
        with loaded:
            loaded.attach()
            serve.test_run(PACKET)
            assert loaded.variables["seen"].get() == 101


def test_a_target_is_named_and_found(compile_c: Compile) -> None:
    with load(compile_c(TARGET)) as target:
        serve = target.programs["serve"]
        with pytest.raises(UsageError, match=r"nothing says of which\n  help: load\(..., targets="):
            load(compile_c(REPLACEMENT))
        with pytest.raises(UsageError, match="has no function 'deny'"):
            load(compile_c(REPLACEMENT), targets={"mine": (serve, "deny")})
        with pytest.raises(UsageError, match="has no program 'yours'"):
            load(compile_c(REPLACEMENT), targets={"yours": (serve, None)})
    bare = FunctionSpec("bare", bytes.fromhex("b700000002000000 9500000000000000"))
    with (
        load(ObjectSpec("x", "GPL", {"bare": ProgramSpec("bare", "xdp", bare)})) as target,
        pytest.raises(UsageError, match="was loaded without types"),
    ):
        load(compile_c(REPLACEMENT), targets={"mine": (target.programs["bare"], None)})


# -- tail calls ----------------------------------------------------------------------------------------------

JUMPS = (
    HEAD
    + """
int one(struct __sk_buff *skb);
struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 4);
    __uint(key_size, 4);
    __array(values, int(void *));
} jumps SEC(".maps") = { .values = { [1] = (void *)&one } };
SEC("socket") int one(struct __sk_buff *skb) { return 11; }
SEC("socket") int two(struct __sk_buff *skb) { return 22; }
SEC("socket") int dispatch(struct __sk_buff *skb) { bpf_tail_call(skb, &jumps, skb->mark); return 99; }
"""
)


def test_tail_calls_from_the_object_and_at_run_time(compile_c: Compile) -> None:
    with load(compile_c(JUMPS)) as loaded:
        dispatch = loaded.programs["dispatch"]

        def jump(mark: int) -> int:
            return dispatch.test_run(PACKET, {"mark": mark}).retval

        assert [jump(mark) for mark in range(4)] == [99, 11, 99, 99]
        jumps = loaded.maps["jumps"]
        raw = getattr(jumps, "raw", jumps)
        raw.update((2).to_bytes(4, "little"), loaded.programs["two"].fileno().to_bytes(4, "little"))
        assert [jump(mark) for mark in range(4)] == [99, 11, 22, 99]


# -- opening, pinning, statistics ----------------------------------------------------------------------------


def one(compile_c: Compile) -> LoadedObject:
    return load(compile_c(SUMS))


def test_a_program_by_its_id(compile_c: Compile) -> None:
    with one(compile_c) as loaded:
        program = loaded.programs["total"]
        with open_program(program.info().id) as again:
            assert repr(again) == "<KernelProgram 'total'>"
            assert (again.name, again.info().tag) == ("total", program.info().tag)
            assert again.test_run(PACKET).retval == 7
            assert again.xlated() == program.xlated()
            assert again.source_lines() == program.source_lines()
            with pytest.raises(UsageError, match=r"nothing says where program 'total' belongs"):
                again.attach()
        assert again.closed and repr(again) == "<KernelProgram 'total', closed>"
        with open_program(program.info().id, section="socket") as again:
            assert again.test_run(PACKET, {"mark": 3}).context is not None
    with pytest.raises(KernelError, match="it is gone"):
        open_program(0x7FFF_FFFF)


def test_a_program_that_is_pinned_outlives_its_object(compile_c: Compile, gone: Gone) -> None:
    with mounts.detached_mount("bpf") as root:
        with one(compile_c) as loaded:
            loaded.programs["total"].pin("kept", directory=root)
            with pytest.raises(KernelError, match="something is pinned there already"):
                loaded.programs["total"].pin("kept", directory=root)
        path = Path(f"/proc/self/fd/{root.fileno()}/kept")
        with open_program(path) as again:
            assert again.test_run(PACKET).retval == 7
            again.unpin("kept", directory=root)
            assert not path.exists()
        assert gone("total")
        with pytest.raises(KernelError, match="nothing is pinned there"):
            open_program(path)
        with bpf.map_create(2, 4, 4, 1, name="table") as table:
            bpf.obj_pin(table, "table", directory=root)
        with pytest.raises(UsageError, match="is no program: it is bpf-map"):
            open_program(path.with_name("table"))


def test_runs_are_counted_while_somebody_asks(compile_c: Compile) -> None:
    with one(compile_c) as loaded:
        program = loaded.programs["total"]
        before = program.statistics()
        program.test_run(PACKET, repeat=10)
        assert program.statistics() == before
        with statistics():
            program.test_run(PACKET, repeat=1000)
        after = program.statistics()
        assert after.run_count - before.run_count == 1000
        assert after.run_time_ns > before.run_time_ns
        assert after.recursion_misses == 0
        assert after.mean_ns == after.run_time_ns / after.run_count
        program.test_run(PACKET, repeat=10)
        assert program.statistics() == after


def test_instructions_and_source(compile_c: Compile) -> None:
    with one(compile_c) as loaded:
        program = loaded.programs["total"]
        lines = program.source_lines()
        assert [line.index for line in lines] == sorted(line.index for line in lines)
        assert any("int total" in line.text for line in lines)
        assert all(line.file.endswith("probe.c") and line.line > 0 for line in lines)
        text = program.listing()
        assert "; " + str(lines[0]) in text
        assert text.splitlines()[-1].endswith("exit")
        jited = program.jited()
        if program.info().jited_prog_len:
            assert len(jited.lengths) == 2 and sum(jited.lengths) == len(jited.code) == program.info().jited_prog_len
            if jited.addresses:
                assert len(jited.addresses) == 2 and min(jited.addresses) > 1 << 63
            assert len(jited.lines) in (0, program.info().nr_line_info)


def test_a_forgotten_program_is_named(compile_c: Compile) -> None:
    with one(compile_c) as loaded:
        forgotten = open_program(loaded.programs["total"].info().id)
        with pytest.warns(ResourceWarning, match="program total, fd"):
            del forgotten
    assert os.geteuid() == 0
