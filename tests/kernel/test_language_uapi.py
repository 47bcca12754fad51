"""The constants of ``beespace.lang.uapi`` are this kernel's, as far as it has them in its type information."""

from __future__ import annotations

import re

from beespace.btf import Enum, Kind
from beespace.kernel.vmlinux import vmlinux_btf
from beespace.lang import uapi


def test_numbers_are_the_kernels() -> None:
    btf = vmlinux_btf()
    # How many there are of something grows with kernels.
    ours = {name: value for name, value in vars(uapi).items() if name.isupper() and not re.search("_MAX(_|$)", name)}
    known = {}
    for number in btf.ids(Kind.ENUM, Kind.ENUM64):
        found = btf.type(number)
        assert isinstance(found, Enum)
        for each in found.values:
            fits = btf.kind(number) is Kind.ENUM64 or ours.get(each.name, 0) < 1 << 32  # ENUM64 is of Linux 6.0
            if each.name in ours and fits:
                known[each.name] = each.value & 0xFFFFFFFFFFFFFFFF
    width = {name: 0xFFFFFFFF if value <= 0xFFFFFFFF else 0xFFFFFFFFFFFFFFFF for name, value in ours.items()}
    assert len(known) > 100
    assert {n: ours[n] & width[n] for n in known} == {n: known[n] & width[n] for n in known}
