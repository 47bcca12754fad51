"""``bpf.NAME(...)``: any function of the kernel that programs may call, typed by its prototype in BTF.

Invariant: what the names of parameters say to the verifier (Documentation/bpf/kfuncs.rst) is what they mean here: a
size (``__sz``) follows its memory and is filled in, ``__nullable`` takes None, ``__map`` a map, ``__str`` a text that
is written out, ``__k`` a constant; what the verifier itself fills in (``__prog``, ``meta__ign``) is no parameter of
the author's.  A pointer that a function gives is a value or None.
"""

from __future__ import annotations

import ast

from beespace import btf as kernel
from beespace.compiler import ir, rules
from beespace.compiler.contexts.prototypes import prototype_of
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.functions import ACQUIRES
from beespace.compiler.kernel.types import pointer_type
from beespace.compiler.types import BOOL, VOID, Int, Optional, Type
from beespace.compiler.values import Value, sequence
from beespace.compiler.words.kfunc_arguments import Parameter, is_filled_in, is_size, pass_parameter
from beespace.compiler.words.matching import matched
from beespace.compiler.words.references import held

__all__ = ["kernel_function_call"]

# What has a place in the language, or none yet.
_SECTION = "use `with bpf.rcu():`, `with bpf.preempt_disabled():` or `with bpf.irqs_disabled():`"
_SPELLED = {
    "bpf_rcu_read_lock": _SECTION, "bpf_rcu_read_unlock": _SECTION, "bpf_preempt_disable": _SECTION,
    "bpf_preempt_enable": _SECTION, "bpf_local_irq_save": _SECTION, "bpf_local_irq_restore": _SECTION,
    "bpf_rdonly_cast": "use bpf.cast(address, type)",
    "bpf_throw": "return early instead: what is held is given back",
    "bpf_obj_new_impl": "memory that the kernel allocates for a program cannot be written yet; use a map",
    "bpf_percpu_obj_new_impl": "memory that the kernel allocates for a program cannot be written yet; use a map",
    "bpf_skb_ct_alloc": "entries of connection tracking can be looked up, and not be made",
    "bpf_xdp_ct_alloc": "entries of connection tracking can be looked up, and not be made",
}  # fmt: skip
_NEVER_NULL = ("bpf_cast_to_kern_ctx",)
_MAX_ARGUMENTS = 5


def kernel_function_call(frame: Frame, name: str, node: ast.Call) -> Value:
    """A call of the kernel's function ``name``."""
    word = f"bpf.{name.removeprefix('bpf_')}()"
    releases = set(ACQUIRES.values())
    if name in _SPELLED or name in releases:
        suggestion = _SPELLED.get(name, "what a `with` took is given back at the end of its block")
        raise frame.error(rules.OtherSpelling, node, word=word, suggestion=suggestion)
    btf = frame.unit.btf
    function = btf.prototype(btf.find(name, kernel.Kind.FUNC))
    listed = [
        Parameter(word, each.name, each.type, function.parameters[index + 1 : index + 2])
        for index, each in enumerate(function.parameters)
    ]
    names = [each.word for each in listed if not is_size(each.name) and not is_filled_in(each.name)]
    given = matched(frame, word, names, ["flags"], node)
    if len(listed) > _MAX_ARGUMENTS:
        suggestion = "programs pass at most five arguments to a function"
        raise frame.error(rules.OtherSpelling, node, word=word, suggestion=suggestion)
    before: ir.Block = ()
    after: ir.Block = ()
    codes: list[ir.Expression] = []
    for parameter in listed:
        if is_size(parameter.name):
            continue
        passed = pass_parameter(frame, parameter, given.get(parameter.word))
        before, after = before + passed.before, after + passed.after
        codes += passed.codes
    prototype = prototype_of(btf, name)
    type_, code_type = _result(frame, name, word, function.result, node)
    span = frame.code_span(node)
    code: ir.Expression = ir.KernelFunction(name, tuple(codes), code_type, prototype, span=span)
    if type_ is VOID:
        return Value(VOID, ir.Sequence((*before, ir.Evaluate(code), *after), ir.Const(0, ir.U64)))
    if after:
        between, code = frame.bind(code)
        before += between + after
    found = Value(type_, sequence(before, code))
    if name not in ACQUIRES:
        return found
    release, release_prototype = ACQUIRES[name], prototype_of(btf, ACQUIRES[name])
    return held(
        frame, found, word, lambda reference: ir.KernelFunction(release, (reference,), ir.VOID, release_prototype)
    )


def _result(frame: Frame, name: str, word: str, type_id: int, node: ast.Call) -> tuple[Type, ir.Type]:
    btf = frame.unit.btf
    target = btf.type(btf.resolve(type_id))
    match target:
        case kernel.Void():
            return VOID, ir.VOID
        case kernel.Int() if target.encoding & kernel.IntEncoding.BOOL:
            return BOOL, ir.BOOL
        case kernel.Int() | kernel.Enum():
            number = Int(8 * target.size, target.is_signed)
            return number, number.code
        case kernel.Pointer():
            pointer = pointer_type(btf, type_id, trusted=True)
            if isinstance(btf.type(pointer.target), kernel.Struct):
                code = ir.PointerType(ir.Region.KERNEL_TRUSTED)
                return (pointer if name in _NEVER_NULL else Optional(pointer)), code
    raise frame.error(
        rules.OtherSpelling,
        node,
        word=word,
        suggestion=f"it gives {btf.describe(type_id)}, which has no place here yet",
    )
