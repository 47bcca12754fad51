"""Random functions whose loops the kernel calls: structs, arrays, texts and what may be None go through their bodies.

What a body leaves in memory is asked about in later rounds and behind the loop, in loops that have no round at all, in
loops inside loops, and in functions that are given the struct.
"""

from __future__ import annotations

from shapes import FUNCTIONS, KINDS, Block
from writer import COMPARISONS, Writer

SHORT = ("", "a", "ab", "abc", "x", "bash")


class CalledWriter(Writer):
    """Writes functions as :class:`Writer` does, most loops of which are called."""

    members = ("    cells = Array(u64, 8)", "    pairs = Array(Pair, 8)")

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.given = False  # whether there is a function that is given a struct

    # --- what is asked ---

    def flag(self, depth: int) -> str:
        if "scratch" not in self.locals or self.chance(0.6):
            return super().flag(depth)
        choice = self.random.randrange(6)
        if choice < 2:
            return "scratch.flag"
        if choice == 2:
            return f'(scratch.word {self.random.choice(("==", "!="))} "{self.random.choice(SHORT)}")'
        if choice == 3:
            return f"(scratch.small {self.random.choice(COMPARISONS)} {self.random.randrange(4)})"
        if choice == 4:
            place = self.random.choice(("scratch.pair.left", "scratch.pair.right", "scratch.slots[0]", "scratch.count"))
            return f"({place} {self.random.choice(('==', '!='))} {self.random.randrange(3)})"
        return f"({self.random.choice(('maybe', 'kept'))} is {self.random.choice(('', 'not '))}None)"

    def call(self, kind: str, depth: int) -> tuple[str, str]:
        if self.given and kind == "u64" and "scratch" in self.locals and not self.quiet and self.budget > 3:
            self.budget -= 3
            return f"self.given(data, scratch, {self.number('u64', 1)[0]})", "u64"
        return super().call(kind, depth)

    # --- what is done ---

    def statement(self, block: Block, depth: int) -> None:
        choice = self.random.randrange(10)
        if choice < 3 and "scratch" in self.locals:
            self.budget -= 1
            self.into_scratch(block)
        elif choice == 3:
            self.budget -= 1
            self.into_maybe(block)
        elif choice == 4:
            self.budget -= 1
            self.out_of_maybe(block)
        elif choice < 7 and depth > 0 and self.budget > 0 and self.loops < 2:
            self.budget -= 1
            self.loop(block, depth)
        else:
            super().statement(block, depth)

    def declare(self, block: Block) -> None:
        if "scratch" not in self.locals and self.chance(0.3):
            self.make_scratch(block)
        else:
            super().declare(block)

    def make_scratch(self, block: Block) -> None:
        small = f"small={self.leaf('u8')[0]}, " if self.chance(0.3) else ""
        block.lines.append(f"scratch = Scratch({small}count={self.number('u64', 1)[0]}, delta={self.leaf('i32')[0]})")
        self.locals["scratch"] = "Scratch"

    def into_scratch(self, block: Block) -> None:
        choice = self.random.randrange(8)
        lines = {
            0: f"scratch.flag = {self.random.choice(('True', 'False', 'not scratch.flag', self.flag(1)))}",
            1: f'scratch.word = "{self.random.choice(SHORT)}"',
            2: f"scratch.small = {self.random.randrange(4)}",
            3: f"scratch.slots = [{', '.join(str(self.random.randrange(3)) for _ in range(4))}]",
            4: f"scratch.pair = Pair(left={self.literal('i32')}, right={self.leaf('u16')[0]})",
            5: f"scratch.pair.right {self.random.choice(('=', '+='))} {self.random.randrange(3)}",
        }
        if choice in lines:
            block.lines.append(lines[choice])
        else:
            super().into_scratch(block)

    def into_maybe(self, block: Block) -> None:
        name, table = self.random.choice((("maybe", "cells"), ("kept", "pairs")))
        if name == "kept" and self.chance(0.3):
            block.lines += [f"if {self.flag(1)}:", "    kept = None"]
        else:
            block.lines.append(f"{name} = self.{table}.get(u32({self.leaf('u64')[0]} % {self.random.choice((8, 12))}))")

    def out_of_maybe(self, block: Block) -> None:
        names = [name for name in self.assignable() if self.locals[name] in ("u64", "i32", "i64")]
        if not names:
            return self.declare(block)
        target = self.random.choice(names)
        kind = self.locals[target]
        name, value = self.random.choice((("maybe", "maybe"), ("kept", "kept.left")))
        block.lines += [
            f"if {name} is None:",
            f"    {target} += {self.random.randrange(1, 9)}",
            "else:",
            f"    {target} {self.random.choice(('+=', '^=', '='))} {kind}({value}) + {self.random.randrange(9)}",
        ]
        return None

    # --- loops ---

    def loop(self, block: Block, depth: int) -> None:
        choice = self.random.randrange(10)
        if choice < 2:
            super().loop(block, depth)
        elif choice < 4:
            self.repeat(block, depth)
        else:
            name = self.fresh()
            few = self.random.randrange(6)
            rounds, kind = f"range({self.random.randrange(4097, 9000)})", "u32"
            if choice > 6:
                rounds = f"range(min(u64({self.leaf('u64')[0]}), {self.random.randrange(4097, 9000)}))"
            block.lines.append(f"for {name} in {rounds}:")
            block.lines.append(f"    if {name} >= {few}:")
            block.lines.append("        break")
            block.lines += self.indented(self.body(depth, {name: kind}))
            if self.chance(0.2):
                block.lines += ["else:", *self.indented(self.alone())]

    def alone(self) -> Block:
        """A statement that does not leave."""
        while (found := self.block(0, 1)).ended:
            pass
        return found

    # --- functions ---

    def opening(self) -> list[str]:
        """What every function begins with."""
        return [f"maybe = self.cells.get(u32({self.leaf('u64')[0]} % 12))", "kept = self.pairs.get(u32(data.b0 % 12))"]

    def function(self, number: int) -> str:
        text = super().function(number)
        head, _, rest = text.partition(":\n        ")
        self.locals = {}
        return "\n".join((f"{head}:", *(f"        {line}" for line in self.opening()), f"        {rest}"))

    def given_function(self) -> str:
        """A function that is given a struct."""
        self.result, self.locals = "u64", {"p0": "u64", "scratch": "Scratch"}
        self.fixed, self.loops, self.quiet, self.budget = set(), 0, 0, 16
        body = Block(self.opening())
        for _ in range(self.random.randrange(2, 5)):
            if not body.ended:
                self.statement(body, 2)
        if not body.ended:
            body.lines.append(f"return {self.returned()}")
        lines = ["@function", "def given(self, data: Input, scratch: Scratch, p0: u64) -> u64:", *self.indented(body)]
        return "\n".join(f"    {line}" for line in lines)

    def program(self) -> str:
        given = self.given_function() if self.chance(0.7) else ""
        self.given = bool(given)
        text = super().program()
        assert text.count("    outputs = Array(Output, ROWS)\n") == 1 and FUNCTIONS and KINDS
        members = "\n".join(self.members)
        text = text.replace("    outputs = Array(Output, ROWS)\n", f"    outputs = Array(Output, ROWS)\n{members}\n")
        return f"{text}\n{given}\n" if "self.given(" in text else text
