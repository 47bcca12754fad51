"""Arguments of global functions that are the program's context, on kernels that know the word and as if on others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from beespace.btf import Btf, FunctionPrototype, Kind
from beespace.errors import VerifierError
from beespace.hooks import resolve
from beespace.kernel import context_arguments, load
from beespace.kernel.context_arguments import context_name, with_contexts
from beespace.spec import ObjectSpec

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

SOURCE = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#define __tagged __attribute__((btf_decl_tag("arg:ctx")))
char LICENSE[] SEC("license") = "GPL";
__noinline int length(void *ctx __tagged, int more) { return ((struct __sk_buff *)ctx)->len + more; }
__noinline int plain(struct __sk_buff *ctx __tagged) { return ctx->len; }
SEC("tc") int classify(struct __sk_buff *skb) { return length(skb, 3) + plain(skb); }
SEC("cgroup_skb/egress") int egress(struct __sk_buff *skb) { return length(skb, 1) > 1; }
"""
Compile = Callable[..., ObjectSpec]


@pytest.fixture
def older(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a kernel that does not know the word."""
    monkeypatch.setattr(context_arguments, "_kernel_knows", lambda: False)


def test_a_context_behind_a_plain_pointer(compile_c: Compile) -> None:
    with load(compile_c(SOURCE)) as loaded:
        assert loaded.programs["classify"].test_run(data_in=bytes(64)).retval == 64 + 3 + 64


@pytest.mark.usefixtures("older")
def test_each_context_has_types_of_its_own(compile_c: Compile) -> None:
    spec = compile_c(SOURCE)
    btf, found = with_contexts(spec.btf, [resolve(name).hook for name in ("tc", "kprobe", "raw_tp", "fentry")])
    assert list(found) == ["__sk_buff", "bpf_user_pt_regs_t", "bpf_raw_tracepoint_args"]
    own, types = Btf(spec.btf), Btf(btf)
    assert [types.type(number) for number in range(own.count)] == [own.type(number) for number in range(own.count)]
    for name, clones in found.items():
        # plain() says what it is; only length() has to be told.
        assert [own.name(number) for number in clones] == ["length"]
        (clone,) = clones.values()
        assert types.describe(types.type(clone).type) == f"int (struct {name} *, int)"  # type: ignore[union-attr]
        assert types.kind(clone) is Kind.FUNC
        assert isinstance(types.prototype(clone), FunctionPrototype)


@pytest.mark.usefixtures("older")
def test_the_kernel_takes_them(compile_c: Compile) -> None:
    with load(compile_c(SOURCE)) as loaded:
        assert loaded.programs["classify"].test_run(data_in=bytes(64)).retval == 64 + 3 + 64
        assert loaded.programs["egress"].test_run(data_in=bytes(64)).retval == 1


def test_without_the_word(compile_c: Compile) -> None:
    source = SOURCE.replace("void *ctx __tagged", "void *ctx")
    with pytest.raises(VerifierError):
        load(compile_c(source))


def test_names_of_contexts() -> None:
    sections = ("xdp", "kprobe", "uprobe", "raw_tp", "perf_event", "fentry", "cgroup/connect4", "struct_ops")
    assert [context_name(resolve(section).hook) for section in sections] == [
        "xdp_md", "bpf_user_pt_regs_t", "bpf_user_pt_regs_t", "bpf_raw_tracepoint_args", "bpf_perf_event_data", "",
        "bpf_sock_addr", "",
    ]  # fmt: skip
