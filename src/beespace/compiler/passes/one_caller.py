"""A sub-program that a program calls at one place becomes part of its caller.

A call costs what it hands over: structs stand in memory for it, and numbers that the caller needs afterwards are saved.
The kernel gives each program its own copy of every sub-program anyway, so what several programs call at one
place each becomes part of all of them, as long as the object does not grow by much.  What the kernel calls or
replaces by its name stays a function.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from beespace.compiler import ir
from beespace.compiler.ir.walk import walk
from beespace.compiler.passes.blocks import each_function
from beespace.record import replace

__all__ = ["one_caller"]

_FRAME = 256  # bytes of slots that the functions of one frame may have together; all frames of a chain have 512
_COPIES = 1500  # parts of the IR that all further copies of one function may have together


def one_caller(module: ir.Module) -> ir.Module:
    """See the module."""
    nodes = {each.name: tuple(walk(each.body)) for each in module.functions}
    calls = {name: [node.function for node in found if isinstance(node, ir.Call)] for name, found in nodes.items()}
    if not any(calls.values()):
        return module
    given = {
        name: [node.name for node in found if isinstance(node, ir.FunctionAddress)] for name, found in nodes.items()
    }
    handed_out = {name for names in given.values() for name in names}
    most = _most_calls(module, calls, given)
    callers: defaultdict[str, set[str]] = defaultdict(set)
    for name, callees in calls.items():
        for callee in callees:
            callers[callee].add(name)
    # What a frame holds with everything that becomes part of it; callees come before their callers.
    frames = {each.name: sum(slot.size for slot in each.slots) for each in module.functions}
    inlined: set[str] = set()
    for each in module.functions:
        if each.section is not None or each.exported or each.inlined or each.name in handed_out or most[each.name] != 1:
            continue
        around = callers[each.name]
        fits = all(frames[each.name] + frames[caller] <= _FRAME for caller in around)
        if fits and len(nodes[each.name]) * (len(around) - 1) <= _COPIES:
            inlined.add(each.name)
            for caller in around:
                frames[caller] += frames[each.name]
    return each_function(module, lambda each: replace(each, inlined=True) if each.name in inlined else each)


def _most_calls(module: ir.Module, calls: dict[str, list[str]], given: dict[str, list[str]]) -> Counter[str]:
    """How many calls of each function there are in the program that has the most of them."""
    most: Counter[str] = Counter()
    for each in module.functions:
        if each.section is None and not each.exported:
            continue
        reached: list[str] = []
        waiting = [each.name]
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.append(name)
                waiting += (*calls.get(name, ()), *given.get(name, ()))
        most |= Counter(callee for name in reached for callee in calls.get(name, ()))
    return most
