"""Which helpers a program calls, in all its functions, and whether its hook lets it.

Invariant: what is refused here the kernel refuses, too; where only the kernel can say (an interface of its own, a
function that allows more than others), nothing is said.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from beespace import btf as kernel
from beespace.compiler import ir, passes, rules
from beespace.compiler.diagnostics import Diagnostic, Failure, Span
from beespace.compiler.frame import Unit
from beespace.compiler.ir.walk import placed, walk
from beespace.compiler.passes.followed import FOLLOWS_ROUNDS, refused
from beespace.compiler.source import SourceFile
from beespace.hooks import Attachment, resolve
from beespace.isa.signatures import SIGNATURES, Signature
from beespace.lang.bpf_helpers import decorator_of, places_of

__all__ = ["check_followed", "check_permitted", "helpers_of", "reached_from"]

# Program types whose helpers depend on more than the type: infrared receivers, kernel interfaces, replacements.
_UNSURVEYED = {20, 27, 28}
# The licences that the kernel takes as compatible (license_is_gpl_compatible() in include/linux/license.h).
_COMPATIBLE = {"GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"}
_SHOWN = 10  # hooks in a note
_NO_PROCESS = "a packet is handled before anybody knows whose it is: use @cgroup_skb with a SocketStorage for its owner"
_CURRENT = (
    "get_current_pid_tgid", "get_current_uid_gid", "get_current_comm", "get_current_task", "get_current_task_btf",
    "get_current_cgroup_id",
)  # fmt: skip
# What programs of one target may call beyond what all of their kind may: btf_allowlist_d_path in
# kernel/trace/bpf_trace.c, and the iterators with a function of their own for this (bpf_iter_tcp_get_func_proto).
_PATHS = (
    "security_file_permission", "security_inode_getattr", "security_file_open", "security_path_truncate",
    "vfs_truncate", "vfs_fallocate", "dentry_open", "vfs_getattr", "filp_close",
)  # fmt: skip
_FUNCTIONS = ("fentry", "fexit", "fmod_ret", "fentry.s", "fexit.s", "fmod_ret.s", "fsession", "fsession.s")
_MORE_AT: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "d_path": (_FUNCTIONS, _PATHS),
    "setsockopt": (("iterator",), ("tcp", "unix")),
    "getsockopt": (("iterator",), ("tcp", "unix")),
}
# By helper: what to do instead, wherever it is refused.
_INSTEAD = {
    **dict.fromkeys(_CURRENT, _NO_PROCESS),
    "skb_load_bytes": "use bpf.load_bytes(ctx, Header, offset), which takes the helper of the hook",
    "xdp_load_bytes": "use bpf.load_bytes(ctx, Header, offset), which takes the helper of the hook",
    "skb_store_bytes": "use bpf.store_bytes(ctx, header, offset), which takes the helper of the hook",
    "xdp_store_bytes": "use bpf.store_bytes(ctx, header, offset), which takes the helper of the hook",
    "xdp_adjust_head": "use bpf.skb_change_head() or bpf.skb_adjust_room()",
    "xdp_adjust_tail": "use bpf.skb_change_tail()",
    "ktime_get_coarse_ns": "use bpf.now() or bpf.monotonic()",
    "seq_write": "send an event by a Ring",
    "seq_printf": "send an event by a Ring",
    "override_return": "use @fmod_ret, whose result replaces that of the function",
    "d_path": "read the names of the dentries, take file_open of @lsm, or one of these functions: " + ", ".join(_PATHS),
    "get_func_ip": "one method for each function says by itself which function it is",
    "get_stackid": "the kernel walks stacks for the hooks of tracing only",
    "get_stack": "the kernel walks stacks for the hooks of tracing only",
    "redirect_peer": "use bpf.redirect(ifindex)",
    "send_signal": "forbid what happens by the program's result, where the hook has one",
}


def check_permitted(unit: Unit, programs: Mapping[str, str]) -> None:
    """Add a diagnostic for each call that the hook of a program (name -> section) does not allow."""
    for name, section in programs.items():
        attachment = resolve(section)
        for function in reached_from(unit.functions, name):
            for helper, place in helpers_of(function):
                signature = SIGNATURES.get(helper)
                found = signature and _refusal(unit, name, attachment, signature, place)
                if found:
                    unit.diagnostics.add(Failure(found))


def check_followed(unit: Unit, module: ir.Module) -> None:
    """Add a diagnostic for each loop whose rounds the verifier of the kernel in question cannot follow."""
    if not _follows_rounds(unit.btf) and any(isinstance(node, ir.Each) for node in walk(_bodies(module))):
        for local, place in refused(passes.run(module)):
            what = f"verifier that follows {local} from round to round of a loop that the kernel calls"
            found = rules.NotInKernel(_span(unit, place), what, "6.7", f"assigns {local}, which may be None")
            unit.diagnostics.add(Failure(found))


def _follows_rounds(btf: kernel.Btf) -> bool:
    """Whether the kernel of ``btf`` has what came with that; true if its type information says nothing of it."""
    (member,) = FOLLOWS_ROUNDS.steps
    assert isinstance(member, ir.CoreMember)
    try:
        struct = btf.type(btf.find(FOLLOWS_ROUNDS.root, kernel.Kind.STRUCT))
    except KeyError:
        return True
    assert isinstance(struct, kernel.Struct)
    return any(each.name == member.name for each in struct.members)


def _bodies(module: ir.Module) -> tuple[ir.Block, ...]:
    return tuple(function.body for function in module.functions)


def reached_from(functions: Mapping[str, ir.Function], name: str) -> list[ir.Function]:
    """A function and all that it calls or lets the kernel call, each once."""
    found: dict[str, ir.Function] = {}
    open_ = [name]
    while open_:
        current = open_.pop()
        if current in found or current not in functions:
            continue
        found[current] = functions[current]
        for node in walk(functions[current].body):
            if isinstance(node, ir.Call):
                open_.append(node.function)
            elif isinstance(node, ir.FunctionAddress):
                open_.append(node.name)
    return list(found.values())


def helpers_of(function: ir.Function) -> Iterator[tuple[str, ir.Span | None]]:
    """The helpers that a function calls, with the places of the calls."""
    for node, span in placed(function.body, function.span):
        if isinstance(node, ir.Helper):
            yield node.name, span


def _allowed(signature: Signature, attachment: Attachment) -> bool:
    hook = attachment.hook
    if hook.program_type in _UNSURVEYED or signature.at(hook.program_type, hook.attach_type):
        return True
    hooks, targets = _MORE_AT.get(signature.name, ((), ()))
    return hook.name in hooks and attachment.target in targets


def _refusal(
    unit: Unit, name: str, attachment: Attachment, signature: Signature, place: ir.Span | None
) -> Diagnostic | None:
    hook = attachment.hook
    helper = signature.name
    decorator = decorator_of(hook)
    if not _allowed(signature, attachment):
        listed = [f"@{each}" for each in places_of(signature)]
        more = [f"{len(listed) - _SHOWN} more"] if len(listed) > _SHOWN else []
        places = ", ".join([*listed[:_SHOWN], *more])
        return rules.HelperNotHere(_span(unit, place), helper, decorator, places, _INSTEAD.get(helper, ""))
    license = unit.declaration.license
    if signature.gpl and license not in _COMPATIBLE:
        return rules.HelperNeedsGpl(_span(unit, place), helper, unit.declaration.name, repr(license))
    if signature.sleeps and not hook.sleepable:
        suggestion = "write sleepable=True in the decorator, where it takes that; or use @syscall"
        return rules.HelperMaySleep(_span(unit, place), helper, decorator, suggestion)
    return None


def _span(unit: Unit, place: ir.Span | None) -> Span:
    """The author's text of a place: the longest expression that begins there."""
    files = {file.name: file for file in unit.sources.files()}
    file = files[place.file] if place is not None else next(iter(files.values()))
    line, column = (place.line, place.column) if place is not None else (1, 1)
    nodes = (node for node in ast.walk(ast.parse(file.text)) if isinstance(node, ast.expr) and node.lineno == line)
    spans = [span for span in (Span.of(file, node) for node in nodes) if span.column == column]
    calls = [span for span in spans if span.end_line == line]
    return max(calls, key=lambda span: span.end_column, default=_rest_of_line(file, line, column))


def _rest_of_line(file: SourceFile, line: int, column: int) -> Span:
    return Span(file, line, column, line, len(file.line(line)) + 1)
