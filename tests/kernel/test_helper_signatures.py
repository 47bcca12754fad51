"""The table of helpers says yes wherever this kernel does."""

from __future__ import annotations

import pytest

from beespace.isa import AttachType, ProgramType
from beespace.isa.helpers import HELPERS
from beespace.isa.signatures import SIGNATURES
from beespace.kernel.features import Smallest, helper, program_type

PLACES = {
    ProgramType.XDP: AttachType.XDP,
    ProgramType.SCHED_CLS: AttachType.TCX_INGRESS,
    ProgramType.CGROUP_SKB: AttachType.CGROUP_INET_EGRESS,
    ProgramType.CGROUP_SOCK_ADDR: AttachType.CGROUP_INET4_CONNECT,
    ProgramType.SOCK_OPS: AttachType.CGROUP_SOCK_OPS,
    ProgramType.RAW_TRACEPOINT: AttachType(0),
    ProgramType.TRACEPOINT: AttachType(0),
    ProgramType.TRACING: AttachType.TRACE_RAW_TP,
    ProgramType.KPROBE: AttachType(0),
    ProgramType.LSM: AttachType.LSM_MAC,
    ProgramType.SYSCALL: AttachType(0),
}


@pytest.mark.parametrize("program", PLACES, ids=lambda program: program.name.lower())
def test_what_the_kernel_allows_is_in_the_table(program: ProgramType) -> None:
    if not program_type(program).available:
        pytest.skip(f"no {program.name.lower()} programs on this kernel")
    allowed = {name for name in HELPERS if helper(program, name).available}
    table = {name for name, found in SIGNATURES.items() if found.at(program, PLACES[program])}
    assert len(allowed) > 40
    assert allowed - table == set()


def test_what_the_table_forbids_is_refused() -> None:
    """The other way round, where no configuration of the kernel matters."""
    like = Smallest(AttachType.CGROUP_INET4_BIND, 1)
    assert not helper(ProgramType.CGROUP_SOCK_ADDR, "bind", like).available
    for name in ("xdp_adjust_head", "seq_printf", "sk_lookup_tcp", "bprm_opts_set"):
        assert not SIGNATURES[name].at(ProgramType.RAW_TRACEPOINT, 0)
        assert not helper(ProgramType.RAW_TRACEPOINT, name).available
