"""The IR is verified after every pass."""

from __future__ import annotations

import pytest

from beespace.compiler import ir, passes
from beespace.errors import InternalError
from beespace.record import replace

FUNCTION = ir.Function(
    "f", (ir.Parameter("ctx", ir.PointerType(ir.Region.CONTEXT)),), ir.I32, (ir.Return(ir.Const(0, ir.I32)),), "xdp"
)
MODULE = ir.Module("m", (FUNCTION,))


def test_passes_run_in_order() -> None:
    ran: list[str] = []

    def first(module: ir.Module) -> ir.Module:
        ran.append("first")
        return module

    def second(module: ir.Module) -> ir.Module:
        ran.append("second")
        return replace(module, license="MIT")

    assert passes.run(MODULE, (first, second)).license == "MIT"
    assert ran == ["first", "second"]


def test_a_pass_that_breaks_the_ir_is_named() -> None:
    def careless(module: ir.Module) -> ir.Module:
        return replace(module, functions=(replace(FUNCTION, body=()),))

    with pytest.raises(InternalError, match="after the pass careless: "):
        passes.run(MODULE, (careless,))
