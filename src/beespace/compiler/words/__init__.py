"""The words of ``beespace.lang.bpf``: what each takes, and the helper calls that it becomes.

Invariant: one entry in :data:`WORDS` for each function of that module; a test holds the two together.
"""

from __future__ import annotations

import ast

from beespace.compiler import rules
from beespace.compiler.frame import Frame
from beespace.compiler.values import Value
from beespace.compiler.words import current, memory, packets, sockets
from beespace.compiler.words.word import Word

__all__ = ["WORDS", "word"]

# Each word, with how many arguments it takes.
WORDS: dict[str, tuple[int, Word]] = {**current.WORDS, **packets.WORDS, **sockets.WORDS, **memory.WORDS}


def word(frame: Frame, name: str, node: ast.Call) -> Value:
    """``bpf.name(...)``."""
    takes, rule = WORDS[name]
    if node.keywords:
        raise frame.error(rules.ArgumentNames, node.keywords[0], function=f"bpf.{name}()", problem="takes no names")
    if len(node.args) != takes:
        expected = f"{takes} argument{'' if takes == 1 else 's'}" if takes else "no arguments"
        raise frame.error(rules.ArgumentCount, node, function=f"bpf.{name}()", expected=expected, found=len(node.args))
    return rule(frame, node)
