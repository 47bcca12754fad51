"""The table of helpers: whole, as its generator writes it, and as this machine's header has it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from beespace.isa.helpers import HELPERS
from beespace.isa.signatures import SIGNATURES

TOOLS = Path(__file__).parents[2] / "tools"
HEADER = Path("/usr/include/linux/bpf.h")


def test_every_helper_has_a_signature() -> None:
    assert {name: (found.number, found.since) for name, found in SIGNATURES.items()} == {
        name: (helper.number, helper.since) for name, helper in HELPERS.items()
    }
    assert all(found.doc.endswith(".") and found.places for found in SIGNATURES.values())


def test_arguments_fit_what_the_kernel_declares() -> None:
    """A size follows memory, and only memory; a key or value follows a map."""
    for found in SIGNATURES.values():
        kinds = [re.split("[:?!|]", argument.kind)[0] for argument in found.arguments]
        for before, kind in zip(["", *kinds], kinds, strict=False):
            assert (kind != "size") or before == "memory", found.name
            assert (kind not in ("key", "value")) or "map" in kinds, found.name
        assert len(kinds) <= 5


def test_the_generator_writes_the_present_file() -> None:
    subprocess.run([sys.executable, TOOLS / "gen_helpers.py", "--check"], check=True)


@pytest.mark.skipif(not HEADER.exists(), reason="no linux/bpf.h on this machine")
def test_the_header_of_this_machine_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TOOLS))
    from gen_helpers import header

    rows = header(HEADER)
    assert len(rows) > 200
    for name, row in rows.items():
        assert int(row["number"]) == SIGNATURES[name].number
        known = len(SIGNATURES[name].arguments)  # names change
        assert len(row["parameters"]) == known, name


def test_declarations_in_c() -> None:
    assert SIGNATURES["ktime_get_ns"].c == "u64 bpf_ktime_get_ns(void)"
    assert SIGNATURES["skc_to_tcp_sock"].c == "struct tcp_sock *bpf_skc_to_tcp_sock(void *sk)"
    assert SIGNATURES["skb_load_bytes"].c == "long bpf_skb_load_bytes(const void *skb, u32 offset, void *to, u32 len)"


def test_who_may_call() -> None:
    xdp, tc = (6, 37), (3, 46)
    assert SIGNATURES["xdp_adjust_head"].at(*xdp) and not SIGNATURES["xdp_adjust_head"].at(*tc)
    assert SIGNATURES["bind"].at(18, 10) and not SIGNATURES["bind"].at(18, 8)
    assert SIGNATURES["get_current_task_btf"].gpl and not SIGNATURES["ktime_get_ns"].gpl
    assert SIGNATURES["copy_from_user"].sleeps and not SIGNATURES["get_stack"].sleeps
