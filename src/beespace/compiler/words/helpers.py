"""``bpf.NAME(...)``: any helper of the kernel by its name without ``bpf_``.

Invariant: arguments and result have the types of the generated table (:mod:`beespace.isa.signatures`).  A size that
follows memory is filled in; flags that are left out are 0; a result that may be null is a value or None.
"""

from __future__ import annotations

import ast

from beespace import btf as kernel
from beespace.compiler import ir, rules
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.maps.lookups import optional
from beespace.compiler.types import I64, VOID, KernelPointer, MapObject, Optional, Socket, Type
from beespace.compiler.values import Bounds, Value, sequence
from beespace.compiler.words.arguments import NUMBERS, Taken, pass_argument
from beespace.compiler.words.matching import matched
from beespace.compiler.words.references import give_back, held
from beespace.compiler.words.spelled import MAP_TYPES, SPELLED
from beespace.isa.constants import ProgramType
from beespace.isa.signatures import SIGNATURES, Signature
from beespace.lang import Map
from beespace.lang.bpf_helpers import may_be_left_out, parameters, python_name

__all__ = ["helper_call", "is_helper"]

_RESULT_REGION = {
    "value": ir.Region.MAP_VALUE, "socket": ir.Region.SOCKET, "tcp_socket": ir.Region.SOCKET,
    "any_socket": ir.Region.SOCKET, "object": ir.Region.KERNEL_TRUSTED,
}  # fmt: skip
_SOCKET_TYPES = {
    "socket": Socket("bpf_sock"), "tcp_socket": Socket("bpf_tcp_sock"), "any_socket": Socket("bpf_sock", full=False),
}  # fmt: skip
# What gives a verdict, and its largest: XDP_REDIRECT; TC_ACT_REDIRECT and BPF_REDIRECT.
_REDIRECTS = ("redirect", "redirect_map", "redirect_neigh", "redirect_peer")
_XDP_REDIRECT, _TC_ACT_REDIRECT = 4, 7
# What gives a socket that must be given back (is_acquire_function in kernel/bpf/verifier.c).
_ACQUIRES = ("sk_lookup_tcp", "sk_lookup_udp", "skc_lookup_tcp")


def is_helper(name: str) -> bool:
    """Whether the kernel has a helper of that name, without ``bpf_``."""
    return name in SIGNATURES


def helper_call(frame: Frame, name: str, node: ast.Call) -> Value:
    """``bpf.name(...)``."""
    signature = SIGNATURES[name]
    word = f"bpf.{name}()"
    if name in SPELLED:
        raise frame.error(rules.OtherSpelling, node, word=word, suggestion=SPELLED[name])
    takes = parameters(signature)
    optional_ = [python_name(each) for each in takes if may_be_left_out(signature, each)]
    given = matched(frame, word, [python_name(each) for each in takes], optional_, node)
    before: ir.Block = ()
    after: ir.Block = ()
    codes: list[ir.Expression] = []
    map: Map | None = None
    for index, argument in enumerate(signature.arguments):
        if argument.kind == "size":
            continue
        expression = given.get(python_name(argument))
        if expression is None:
            codes.append(ir.Const(0, NUMBERS[argument.type].code))
            continue
        following = signature.arguments[index + 1 : index + 2]
        passed = pass_argument(frame, Taken(word, argument, map, following[0].type if following else ""), expression)
        if argument.kind == "map":
            map = _checked_map(frame, name, word, expression)
        before += passed.before
        after += passed.after
        codes += passed.codes
    return _result(frame, signature, tuple(codes), before, after, map, node)


def _checked_map(frame: Frame, name: str, word: str, node: ast.expr) -> Map:
    type_ = frame.value(node).type
    assert isinstance(type_, MapObject)
    wanted = MAP_TYPES.get(name)
    if wanted is not None and type_.map.map_type not in wanted:
        expected = " or ".join(f"a {wanted[each]}" for each in wanted)
        raise frame.error(rules.WrongMap, node, word=word, expected=expected, found=type_)
    return type_.map


def _bounds(frame: Frame, name: str) -> Bounds | None:
    """What is known of a helper's result: those that redirect give verdicts."""
    if name not in _REDIRECTS:
        return None
    of_xdp = frame.attachment is not None and frame.attachment.hook.program_type == ProgramType.XDP
    return Bounds(0, _XDP_REDIRECT if of_xdp else _TC_ACT_REDIRECT)


def _result(
    frame: Frame,
    signature: Signature,
    codes: tuple[ir.Expression, ...],
    before: ir.Block,
    after: ir.Block,
    map: Map | None,
    node: ast.Call,
) -> Value:
    gives = signature.gives.rstrip("?")
    if signature.result == "void" or gives == "nothing":
        calling = call(signature.name, ir.VOID, *codes, span=frame.code_span(node))
        return Value(VOID, ir.Sequence((*before, ir.Evaluate(calling), *after), ir.Const(0, ir.U64)))
    number = NUMBERS.get(signature.result, I64)
    code_type: ir.Type = number.code
    if gives in _RESULT_REGION:
        code_type = ir.PointerType(_RESULT_REGION[gives])
    code: ir.Expression = call(signature.name, code_type, *codes, span=frame.code_span(node))
    if after:
        between, code = frame.bind(code)
        before += between + after
    code = sequence(before, code)
    if gives == "value":
        assert map is not None and map.value_kind is not None
        return optional(code, map.value_kind)
    type_: Type = number
    if gives in _SOCKET_TYPES:
        type_ = _SOCKET_TYPES[gives]
    elif gives == "object":
        struct = signature.result.removesuffix("*").strip()
        try:
            target = frame.unit.btf.find(struct.removeprefix("struct "), kernel.Kind.STRUCT)
        except KeyError:
            raise frame.error(rules.NoSuchEvent, node, what="type", event=struct, suggestion="") from None
        type_ = KernelPointer(target, struct, True)
    found = Value(Optional(type_) if signature.gives.endswith("?") else type_, code, _bounds(frame, signature.name))
    return held(frame, found, f"bpf.{signature.name}()", give_back) if signature.name in _ACQUIRES else found
