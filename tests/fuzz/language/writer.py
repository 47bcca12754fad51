"""Random functions of the language, well typed: nothing in them is refused.

Every part knows its static type, because what a result wraps at, and which literal may stand beside
it, follow from that.
"""

from __future__ import annotations

import random

from shapes import ARRAYS, FUNCTIONS, KINDS, NUMBERS, WORDS, Block, Signature

COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


class Writer:
    """Writes the functions of one object; the same seed writes the same."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.known: list[Signature] = []
        self.locals: dict[str, str] = {}
        self.fixed: set[str] = set()  # loop names and parameters of loops: not assigned to
        self.counter = 0
        self.budget = 0
        self.loops = 0
        self.quiet = 0  # inside of what is evaluated in an unknown order or not at all: no walrus
        self.result = "u64"

    # --- small things ---

    def chance(self, part: float) -> bool:
        return self.random.random() < part

    def fresh(self) -> str:
        self.counter += 1
        return f"v{self.counter}"

    def literal(self, kind: str, low: int | None = None) -> str:
        known = KINDS[kind]
        high = min(known.maximum, 1 << self.random.randrange(1, known.bits))
        choices = [0, 1, 2, 3, 7, 10, high, known.maximum, self.random.randint(0, high)]
        if known.minimum < 0:
            choices += [-1, -2, -7, known.minimum + 1, -self.random.randint(0, high - 1)]
        choices = [value for value in choices if low is None or value >= low]
        return str(self.random.choice(choices))

    def narrower(self, kind: str) -> str:
        """A type that widens to ``kind`` by itself."""
        of_sign = [name for name in KINDS if name[0] == kind[0] and KINDS[name].bits <= KINDS[kind].bits]
        return self.random.choice((kind, kind, self.random.choice(of_sign)))

    # --- numbers ---

    def leaf(self, kind: str) -> tuple[str, str]:
        """Something that is there already, of ``kind`` or narrower."""
        kind = self.narrower(kind)
        names = [name for name, found in self.locals.items() if found == kind]
        if names and self.chance(0.6):
            return self.random.choice(names), kind
        fields = [f"data.{name}" for name, found in NUMBERS.items() if found == kind]
        fields += {"i32": ["data.pair.left"], "u16": ["data.pair.right"]}.get(kind, [])
        if "scratch" in self.locals:
            fields += {"u64": ["scratch.count"], "u8": ["scratch.small"], "i32": ["scratch.delta"]}.get(kind, [])
        arrays = [name for name, (found, _) in ARRAYS.items() if found == kind]
        arrays = [name for name in arrays if name != "scratch.slots" or "scratch" in self.locals]
        if arrays and self.chance(0.4):
            return self.element(self.random.choice(arrays)), kind
        return self.random.choice(fields), kind

    def element(self, name: str) -> str:
        length = ARRAYS[name][1]
        if self.chance(0.4):
            return f"{name}[{self.random.randrange(length)}]"
        names = [found for found, kind in self.locals.items() if kind in ("u8", "u16", "u32", "u64")]
        index = self.random.choice([*names, "data.a2", "data.b0", "data.a3"])
        return f"{name}[{index} {self.random.choice(('%', '&'))} {length}]".replace("& 8", "& 7").replace("& 4", "& 3")

    def number(self, kind: str, depth: int) -> tuple[str, str]:
        """An expression whose static type is ``kind`` or narrower (the second of the pair)."""
        if depth <= 0 or self.chance(0.12):
            return self.leaf(kind)
        choice = self.random.randrange(21)
        if choice < 6:
            return self.arithmetic(kind, depth)
        if choice == 20:
            return self.gathered(kind, depth)
        if choice < 8:
            return self.division(kind, depth)
        if choice < 10:
            return self.shift(kind, depth)
        if choice == 10:
            text, found = self.number(kind, depth - 1)
            return f"({self.random.choice('-~+')}{text})", found
        if choice == 11:
            text, found = self.number(kind, depth - 1)
            return f"abs({text})", found
        if choice == 12:
            left, right, found = self.pair(kind, depth)
            return f"{self.random.choice(('min', 'max'))}({left}, {right})", found
        if choice == 13:
            self.quiet += 1
            left, right, found = self.pair(kind, depth)
            self.quiet -= 1
            return f"({left} {self.random.choice(('and', 'or'))} {right})", found
        if choice < 16:
            test = self.truth(depth - 1)
            self.quiet += 1
            left, right, found = self.pair(kind, depth)
            self.quiet -= 1
            return f"({left} if {test} else {right})", found
        if choice == 16:
            other = self.random.choice([*KINDS, "bool"])
            target = self.narrower(kind)
            if other == "bool":
                return f"{target}({self.flag(depth - 1)})", target
            return f"{target}({self.number(other, depth - 1)[0]})", target
        if choice == 17 and KINDS[kind].bits >= 32 and kind[0] == "u":
            text, _ = self.number(self.random.choice([*KINDS]), depth - 1)
            return f"({text}).{self.random.choice(('bit_length', 'bit_count'))}()", "u32"
        if choice == 18:
            return self.call(kind, depth)
        if choice == 19 and not self.quiet:
            text, found = self.number(kind, depth - 1)
            name = self.fresh()
            self.locals[name] = found
            return f"({name} := {text})", found
        return self.arithmetic(kind, depth)

    def pair(self, kind: str, depth: int) -> tuple[str, str, str]:
        """Two numbers that go together, and the type that they meet in."""
        left, found = self.number(kind, depth - 1)
        if self.chance(0.3):
            return left, self.literal(found), found
        right, other = self.number(kind, depth - 1)
        return left, right, max(found, other, key=lambda name: KINDS[name].bits)

    def arithmetic(self, kind: str, depth: int) -> tuple[str, str]:
        if self.chance(0.08):
            text, found = self.number(kind, depth - 1)
            return f"({text} ** {self.random.randrange(5)})", found
        mirrored = self.chance(0.2)
        self.quiet += mirrored
        left, right, found = self.pair(kind, depth)
        self.quiet -= mirrored
        if mirrored:
            left, right = right, left
        return f"({left} {self.random.choice(('+', '-', '*', '&', '|', '^'))} {right})", found

    def division(self, kind: str, depth: int) -> tuple[str, str]:
        self.quiet += 1
        left, found = self.number(kind, depth - 1)
        self.quiet -= 1
        symbol = self.random.choice(("//", "%"))
        if self.chance(0.4):
            divisor = self.literal(found)
            if divisor != "0":
                return f"({left} {symbol} {divisor})", found
        text, other = self.leaf(kind)
        wide = max(found, other, key=lambda name: KINDS[name].bits)
        if kind[0] == "u":
            return f"({left} {symbol} ({text} | 1))", wide
        if text in self.locals and self.chance(0.5):
            return f"({left} {symbol} {text} if {text} != 0 else {self.leaf(other)[0]})", wide
        if self.chance(0.3):
            return f"({left} {symbol} -(({text} & 7) + 1))", wide
        return f"({left} {symbol} (({text} & 15) + 1))", wide

    def shift(self, kind: str, depth: int) -> tuple[str, str]:
        left, found = self.number(kind, depth - 1)
        symbol = self.random.choice(("<<", ">>"))
        choice = self.random.randrange(3)
        if choice == 0:
            count = str(self.random.randrange(KINDS[found].bits + 3))
        elif choice == 1:
            count = self.leaf(self.random.choice(("u8", "u16")))[0]
        else:
            count = f"({self.leaf('u64')[0]} & {self.random.choice((7, 15, 63, 127))})"
        return f"({left} {symbol} {count})", found

    def gathered(self, kind: str, depth: int) -> tuple[str, str]:
        """What is said of an array, a text or a range."""
        bits = KINDS[kind].bits
        if kind[0] == "i" and bits >= 32 and self.chance(0.3):
            return f'{self.random.choice(("data.name", "data.other"))}.find("{self.random.choice(WORDS)}")', "i32"
        if kind[0] == "u" and bits >= 32 and self.chance(0.3):
            return f"len({self.random.choice(('data.name', 'data.other'))})", "u32"
        arrays = [(name, found) for name, (found, _) in ARRAYS.items() if found[0] == kind[0]]
        arrays = [each for each in arrays if each[0] != "scratch.slots" or "scratch" in self.locals]
        name, found = self.random.choice(arrays)
        if bits == 64 and self.loops < 2:
            wide = f"{kind[0]}64"
            choice = self.random.randrange(3)
            if choice == 0:
                return f"sum({name})", wide
            item = self.fresh()
            before, self.locals[item] = dict(self.locals), found
            self.fixed.add(item)
            self.quiet += 1
            value, test = self.number(found, 1)[0], self.truth(1)
            self.quiet -= 1
            self.locals = before
            self.locals.pop(item, None)
            source = name if choice == 1 or kind[0] == "i" else f"range({self.random.randrange(1, 6)})"
            if source != name:
                value = f"u32({item}) * {self.random.randrange(9)}"
                test = f"{item} != {self.random.randrange(6)}"
            return f"sum({value} for {item} in {source} if {test})", wide
        if KINDS[found].bits <= bits:
            return f"{self.random.choice(('min', 'max'))}({name})", found
        return self.leaf(kind)

    def call(self, kind: str, depth: int) -> tuple[str, str]:
        fitting = [
            found for found in self.known
            if found.result[0] == kind[0] and found.result in KINDS and KINDS[found.result].bits <= KINDS[kind].bits
        ]  # fmt: skip
        if not fitting or self.loops > 1 or self.budget < 3:
            return self.arithmetic(kind, depth)
        self.budget -= 3
        callee = self.random.choice(fitting)
        arguments = [self.number(parameter, 1)[0] for parameter in callee.parameters]
        return f"self.{callee.name}(data, {', '.join(arguments)})", callee.result

    # --- truth ---

    def comparison(self, depth: int) -> str:
        kind = self.random.choice([*KINDS])
        left, right, _ = self.pair(kind, max(depth, 1))
        if self.chance(0.2) and not right.lstrip("-").isdigit():
            first, second = self.random.choice(COMPARISONS), self.random.choice(COMPARISONS)
            return f"({left} {first} {right} {second} {self.leaf(kind)[0]})"
        return f"({left} {self.random.choice(COMPARISONS)} {right})"

    def flag(self, depth: int) -> str:
        """A bool."""
        choice = self.random.randrange(13)
        if choice < 5 or depth <= 0:
            return self.comparison(depth)
        if choice == 12:
            return self.asked()
        if choice == 5:
            return f"(not {self.truth(depth - 1)})"
        if choice < 8:
            left = self.flag(depth - 1)
            self.quiet += 1
            right = self.flag(depth - 1)
            self.quiet -= 1
            return f"({left} {self.random.choice(('and', 'or'))} {right})"
        if choice == 8:
            return self.random.choice(("data.yes", "data.no", *(n for n, k in self.locals.items() if k == "bool")))
        if choice == 9:
            return self.words()
        if choice == 10:
            kind = self.random.choice([*KINDS])
            text, found = self.number(kind, depth - 1)
            several = ", ".join(self.literal(found) for _ in range(self.random.randrange(2, 4)))
            return f"({text} {self.random.choice(('in', 'not in'))} ({several}))"
        return f"bool({self.number(self.random.choice([*KINDS]), depth - 1)[0]})"

    def asked(self) -> str:
        """any() and all()."""
        item, word = self.fresh(), self.random.choice(("any", "all"))
        name, kind = self.random.choice((("data.slots", "u32"), ("data.deltas", "i16")))
        if self.chance(0.3):
            return f"{word}({name})"
        test = f"{item} {self.random.choice(COMPARISONS)} {self.leaf(kind)[0]}"
        return f"{word}({test} for {item} in {name} if {item} != {self.literal(kind)})"

    def words(self) -> str:
        """Something said of a text."""
        name = self.random.choice(("data.name", "data.other"))
        word = self.random.choice(WORDS)
        choice = self.random.randrange(7)
        low, high = self.random.randrange(4), self.random.randrange(1, 9)
        if choice == 3:
            return f'({name}[{low}:{high}] {self.random.choice(("==", "!="))} "{word[low:high]}")'
        if choice == 4:
            return f'{name}.endswith("{word[1:]}")'
        if choice == 5:
            return f'("{word[:3]}" {self.random.choice(("in", "not in"))} {name})'
        if choice == 6:
            return f'({name} in ("{word}", "{self.random.choice(WORDS)}"))'
        if choice == 0:
            return f'({name} {self.random.choice(("==", "!="))} "{word}")'
        if choice == 1:
            return f'{name}.startswith("{word}")'
        return f"(data.name {self.random.choice(('==', '!='))} data.other)"

    def truth(self, depth: int) -> str:
        """What an if takes: a bool, a number, a text."""
        if self.chance(0.15):
            return self.number(self.random.choice([*KINDS]), max(depth, 0))[0]
        return "data.name" if self.chance(0.03) else self.flag(depth)

    # --- statements ---

    def block(self, depth: int, count: int) -> Block:
        """Some statements; what they declare ends with them."""
        block = Block()
        before = dict(self.locals)
        for _ in range(count):
            if block.ended:
                break
            self.statement(block, depth)
        if not block.lines:
            block.lines.append("pass")
        self.locals = before
        return block

    def assignable(self) -> list[str]:
        return [name for name in self.locals if name not in self.fixed and self.locals[name] in KINDS]

    def statement(self, block: Block, depth: int) -> None:
        self.budget -= 1
        choice = self.random.randrange(20)
        names = self.assignable()
        if choice < 3 or not names:
            self.declare(block)
        elif choice < 6:
            name = self.random.choice(names)
            literal = self.chance(0.15)
            text = self.literal(self.locals[name]) if literal else self.number(self.locals[name], 2)[0]
            block.lines.append(f"{name} = {text}")
        elif choice < 9:
            self.augmented(block, names)
        elif choice == 9:
            self.several(block, names)
        elif choice == 10 and "scratch" in self.locals:
            self.into_scratch(block)
        elif depth > 0 and self.budget > 0 and choice < 15:
            self.branch(block, depth)
        elif depth > 0 and self.budget > 0 and choice < 17 and self.loops < 2:
            self.loop(block, depth)
        elif depth > 0 and self.budget > 0 and choice == 17:
            self.match(block, depth)
        elif choice == 18 and self.loops and self.chance(0.5):
            block.lines.append(f"if {self.truth(1)}:")
            block.lines.append(f"    {self.random.choice(('break', 'continue'))}")
        elif choice == 19 and depth < 3 and self.chance(0.4):
            block.lines.append(f"return {self.returned()}")
            block.ended = True
        else:
            self.augmented(block, names)

    def declare(self, block: Block) -> None:
        name = self.fresh()
        choice = self.random.randrange(8)
        if choice == 0:
            block.lines.append(f"{name} = {self.flag(2)}")
            self.locals[name] = "bool"
            return
        if choice == 1 and "scratch" not in self.locals and not self.loops:
            text, _ = self.number("u64", 1)
            block.lines.append(f"scratch = Scratch(count={text}, delta={self.leaf('i32')[0]})")
            self.locals["scratch"] = "Scratch"
            return
        kind = self.random.choice([*KINDS])
        if self.chance(0.1):
            block.lines.append(f"{name}: {kind} = {self.literal(kind)}")
            self.locals[name] = kind
            return
        text, found = self.number(kind, 3)
        if self.chance(0.4):
            block.lines.append(f"{name}: {kind} = {text}")
            self.locals[name] = kind
        else:
            block.lines.append(f"{name} = {text}")
            self.locals[name] = found

    def augmented(self, block: Block, names: list[str]) -> None:
        name = self.random.choice(names)
        kind = self.locals[name]
        symbol = self.random.choice(("+", "-", "*", "&", "|", "^", "//", "%", "<<", ">>"))
        if symbol in ("//", "%"):
            value = f"(({self.leaf(kind)[0]} & 15) + 1)"
        elif symbol in ("<<", ">>"):
            value = self.random.choice((str(self.random.randrange(KINDS[kind].bits)), self.leaf("u8")[0]))
        else:
            value = self.number(kind, 2)[0] if self.chance(0.8) else self.literal(kind)
        block.lines.append(f"{name} {symbol}= {value}")

    def several(self, block: Block, names: list[str]) -> None:
        """Swaps and chains, and divmod()."""
        first = self.random.choice(names)
        kind = self.locals[first]
        others = [name for name in names if self.locals[name] == kind and name != first]
        if others and self.chance(0.5):
            second = self.random.choice(others)
            block.lines.append(f"{first}, {second} = {second}, {self.number(kind, 1)[0]}")
        elif others and self.chance(0.5):
            block.lines.append(f"{first} = {self.random.choice(others)} = {self.number(kind, 2)[0]}")
        else:
            whole, rest = self.fresh(), self.fresh()
            left, found = self.number(kind, 1)
            divisor = self.literal(found, 1)
            block.lines.append(f"{whole}, {rest} = divmod({left}, {divisor})")
            self.locals[whole] = self.locals[rest] = found

    def into_scratch(self, block: Block) -> None:
        kind, target = self.random.choice((
            ("u64", "scratch.count"), ("u8", "scratch.small"), ("i32", "scratch.delta"),
            ("u16", self.element("scratch.slots")),
        ))  # fmt: skip
        symbol = self.random.choice(("=", "=", "+=", "-=", "^=", "|="))
        block.lines.append(f"{target} {symbol} {self.number(kind, 2)[0]}")

    @staticmethod
    def indented(block: Block) -> list[str]:
        return [f"    {line}" for line in block.lines]

    def branch(self, block: Block, depth: int) -> None:
        block.lines.append(f"if {self.truth(2)}:")
        blocks = [self.block(depth - 1, self.random.randrange(1, 4))]
        block.lines += self.indented(blocks[0])
        if self.chance(0.3):
            self.quiet += 1
            block.lines.append(f"elif {self.truth(2)}:")
            self.quiet -= 1
            blocks.append(self.block(depth - 1, self.random.randrange(1, 3)))
            block.lines += self.indented(blocks[-1])
        if self.chance(0.5):
            block.lines.append("else:")
            blocks.append(self.block(depth - 1, self.random.randrange(1, 3)))
            block.lines += self.indented(blocks[-1])
            block.ended = all(found.ended for found in blocks)

    def loop(self, block: Block, depth: int) -> None:
        if self.chance(0.3):
            self.walk(block, depth)
            return
        if self.chance(0.15) and self.loops == 0:
            self.repeat(block, depth)
            return
        name = self.fresh()
        choice = self.random.randrange(4)
        kind = "u32"
        if choice == 0:
            rounds = f"range({self.random.randrange(7)})"
        elif choice == 1:
            low, step = self.random.randrange(-6, 7), self.random.choice((1, 2, 3, -1, -2))
            high = low + self.random.randrange(-1, 9) * (1 if step > 0 else -1)
            rounds = f"range({low}, {high}, {step})"
            kind = "i32" if any(number < 0 for number in range(low, high, step)) else "u32"
        elif choice == 2:
            rounds = (
                f"range(min({self.leaf(self.random.choice(('u8', 'u32', 'u64')))[0]}, {self.random.randrange(1, 6)}))"
            )
        else:
            rounds = f"range(2, min({self.leaf('u16')[0]}, 7))"
        block.lines.append(f"for {name} in {rounds}:")
        before = dict(self.locals)
        self.locals[name] = kind
        self.fixed.add(name)
        self.loops += 1
        body = self.block(depth - 1, self.random.randrange(1, 4))
        while body.ended:  # a loop that never comes round leaves what follows it unreachable
            body = self.block(depth - 1, self.random.randrange(1, 4))
        self.loops -= 1
        self.locals = before
        block.lines += self.indented(body)
        if self.chance(0.2):
            block.lines.append("else:")
            otherwise = self.block(0, 1)
            while otherwise.ended:
                otherwise = self.block(0, 1)
            block.lines += self.indented(otherwise)

    def body(self, depth: int, names: dict[str, str]) -> Block:
        """The body of a loop with these names."""
        before = dict(self.locals)
        self.locals |= names
        self.fixed |= {*names}
        self.loops += 1
        body = self.block(depth - 1, self.random.randrange(1, 4))
        while body.ended:
            body = self.block(depth - 1, self.random.randrange(1, 4))
        self.loops -= 1
        self.locals = before
        return body

    def walk(self, block: Block, depth: int) -> None:
        """A loop over the elements of something."""
        one, two = self.fresh(), self.fresh()
        choice = self.random.randrange(5)
        if choice == 0:
            header, names = f"{one} in data.slots", {one: "u32"}
        elif choice == 1:
            header, names = (
                f"{one}, {two} in enumerate(data.deltas, {self.random.randrange(3)})",
                {one: "u32", two: "i16"},
            )
        elif choice == 2:
            header, names = f"{one}, {two} in zip(data.slots, data.deltas)", {one: "u32", two: "i16"}
        elif choice == 3:
            header, names = f"{one} in reversed(data.deltas)", {one: "i16"}
        else:
            text, _ = self.leaf("u32")
            wide = "u32"
            header, names = f"{one} in ({text}, data.a2, {self.literal('u8')}, data.slots[1])", {one: wide}
        block.lines.append(f"for {header}:")
        block.lines += self.indented(self.body(depth, names))

    def repeat(self, block: Block, depth: int) -> None:
        """A while loop that counts its rounds."""
        count = self.fresh()
        block.lines.append(f"{count}: u32 = 0")
        self.locals[count] = "u32"
        self.fixed.add(count)
        self.quiet += 1
        block.lines.append(f"while {count} < {self.random.randrange(1, 9)} and {self.truth(1)}:")
        self.quiet -= 1
        block.lines.append(f"    {count} += 1")
        block.lines += self.indented(self.body(depth, {}))

    def match(self, block: Block, depth: int) -> None:
        text, kind = self.number(self.random.choice([*KINDS]), 2)
        block.lines.append(f"match {text}:")
        blocks = []
        for _ in range(self.random.randrange(1, 4)):
            pattern = self.literal(kind)
            if self.chance(0.3):
                pattern += f" | {self.literal(kind)}"
            guard = ""
            if self.chance(0.3):
                self.quiet += 1
                guard = f" if {self.truth(1)}"
                self.quiet -= 1
            blocks.append(self.block(depth - 1, self.random.randrange(1, 3)))
            block.lines += [f"    case {pattern}{guard}:", *(f"    {line}" for line in self.indented(blocks[-1]))]
        if self.chance(0.6):
            blocks.append(self.block(depth - 1, 1))
            block.lines += ["    case _:", *(f"    {line}" for line in self.indented(blocks[-1]))]
            block.ended = all(found.ended for found in blocks)

    def returned(self) -> str:
        if self.result == "bool":
            return self.flag(2)
        return self.number(self.result, 3)[0] if self.chance(0.9) else self.literal(self.result)

    # --- functions ---

    def function(self, number: int) -> str:
        """One function of the program, with its decorator."""
        parameters = [self.random.choice([*KINDS]) for _ in range(self.random.randrange(1, 4))]
        self.result = self.random.choice([*KINDS, "bool"])
        self.locals = {f"p{index}": kind for index, kind in enumerate(parameters)}
        self.fixed, self.loops, self.quiet, self.budget = set(), 0, 0, 26
        body = Block()
        for _ in range(self.random.randrange(2, 8)):
            if not body.ended:
                self.statement(body, 3)
        if not body.ended:
            body.lines.append(f"return {self.returned()}")
        header = ", ".join(f"p{index}: {kind}" for index, kind in enumerate(parameters))
        result = "boolean" if self.result == "bool" else self.result
        lines = ["@function", f"def f{number}(self, data: Input, {header}) -> {result}:", *self.indented(body)]
        self.known.append(Signature(f"f{number}", tuple(parameters), self.result))
        return "\n".join(f"    {line}" for line in lines)

    def program(self) -> str:
        """A program that runs every function over one input after another."""
        functions = [self.function(number) for number in range(FUNCTIONS)]
        calls = []
        for number, signature in enumerate(self.known):
            fields = [f"data.{self.random.choice('ab')}{[*KINDS].index(kind)}" for kind in signature.parameters]
            calls.append(f"        out.values[{number}] = u64(self.f{number}(data, {', '.join(fields)}))")
        return "\n".join((
            "class Fuzzed(Program):",
            "    cursor = Global(u32)",
            "    inputs = Array(Input, ROWS)",
            "    outputs = Array(Output, ROWS)",
            "",
            '    @cgroup_skb("egress")',
            "    def run(self, ctx):",
            "        row = self.cursor.value",
            "        self.cursor.value = row + 1",
            "        data, out = self.inputs.get(row), self.outputs.get(row)",
            "        if data is None or out is None:",
            "            return True",
            *calls,
            "        return True",
            *(f"\n{text}" for text in functions),
            "",
        ))  # fmt: skip
