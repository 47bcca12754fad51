"""What each function asks of the kernel, against a fake one."""

from __future__ import annotations

import errno
import resource
import struct
from collections.abc import Callable

import pytest

from beespace.errors import KernelError, NotPermitted, NotSupported, VerifierError
from beespace.syscall import barrier, bpf, mounts, perf, process, programs
from beespace.syscall._attributes import BPF_BTF_INFO, BPF_LINK_INFO, PERF_EVENT_ATTR
from beespace.syscall.bpf import Command
from beespace.syscall.door import Argument, Attributes
from beespace.syscall.fake import Fake, installed, open_fd
from beespace.syscall.process import Rights

CODE = bytes.fromhex("b700000000000000 9500000000000000")
EVERYTHING = Rights(0, frozenset(process.CAPABILITIES), True, False)
NOTHING = Rights(65534, frozenset(), True, False)


@pytest.fixture(autouse=True)
def all_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "rights", lambda: EVERYTHING)
    monkeypatch.setattr(process, "splits_admin", lambda: True)
    monkeypatch.setattr(mounts, "lockdown", lambda: "none")


def buffer(attributes: Attributes, name: str) -> bytearray:
    value = attributes.fields[name]
    assert isinstance(value, bytearray)
    return value


def given(command: Command, handler: Callable[[Attributes], int]) -> Fake:
    return Fake({command: handler})


# -- maps ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "taken"),
    [("hits", b"hits"), (".rodata.str", b".rodata.str"), ("a name too long!", b"a_name_too_long"), ("größe", b"gr__e")],
)
def test_names_are_cut_to_what_the_kernel_takes(name: str, taken: bytes) -> None:
    assert bpf.object_name(name) == taken


def test_create_passes_every_field() -> None:
    kernel = given(Command.MAP_CREATE, lambda _: open_fd())
    with installed(kernel):
        bpf.map_create(
            1, 4, 8, 16, name="m", map_flags=1, inner_map_fd=2, numa_node=3, map_ifindex=4, btf_fd=5, btf_key_type_id=6,
            btf_value_type_id=7, btf_vmlinux_value_type_id=8, value_type_btf_obj_fd=9, map_extra=10, map_token_fd=11,
        ).close()  # fmt: skip
    assert kernel.requests[0].fields == {
        "map_type": 1, "key_size": 4, "value_size": 8, "max_entries": 16, "map_name": b"m", "map_flags": 0x10001,
        "inner_map_fd": 2, "numa_node": 3, "map_ifindex": 4, "btf_fd": 5, "btf_key_type_id": 6, "btf_value_type_id": 7,
        "btf_vmlinux_value_type_id": 8, "value_type_btf_obj_fd": 9, "map_extra": 10, "map_token_fd": 11,
    }  # fmt: skip


def test_a_missing_key_is_no_error() -> None:
    kernel = Fake(
        dict.fromkeys(
            (Command.MAP_LOOKUP_ELEM, Command.MAP_DELETE_ELEM, Command.MAP_GET_NEXT_KEY), lambda _: -errno.ENOENT
        )
    )
    with installed(kernel):
        assert bpf.map_lookup(3, b"abcd", 8) is None
        assert bpf.map_delete(3, b"abcd") is False
        assert bpf.map_next_key(3, None, 4) is None
    assert "key" not in kernel.requests[2].fields


def test_a_full_map_says_so() -> None:
    with installed(given(Command.MAP_UPDATE_ELEM, lambda _: -errno.E2BIG)), pytest.raises(KernelError) as caught:
        bpf.map_update(3, b"abcd", b"v")
    assert str(caught.value) == (
        "cannot write a map entry: the map is full, or the index is past its end: "
        "BPF_MAP_UPDATE_ELEM failed with E2BIG\n  help: raise max_entries"
    )
    assert (caught.value.call, caught.value.errno) == ("BPF_MAP_UPDATE_ELEM", errno.E2BIG)


def test_a_batch_grows_until_a_bucket_fits_and_ends_with_the_map() -> None:
    def kernel_side(attributes: Attributes) -> int:
        if attributes.fields["count"] == 2:
            attributes.fields["count"] = 0
            return -errno.ENOSPC
        attributes.fields["count"] = 3
        buffer(attributes, "keys")[:12] = b"aaaabbbbcccc"
        buffer(attributes, "out_batch")[:4] = b"next"
        return -errno.ENOENT if attributes.fields.get("in_batch") else 0

    kernel = given(Command.MAP_LOOKUP_AND_DELETE_BATCH, kernel_side)
    keys = bytearray()
    with installed(kernel):
        first = bpf.map_lookup_and_delete_batch(3, 4, 8, 2, keys=keys)
        assert first.keys is keys
        assert (first.count, bytes(first.keys[:12]), len(first.values)) == (3, b"aaaabbbbcccc", 32)
        assert first.cursor is not None and first.cursor[:4] == b"next"
        last = bpf.map_lookup_and_delete_batch(3, 4, 8, 4, first.cursor)
    assert (last.count, last.cursor) == (3, None)
    assert "in_batch" not in kernel.requests[0].fields


def test_locked_memory_is_raised_only_after_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [(8 << 20, 64 << 20)]

    def set_limit(_: int, limit: tuple[int, int]) -> None:
        if limit[0] == resource.RLIM_INFINITY:
            raise ValueError("not allowed to raise maximum limit")
        limits.append(limit)

    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", set_limit)
    with installed(given(Command.MAP_CREATE, lambda _: open_fd())):
        bpf.map_create(2, 4, 8, 1).close()
    assert limits == [(8 << 20, 64 << 20)]
    enough = given(Command.MAP_CREATE, lambda _: open_fd() if limits[-1][0] == 64 << 20 else -errno.EPERM)
    with installed(enough):
        bpf.map_create(2, 4, 8, 1).close()
    assert limits == [(8 << 20, 64 << 20), (64 << 20, 64 << 20)]
    del limits[1:]
    with installed(given(Command.MAP_CREATE, lambda _: -errno.EPERM)), pytest.raises(NotPermitted):
        bpf.map_create(2, 4, 8, 1)
    assert limits[-1] == (8 << 20, 64 << 20)


# -- programs ------------------------------------------------------------------------------------------------


def test_load_passes_every_field() -> None:
    kernel = given(Command.PROG_LOAD, lambda _: open_fd())
    with installed(kernel):
        descriptor, log = bpf.prog_load(
            26, CODE, name="p", expected_attach_type=23, attach_btf_id=99, attach_btf_obj_fd=4, prog_flags=16,
            prog_btf_fd=5, func_info=bytes(16), line_info=bytes(48), fd_array=(6, 7),
        )  # fmt: skip
        descriptor.close()
    fields = kernel.requests[0].fields
    assert log == ""
    assert {name: value for name, value in fields.items() if value and isinstance(value, int)} == {
        "prog_type": 26, "insn_cnt": 2, "expected_attach_type": 23, "attach_btf_id": 99, "attach_prog_fd": 4,
        "prog_flags": 16, "prog_btf_fd": 5, "func_info_rec_size": 8, "func_info_cnt": 2, "line_info_rec_size": 16,
        "line_info_cnt": 3,
    }  # fmt: skip
    assert (fields["license"], fields["prog_name"]) == (b"GPL\0", b"p")
    assert fields["fd_array"] == struct.pack("=2i", 6, 7)


def test_a_refusal_is_loaded_again_with_a_log_that_grows() -> None:
    text = b"; x = y @ probe.py:7\n0: (b7) r0 = 0\nR1 !read_ok\n" + b"processed 1 insns (limit 1000000)\n"

    def refuse(attributes: Attributes) -> int:
        size = attributes.fields.get("log_size", 0)
        assert isinstance(size, int)
        if not size:
            return -errno.EACCES
        assert attributes.fields["log_level"] == 1
        buffer(attributes, "log_buf")[: len(text)] = text
        return -errno.ENOSPC if size < 1 << 20 else -errno.EACCES

    kernel = given(Command.PROG_LOAD, refuse)
    with installed(kernel), pytest.raises(VerifierError) as caught:
        bpf.prog_load(5, CODE, name="p")
    assert [request.fields.get("log_size", 0) for request in kernel.requests] == [0, 1 << 16, 1 << 18, 1 << 20]
    error = caught.value
    assert (error.program, error.errno, error.reason, error.source) == (
        "p", errno.EACCES, "R1 !read_ok", "probe.py:7: x = y",
    )  # fmt: skip
    assert error.log == text.decode()


def test_a_kernel_that_says_how_long_its_log_is_gets_that_room() -> None:
    text = b"0: (95) exit\n" * 400_000

    def load(attributes: Attributes) -> int:
        room = buffer(attributes, "log_buf")
        room[: len(text)] = text[: len(room)]
        attributes.fields["log_true_size"] = len(text) + 1
        return open_fd() if len(room) > len(text) else -errno.ENOSPC

    kernel = given(Command.PROG_LOAD, load)
    with installed(kernel):
        descriptor, log = bpf.prog_load(5, CODE, log_level=2, log_size=100)
        descriptor.close()
    assert log == text.decode()
    sizes = [request.fields["log_size"] for request in kernel.requests]
    assert sizes == [128, len(text) + 1 + (1 << 12)]
    assert all(request.fields["log_level"] == 2 for request in kernel.requests)


@pytest.mark.parametrize("how", ["program", "map", "types"])
def test_a_token_comes_with_its_flag(how: str) -> None:
    kernel = Fake(dict.fromkeys((Command.PROG_LOAD, Command.MAP_CREATE, Command.BTF_LOAD), lambda _: open_fd()))
    with installed(kernel):
        if how == "program":
            bpf.prog_load(6, CODE, prog_flags=0x20, prog_token_fd=9)[0].close()
        elif how == "map":
            bpf.map_create(1, 4, 4, 1, map_flags=1, map_token_fd=9).close()
        else:
            bpf.btf_load(b"types", btf_token_fd=9)[0].close()
    (request,) = kernel.requests
    prefix = {"program": "prog", "map": "map", "types": "btf"}[how]
    flags = {"program": 0x20, "map": 1, "types": 0}[how]
    assert (request.fields[f"{prefix}_token_fd"], request.fields[f"{prefix}_flags"]) == (9, flags | 1 << 16)


def test_a_log_that_never_fits_keeps_the_first_errno(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "LOG_LIMIT", 1 << 18)

    def refuse(attributes: Attributes) -> int:
        if not attributes.fields.get("log_size"):
            return -errno.EINVAL
        buffer(attributes, "log_buf")[:12] = b"last line \0\0"
        return -errno.ENOSPC

    with installed(given(Command.PROG_LOAD, refuse)), pytest.raises(VerifierError) as caught:
        bpf.prog_load(5, CODE)
    assert (caught.value.errno, caught.value.reason) == (errno.EINVAL, "last line")


def test_a_signal_during_verification_is_tried_again() -> None:
    answers = iter([-errno.EAGAIN, -errno.EAGAIN])
    kernel = given(Command.PROG_LOAD, lambda _: next(answers, None) or open_fd())
    with installed(kernel):
        bpf.prog_load(5, CODE)[0].close()
    assert len(kernel.requests) == 3


def test_a_missing_capability_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "rights", lambda: NOTHING)
    monkeypatch.setattr(process, "sysctl", lambda name: {"kernel.unprivileged_bpf_disabled": 2}.get(name))
    with installed(given(Command.PROG_LOAD, lambda _: -errno.EPERM)), pytest.raises(NotPermitted) as caught:
        bpf.prog_load(6, CODE, name="drop")
    assert str(caught.value) == (
        "not permitted to load program 'drop': this process (user 65534) lacks CAP_BPF and CAP_NET_ADMIN "
        "(kernel.unprivileged_bpf_disabled = 2): BPF_PROG_LOAD failed with EPERM\n"
        "  help: run it as root, or grant BPF, NET_ADMIN "
        "(systemd AmbientCapabilities=, docker --cap-add, Kubernetes capabilities.add)"
    )
    assert caught.value.exit_status == 3


def test_an_unprivileged_refusal_of_the_verifier_is_a_matter_of_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(attributes: Attributes) -> int:
        if attributes.fields.get("log_size"):
            buffer(attributes, "log_buf")[:5] = b"no R1"
        return -errno.EPERM

    with installed(given(Command.PROG_LOAD, refuse)):
        with pytest.raises(VerifierError, match="no R1"):
            bpf.prog_load(6, CODE)
        monkeypatch.setattr(process, "rights", lambda: NOTHING)
        with pytest.raises(NotPermitted, match="CAP_NET_ADMIN"):
            bpf.prog_load(6, CODE)


def test_type_information_that_is_refused_says_why() -> None:
    def refuse(attributes: Attributes) -> int:
        if attributes.fields.get("btf_log_size"):
            buffer(attributes, "btf_log_buf")[:18] = b"magic\nInvalid kind"
        return -errno.EINVAL

    with installed(given(Command.BTF_LOAD, refuse)), pytest.raises(KernelError) as caught:
        bpf.btf_load(b"junk")
    assert str(caught.value) == (
        "the kernel refused the type information: Invalid kind: BPF_BTF_LOAD failed with EINVAL"
    )


def test_a_run_gives_the_room_that_the_packet_needs() -> None:
    def run(attributes: Attributes) -> int:
        room = attributes.fields["data_size_out"]
        attributes.fields["data_size_out"] = 5000
        if room != 5000:
            return -errno.ENOSPC
        buffer(attributes, "data_out")[:] = b"x" * 5000
        attributes.fields.update(retval=2, duration=17, ctx_size_out=0)
        return 0

    with installed(given(Command.PROG_TEST_RUN, run)):
        result = bpf.prog_test_run(3, data_in=b"p" * 64, repeat=9)
    assert result == bpf.TestRun(2, b"x" * 5000, b"", 17)


def test_a_run_without_a_packet_asks_for_none() -> None:
    kernel = given(Command.PROG_TEST_RUN, lambda _: 0)
    with installed(kernel):
        bpf.prog_test_run(3, ctx_in=bytes(16))
    fields = kernel.requests[0].fields
    assert {name for name, value in fields.items() if value} == {"prog_fd", "ctx_in", "ctx_size_in"}


def test_a_query_grows_until_all_ids_fit() -> None:
    def query(attributes: Attributes) -> int:
        room = attributes.fields["prog_cnt"]
        assert isinstance(room, int)
        attributes.fields.update(prog_cnt=40, attach_flags=2, revision=9)
        if room < 40:
            return -errno.ENOSPC
        struct.pack_into("=40I", buffer(attributes, "prog_ids"), 0, *range(100, 140))
        return 0

    with installed(given(Command.PROG_QUERY, query)):
        assert bpf.prog_query(0, target_fd=3) == bpf.Attached(tuple(range(100, 140)), (), 2, 9)


# -- links and objects ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "fields"),
    [
        (bpf.IteratorTarget.of_map(7), {"iter_info": struct.pack("=I", 7), "iter_info_len": 4}),
        (bpf.IteratorTarget.of_task(pid=9), {"iter_info": struct.pack("=III", 0, 9, 0), "iter_info_len": 12}),
        (bpf.IteratorTarget.of_cgroup(5, 2), {"iter_info": struct.pack("=IIQ", 2, 5, 0), "iter_info_len": 16}),
        (bpf.PerfCookie(77), {"perf_event.bpf_cookie": 77}),
        (bpf.TracingTarget(5, 6), {"tracing.target_btf_id": 5, "tracing.cookie": 6}),
        (bpf.Anchor(relative_id=5, expected_revision=6), {"tcx.relative_fd": 5, "tcx.expected_revision": 6}),
        (bpf.Anchor(relative_fd=8), {"tcx.relative_fd": 8}),
        (bpf.NetfilterHook(2, 0, -128), {"netfilter.pf": 2, "netfilter.priority": -128}),
        (
            bpf.KprobeMulti([1, 2], [3, 4], 1),
            {
                "kprobe_multi.flags": 1,
                "kprobe_multi.cnt": 2,
                "kprobe_multi.addrs": struct.pack("=2Q", 1, 2),
                "kprobe_multi.cookies": struct.pack("=2Q", 3, 4),
            },
        ),
        (
            bpf.UprobeMulti("/bin/x", [64]),
            {
                "uprobe_multi.path": b"/bin/x\0",
                "uprobe_multi.offsets": struct.pack("=Q", 64),
                "uprobe_multi.cnt": 1,
            },
        ),
    ],
)
def test_each_kind_of_attach_point_sets_its_own_fields(where: bpf.Where, fields: dict[str, object]) -> None:
    kernel = given(Command.LINK_CREATE, lambda _: open_fd())
    with installed(kernel):
        bpf.link_create(3, 41, target_fd=4, where=where).close()
    common = {"prog_fd": 3, "attach_type": 41, "target_fd": 4}
    assert {name: value for name, value in kernel.requests[0].fields.items() if value} == common | fields
    kernel.requests[0].encode([])  # every value fits its field


def test_only_packet_filters_of_a_cgroup_take_net_admin_to_attach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "rights", lambda: Rights(1, frozenset({"CAP_BPF", "CAP_PERFMON"}), True, False))
    with installed(given(Command.LINK_CREATE, lambda _: -errno.EPERM)):
        with pytest.raises(NotPermitted, match="lacks CAP_NET_ADMIN"):
            bpf.link_create(3, 1, target_fd=4)
        with pytest.raises(NotPermitted, match="does not let others in"):
            bpf.link_create(3, 3, target_fd=4)


def test_replacing_a_known_program_sets_the_flag() -> None:
    kernel = given(Command.LINK_UPDATE, lambda _: 0)
    with installed(kernel):
        bpf.link_update(3, 4)
        bpf.link_update(3, 4, old_prog_fd=5)
    assert [request.fields["flags"] for request in kernel.requests] == [0, 4]


def test_a_link_says_what_it_is_attached_to() -> None:
    def info(attributes: Attributes) -> int:
        memory = buffer(attributes, "info")
        room = BPF_LINK_INFO.read(memory, "raw_tracepoint.tp_name_len")
        for name, value in (("type", 1), ("id", 12), ("prog_id", 13), ("raw_tracepoint.cookie", 14)):
            BPF_LINK_INFO.write(memory, name, value)
        BPF_LINK_INFO.write(memory, "raw_tracepoint.tp_name_len", 300)
        seen.append(room)
        return 0

    seen: list[int | bytes] = []
    with installed(given(Command.OBJ_GET_INFO_BY_FD, info)):
        link = bpf.link_info(5)
    assert (link.type, link.id, link.prog_id, dict(link.details)) == (1, 12, 13, {"tp_name": "", "cookie": 14})
    assert seen == [0, 4096]  # PATH_MAX: no name in the kernel is longer


def test_ids_are_walked_to_the_end() -> None:
    following = {0: 3, 3: 9, 9: 40}

    def step(attributes: Attributes) -> int:
        start = attributes.fields["start_id"]
        assert isinstance(start, int)
        if start not in following:
            return -errno.ENOENT
        attributes.fields["next_id"] = following[start]
        return 0

    with installed(given(Command.MAP_GET_NEXT_ID, step)):
        assert list(bpf.ids(bpf.map_get_next_id)) == [3, 9, 40]


# -- the other calls -----------------------------------------------------------------------------------------


def test_an_older_kernel_gets_the_perf_attributes_that_it_knows() -> None:
    sizes: list[int] = []

    def perf_event_open(arguments: tuple[Argument, ...]) -> int:
        memory = arguments[0]
        assert isinstance(memory, bytearray)
        sizes.append(len(memory))
        if len(memory) > 112:
            PERF_EVENT_ATTR.write(memory, "size", 112)
            return -errno.E2BIG
        return open_fd()

    with installed(Fake({}, {"perf_event_open": perf_event_open})):
        perf.open_tracepoint(5).close()
    assert sizes == [PERF_EVENT_ATTR.size, 112]


def test_perf_names_its_capability_and_sysctl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "rights", lambda: NOTHING)
    monkeypatch.setattr(process, "sysctl", lambda name: {"kernel.perf_event_paranoid": 3}.get(name))
    kernel = Fake({}, {"perf_event_open": lambda _: -errno.EACCES})
    with installed(kernel), pytest.raises(NotPermitted, match=r"lacks CAP_PERFMON \(kernel.perf_event_paranoid = 3\)"):
        perf.open_tracepoint(5)


def test_a_file_system_that_the_kernel_lacks() -> None:
    kernel = Fake({}, {"fsopen": lambda _: -errno.ENODEV})
    with installed(kernel), pytest.raises(NotSupported, match="does not support the file system nosuch"):
        mounts.detached_mount("nosuch")


def test_no_membarrier_is_an_answer() -> None:
    with installed(Fake({}, {"membarrier": lambda _: -errno.EINVAL})):
        assert barrier.wait_for_programs() is False
    with installed(Fake({}, {"membarrier": lambda _: 0})):
        assert barrier.wait_for_programs() is True


def test_type_information_has_no_name_before_5_11() -> None:
    def info(attributes: Attributes) -> int:
        memory = buffer(attributes, "info")
        if BPF_BTF_INFO.read(memory, "name"):
            return -errno.E2BIG
        BPF_BTF_INFO.write(memory, "id", 7)
        return 0

    with installed(given(Command.OBJ_GET_INFO_BY_FD, info)):
        assert bpf.btf_info(5) == bpf.BtfInfo(7, "", 0, False)


def test_pins_are_named_from_a_directory() -> None:
    kernel = given(Command.OBJ_PIN, lambda _: 0)
    with installed(kernel):
        bpf.obj_pin(3, "name", directory=9)
        bpf.obj_pin(3, "/sys/fs/bpf/name")
    assert [request.fields["pathname"] for request in kernel.requests] == [
        b"/proc/self/fd/9/name\0",
        b"/sys/fs/bpf/name\0",
    ]
