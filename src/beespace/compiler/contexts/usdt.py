"""Arguments of static probes (USDT): a function that every program of the object shares, and the maps that it reads.

Where an argument is follows from the binary, so that the loader writes it into an entry of ``__bpf_usdt_specs``
when the program is attached (:mod:`beespace.kernel.links.usdt_specs`).  The number of that entry is the probe's
cookie, or, on kernels whose uprobes have no cookies (before 5.15), stands under the instruction's address in another
map.

Names are those of libbpf's ``usdt.bpf.h``; the struct has room for its indexed operands without bit fields.
"""

from __future__ import annotations

from beespace.compiler import ir
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.hooks.registers import Registers
from beespace.schema import IntKind, Struct
from beespace.types import array, u8, u16, u32, u64

__all__ = ["MAPS", "usdt_argument"]

FUNCTION = "beespace_usdt_argument"
_SPECS, _ADDRESSES = "__bpf_usdt_specs", "__bpf_usdt_ip_to_spec_id"
_ARRAY, _HASH = 2, 1  # BPF_MAP_TYPE_*
_PROBES = 256  # kinds of places that the programs of one object can be attached to at once
_COUNT = 12


class UsdtArgument(Struct):
    """``struct __bpf_usdt_arg_spec``."""

    val_off: u64
    arg_type: u16
    reg_off: u16
    idx_reg_off: u16
    scale_bitshift: u8
    arg_signed: u8
    arg_bitshift: u8
    unused: u8
    unused_: u16
    unused__: u32


class UsdtSpec(Struct):
    """``struct __bpf_usdt_spec``."""

    args: list[UsdtArgument] = array(UsdtArgument, _COUNT)
    usdt_cookie: u64
    arg_cnt: u16
    unused: u16
    unused_: u32


_U32, _U64 = IntKind("u32", 32), IntKind("u64", 64)
MAPS = (
    ir.MapDefinition(_SPECS, _ARRAY, key=_U32, value=UsdtSpec, max_entries=_PROBES),
    ir.MapDefinition(_ADDRESSES, _HASH, key=_U64, value=_U32, max_entries=_PROBES * 4),
)
_REGISTER, _MEMORY, _INDEXED = 1, 2, 3  # kernel.usdt_arguments.Kind; 0 is a constant

_CONTEXT = ir.PointerType(ir.Region.CONTEXT)
_VALUE = ir.PointerType(ir.Region.MAP_VALUE)
_KERNEL = ir.PointerType(ir.Region.KERNEL_UNTRUSTED)
_USER = ir.PointerType(ir.Region.USER)


def usdt_argument(frame: Frame, context: ir.Expression, index: int, registers: Registers) -> ir.Expression:
    """The argument at ``index`` as 64 bits, extended by its own sign; 0 if the probe has none there."""
    functions = frame.unit.functions
    if FUNCTION not in functions:
        functions[FUNCTION] = _reader(registers)
    at = UsdtSpec.layout.field("args").offset + index * UsdtArgument.layout.size
    arguments = (context, ir.Const(at, ir.U32), ir.Const(index, ir.U32))
    return ir.Call(FUNCTION, arguments, ir.U64)


def _reader(registers: Registers) -> ir.Function:
    context = ir.Local("ctx", _CONTEXT)
    number, spec, entry = (
        ir.Local(name, type) for name, type in (("number", ir.U32), ("spec", _VALUE), ("entry", _VALUE))
    )
    none = ir.Return(ir.Const(0, ir.U64))
    key = ir.StackSlot("key")
    address = ir.StackSlot("address")
    cookies = ir.Compare(
        ir.CompareOp.NE,
        ir.CoreInfo(ir.CoreQuestion.TYPE_EXISTS, ir.CoreAccess("bpf_trace_run_ctx", ())),  # since cookies, Linux 5.15
        ir.Const(0, ir.U64),
    )
    by_address: ir.Block = (
        ir.Store(address, ir.Load(ir.ContextField(context, registers.instruction), ir.U64)),
        ir.Declare("found", _VALUE, call("map_lookup_elem", _VALUE, ir.MapAddress(_ADDRESSES), address)),
        ir.If(_null(ir.Local("found", _VALUE)), (none,)),
        ir.Assign("number", ir.Load(ir.Local("found", _VALUE), ir.U32)),
    )
    by_cookie = (ir.Assign("number", ir.Convert(call("get_attach_cookie", ir.U64, context), ir.U32)),)
    count = ir.Load(ir.Offset(spec, UsdtSpec.layout.field("arg_cnt").offset), ir.U16)
    body: ir.Block = (
        ir.Declare("number", ir.U32),
        ir.If(cookies, by_cookie, by_address),
        ir.Store(key, number),
        ir.Declare("spec", _VALUE, call("map_lookup_elem", _VALUE, ir.MapAddress(_SPECS), key)),
        ir.If(_null(spec), (none,)),
        ir.If(ir.Compare(ir.CompareOp.GE, ir.Local("index", ir.U32), ir.Convert(count, ir.U32)), (none,)),
        # The same bound as a mask-free comparison: the verifier wants to see that the entry is within.
        ir.If(
            ir.Compare(
                ir.CompareOp.GT, ir.Local("at", ir.U32), ir.Const((_COUNT - 1) * UsdtArgument.layout.size, ir.U32)
            ),
            (none,),
        ),
        ir.Declare("entry", _VALUE, ir.Offset(spec, ir.Local("at", ir.U32))),
        ir.Declare("kind", ir.U16, _part(entry, "arg_type", ir.U16)),
        ir.Declare("value", ir.U64, _part(entry, "val_off", ir.U64)),
        ir.If(_is("kind", _REGISTER), (ir.Assign("value", _register(context, entry, "reg_off")),)),
        ir.If(
            _is("kind", _MEMORY),
            (_plus(_register(context, entry, "reg_off")), _at_address()),
        ),
        ir.If(
            _is("kind", _INDEXED),
            (
                _plus(_register(context, entry, "reg_off")),
                _plus(
                    ir.Binary(
                        ir.BinaryOp.SHL,
                        _register(context, entry, "idx_reg_off"),
                        ir.Convert(_part(entry, "scale_bitshift", ir.U8), ir.U64),
                    )
                ),
                _at_address(),
            ),
        ),
        ir.Declare("shift", ir.U64, ir.Convert(_part(entry, "arg_bitshift", ir.U8), ir.U64)),
        ir.Assign("value", ir.Binary(ir.BinaryOp.SHL, _value(), ir.Local("shift", ir.U64))),
        ir.If(
            ir.Compare(ir.CompareOp.NE, _part(entry, "arg_signed", ir.U8), ir.Const(0, ir.U8)),
            (
                ir.Return(
                    ir.Convert(
                        ir.Binary(
                            ir.BinaryOp.SHR,
                            ir.Convert(_value(), ir.I64),
                            ir.Convert(ir.Local("shift", ir.U64), ir.I64),
                        ),
                        ir.U64,
                    )
                ),
            ),
        ),
        ir.Return(ir.Binary(ir.BinaryOp.SHR, _value(), ir.Local("shift", ir.U64))),
    )
    parameters = (ir.Parameter("ctx", _CONTEXT), ir.Parameter("at", ir.U32), ir.Parameter("index", ir.U32))
    slots = (ir.Slot("key", 4, 4), ir.Slot("address", 8))
    return ir.Function(FUNCTION, parameters, ir.U64, body, slots=slots)


def _null(pointer: ir.Expression) -> ir.Expression:
    return ir.Compare(ir.CompareOp.EQ, pointer, ir.Const(0, pointer.type))


def _part(entry: ir.Expression, name: str, type: ir.IntType) -> ir.Expression:
    return ir.Load(ir.Offset(entry, UsdtArgument.layout.field(name).offset), type)


def _is(name: str, number: int) -> ir.Expression:
    return ir.Compare(ir.CompareOp.EQ, ir.Local(name, ir.U16), ir.Const(number, ir.U16))


def _value() -> ir.Expression:
    return ir.Local("value", ir.U64)


def _plus(code: ir.Expression) -> ir.Statement:
    return ir.Assign("value", ir.Binary(ir.BinaryOp.ADD, _value(), code))


def _at_address() -> ir.Statement:
    return ir.Assign("value", ir.Load(ir.Convert(_value(), _USER), ir.U64))


def _register(context: ir.Expression, entry: ir.Expression, name: str) -> ir.Expression:
    """A register whose place in ``struct pt_regs`` the entry says."""
    place = ir.Convert(_part(entry, name, ir.U16), ir.U32)
    return ir.Load(ir.Offset(ir.Convert(context, _KERNEL), place), ir.U64)
