"""Helpers as Python functions, made from the table of signatures when somebody asks for one."""

from __future__ import annotations

from collections.abc import Callable
from keyword import iskeyword
from typing import Any

from beespace.hooks import Hook
from beespace.hooks.table import HOOKS
from beespace.isa.signatures import SIGNATURES, Argument, Signature
from beespace.lang.bpf_kfuncs import KFUNCS

__all__ = [
    "decorator_of", "document", "function_names", "helper_names", "helper_word", "may_be_left_out", "named_word",
    "parameters", "places_of", "python_name", "python_type",
]  # fmt: skip

# C types of numbers, by what the language calls them.
_NUMBERS = {
    "u8": "u8", "u16": "u16", "u32": "u32", "u64": "u64", "s32": "i32", "s64": "i64", "int": "i32", "long": "i64",
    "size_t": "u64", "__be16": "u16", "__be32": "u32", "__wsum": "u32", "unsigned long": "u64",
}  # fmt: skip
# Hooks that are called otherwise in Python.
_DECORATORS = {"socket": "socket_filter", "classifier": "tc", "tcx": "tc", "action": "tc", "cgroup": "cgroup_skb"}


def helper_names() -> frozenset[str]:
    """Every helper of the kernel, without ``bpf_``."""
    return frozenset(SIGNATURES)


def function_names() -> dict[str, str]:
    """The words for the kernel's functions (kfuncs), with the kernel's names for them."""
    return {name.removeprefix("bpf_"): name for name in KFUNCS if name.removeprefix("bpf_").isidentifier()}


def named_word(name: str, module: str, refuse: Callable[[str], Any]) -> Callable[..., Any] | None:
    """The function that stands for a helper or a function of the kernel; ``None`` if none is known by that name."""
    if name in SIGNATURES:
        return helper_word(name, module, refuse)
    function = function_names().get(name)
    return None if function is None else _function_word(name, function, module, refuse)


def _function_word(name: str, function: str, module: str, refuse: Callable[[str], Any]) -> Callable[..., Any]:
    def word(*arguments: Any, **names: Any) -> Any:
        refuse(name)

    word.__name__ = word.__qualname__ = name
    word.__module__ = module
    prototype = KFUNCS[function].replace(" (", f" {function}(", 1)
    word.__doc__ = f"A function of the kernel, where the kernel has it.\n\nC: {prototype}"
    return word


def python_type(type: str) -> str:
    """What the language calls a C type; ``Any`` for what is no number."""
    return _NUMBERS.get(type, "None" if type == "void" else "Any")


def parameters(signature: Signature) -> list[Argument]:
    """What an author passes: sizes follow from the memory before them."""
    return [argument for argument in signature.arguments if argument.kind != "size"]


def python_name(argument: Argument) -> str:
    """The name of an argument as a keyword of a call: what is a word of Python ends in ``_``."""
    return f"{argument.name}_" if iskeyword(argument.name) else argument.name


def may_be_left_out(signature: Signature, argument: Argument) -> bool:
    """Flags and the start of a sum at the end are 0 if nobody says more."""
    return argument.name in ("flags", "seed") and argument is signature.arguments[-1]


def decorator_of(hook: Hook) -> str:
    """What the hook's programs are marked with in Python, as far as it names a kind of program."""
    name = hook.name.replace(".multi", "_multi").replace(".session", "_session").partition("/")[0].partition(".")[0]
    return _DECORATORS.get(name, name)


def places_of(signature: Signature) -> list[str]:
    """The decorators whose programs may call it."""
    found = (hook for hook in HOOKS if signature.at(hook.program_type, hook.attach_type))
    return list(dict.fromkeys(decorator_of(hook) for hook in found))


def document(name: str) -> str:
    """What ``help()`` shows."""
    signature = SIGNATURES[name]
    lines = [signature.doc, "", f"C: {signature.c}", f"Linux {signature.since}, number {signature.number}."]
    if signature.gpl:
        lines.append("For programs under a licence that is compatible with the GPL.")
    if signature.sleeps:
        lines.append("For programs that may sleep.")
    lines.append(f"Hooks: {', '.join(places_of(signature))}.")
    return "\n".join(lines)


def helper_word(name: str, module: str, refuse: Callable[[str], Any]) -> Callable[..., Any]:
    """The function that stands for a helper; called by Python it refuses."""
    import inspect

    def word(*arguments: Any, **names: Any) -> Any:
        refuse(name)

    signature = SIGNATURES[name]
    word.__name__ = word.__qualname__ = name
    word.__module__ = module
    word.__doc__ = document(name)
    word.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(
                python_name(each),
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=0 if may_be_left_out(signature, each) else inspect.Parameter.empty,
                annotation=python_type(each.type),
            )
            for each in parameters(signature)
        ],
        return_annotation=python_type(signature.result),
    )
    return word
