"""The same functions in CPython: its own execution, and each result wrapped to the width of its type.

CPython runs the control flow, the operators on its own numbers, the texts and the calls.  What is added
is the one documented difference: an operator's result wraps at the wider of its operands' types.  The
types are worked out here from the rules of docs/language.md, with no line of the compiler.
"""

from __future__ import annotations

import ast
from typing import Any

from shapes import ARRAYS, FIELDS, KINDS, Input, Zeroes, pair, scratch

LITERAL, BOOL, OTHER = "literal", "bool", "other"
WRAP = "wrapped_"


class Functions:
    """The functions of a program, to be called as methods of this, and the maps that they look into."""

    cells = Zeroes(0)
    pairs = Zeroes(pair())


def functions(text: str) -> Functions:
    """What ``text``, a program class, has as functions, in Python."""
    tree = ast.parse(text)
    (made,) = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    methods = [node for node in made.body if isinstance(node, ast.FunctionDef) and node.name != "run"]
    results = {node.name: ast.unparse(node.returns) for node in methods if node.returns is not None}
    for node in methods:
        Typing(node, results).visit_body(node)
        node.decorator_list, node.returns = [], None
    module = ast.fix_missing_locations(ast.Module(methods, []))
    scope: dict[str, Any] = {**KINDS, "Input": Input, "Scratch": scratch, "Pair": pair}
    scope |= {WRAP + name: kind for name, kind in KINDS.items()}
    exec(compile(module, "<reference>", "exec"), scope)
    made_functions = Functions()
    for node in methods:
        setattr(made_functions, node.name, scope[node.name].__get__(made_functions))
    return made_functions


def wider(left: str, right: str) -> str:
    """The type in which two operands meet."""
    if left == LITERAL or right == LITERAL:
        return right if left == LITERAL else left
    return left if left == right or KINDS[left].bits >= KINDS[right].bits else right


def wrapped(node: ast.expr, kind: str) -> ast.expr:
    if kind not in KINDS:
        return node
    return ast.Call(ast.Name(WRAP + kind, ast.Load()), [node], [])


class Typing:
    """Finds the type of every expression of one function, and puts the wrapping in."""

    def __init__(self, node: ast.FunctionDef, results: dict[str, str]) -> None:
        self.results = {name: BOOL if result == "boolean" else result for name, result in results.items()}
        parameters = [item for item in node.args.args if item.annotation is not None]
        self.locals = {item.arg: ast.unparse(item.annotation) for item in parameters if item.annotation}

    # --- expressions: (the node to run, its type) ---

    def value(self, node: ast.expr, expected: str = "u64") -> tuple[ast.expr, str]:
        method = getattr(self, f"value_{type(node).__name__}", None)
        assert method is not None, ast.dump(node)
        return method(node, expected)

    def value_Constant(self, node: ast.Constant, expected: str):
        return node, LITERAL if type(node.value) is int else BOOL if isinstance(node.value, bool) else OTHER

    def value_Name(self, node: ast.Name, expected: str):
        return node, self.locals.get(node.id, OTHER)

    def value_Attribute(self, node: ast.Attribute, expected: str):
        text = ast.unparse(node)
        if text in ("data.yes", "data.no", "scratch.flag"):
            return node, BOOL
        return node, FIELDS.get(text.partition(".")[2], OTHER)

    def value_Subscript(self, node: ast.Subscript, expected: str):
        name = ast.unparse(node.value)
        if name not in ARRAYS:
            return node, OTHER
        node.slice = self.value(node.slice, "u32")[0]
        return node, ARRAYS[name][0]

    def value_BinOp(self, node: ast.BinOp, expected: str):
        node.left, left = self.value(node.left, expected)
        node.right, right = self.value(node.right, left if left != LITERAL else expected)
        if left == right == LITERAL:
            return node, LITERAL
        shift = isinstance(node.op, ast.LShift | ast.RShift)
        kind = (left if left != LITERAL else expected) if shift else wider(left, right)
        return wrapped(node, kind), kind

    def value_UnaryOp(self, node: ast.UnaryOp, expected: str):
        node.operand, kind = self.value(node.operand, expected)
        return (node, BOOL) if isinstance(node.op, ast.Not) else (wrapped(node, kind), kind)

    def value_BoolOp(self, node: ast.BoolOp, expected: str):
        found = [self.value(operand, expected) for operand in node.values]
        node.values = [operand for operand, _ in found]
        kinds = [kind for _, kind in found]
        if BOOL in kinds or OTHER in kinds:
            return node, BOOL
        kind = kinds[0]
        for other in kinds[1:]:
            kind = wider(kind, other)
        return node, kind

    def value_IfExp(self, node: ast.IfExp, expected: str):
        node.test = self.value(node.test)[0]
        node.body, then = self.value(node.body, expected)
        node.orelse, otherwise = self.value(node.orelse, expected)
        return node, then if BOOL in (then, otherwise) else wider(then, otherwise)

    def value_Compare(self, node: ast.Compare, expected: str):
        node.left, left = self.value(node.left)
        node.comparators = [self.value(operand, left if left in KINDS else "u64")[0] for operand in node.comparators]
        return node, BOOL

    def value_List(self, node: ast.List, expected: str):
        return node, OTHER

    def value_Tuple(self, node: ast.Tuple, expected: str):
        node.elts = [self.value(element, expected)[0] for element in node.elts]
        return node, OTHER

    def value_NamedExpr(self, node: ast.NamedExpr, expected: str):
        node.value, kind = self.value(node.value, expected)
        self.locals.setdefault(node.target.id, kind)
        return node, self.locals[node.target.id]

    def value_GeneratorExp(self, node: ast.GeneratorExp, expected: str):
        (part,) = node.generators
        name = ast.unparse(part.iter)
        self.locals[ast.unparse(part.target)] = ARRAYS[name][0] if name in ARRAYS else "u32"
        part.ifs = [self.value(test)[0] for test in part.ifs]
        node.elt, kind = self.value(node.elt)
        return node, kind

    def value_Call(self, node: ast.Call, expected: str):
        name = ast.unparse(node.func)
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("bit_length", "bit_count"):
            node.func.value = self.value(node.func.value)[0]
            return node, "u32"
        if name in ("self.cells.get", "self.pairs.get"):
            node.args = [self.value(argument)[0] for argument in node.args]
            return node, "u64" if name == "self.cells.get" else OTHER
        if isinstance(node.func, ast.Attribute) and name.startswith("self."):
            node.args = [self.value(argument)[0] for argument in node.args]
            return node, self.results[node.func.attr]
        wanted = name if name in KINDS else expected
        found = [self.value(argument, wanted) for argument in node.args]
        node.args = [argument for argument, _ in found]
        for keyword in node.keywords:
            keyword.value = self.value(keyword.value, FIELDS[keyword.arg or ""])[0]
        if name in KINDS:
            return node, name
        if name == "sum":
            kind = "i64" if found[0][1][0] == "i" or ast.unparse(node).startswith("sum(data.deltas") else "u64"
            return wrapped(node, kind), kind
        if name == "len" or name.endswith(".find"):
            return node, "u32" if name == "len" else "i32"
        if name in ("min", "max") and ast.unparse(node.args[0]) in ARRAYS:
            return node, ARRAYS[ast.unparse(node.args[0])][0]
        if name in ("min", "max", "abs"):
            kind = found[0][1]
            for _, other in found[1:]:
                kind = wider(kind, other)
            return wrapped(node, kind), kind
        return node, BOOL if name in ("bool", "any", "all") or "with" in name else OTHER

    # --- statements ---

    def visit_body(self, node: Any) -> None:
        for name in ("body", "orelse"):
            if hasattr(node, name):
                setattr(node, name, [self.statement(inner) for inner in getattr(node, name)])

    def statement(self, node: ast.stmt) -> ast.stmt:
        method = getattr(self, f"statement_{type(node).__name__}", None)
        assert method is not None, ast.dump(node)
        return method(node)

    def declare(self, target: ast.expr, kind: str) -> str:
        """The type of what is assigned to; a name has that of its first assignment."""
        if isinstance(target, ast.Name):
            if kind == LITERAL:
                kind = "u64"
            return self.locals.setdefault(target.id, kind)
        return self.value(target)[1]

    def wanted(self, target: ast.expr) -> str:
        known = self.locals.get(target.id, "u64") if isinstance(target, ast.Name) else self.value(target)[1]
        return known if known in KINDS else "u64"

    def statement_Assign(self, node: ast.Assign):
        target = node.targets[0]
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Call):  # divmod
            (left, kind), (right, _) = (self.value(argument) for argument in node.value.args)
            for name in target.elts:
                self.declare(name, kind)
            whole, rest = (ast.BinOp(left, op, right) for op in (ast.FloorDiv(), ast.Mod()))
            node.value = ast.Tuple([wrapped(whole, kind), wrapped(rest, kind)], ast.Load())
            return node
        if isinstance(target, ast.Tuple):
            assert isinstance(node.value, ast.Tuple)
            pairs = zip(target.elts, node.value.elts, strict=True)
            node.value.elts = [self.value(value, self.wanted(name))[0] for name, value in pairs]
            return node
        node.value, kind = self.value(node.value, self.wanted(target))
        for each in node.targets:
            self.declare(each, kind)
        return node

    def statement_AnnAssign(self, node: ast.AnnAssign):
        assert node.value is not None
        name = ast.unparse(node.annotation)
        node.value, _ = self.value(node.value, name)
        self.declare(node.target, name)
        return ast.Assign([node.target], node.value)

    def statement_AugAssign(self, node: ast.AugAssign):
        kind = self.wanted(node.target)
        value, _ = self.value(node.value, kind)
        read = ast.parse(ast.unparse(node.target), mode="eval").body
        return ast.Assign([node.target], wrapped(ast.BinOp(read, node.op, value), kind))

    def statement_If(self, node: ast.If):
        node.test = self.value(node.test)[0]
        self.visit_body(node)
        return node

    def statement_While(self, node: ast.While):
        return self.statement_If(node)  # type: ignore[arg-type]

    def statement_For(self, node: ast.For):
        if isinstance(node.iter, ast.Tuple) or ast.unparse(node.iter.func if isinstance(node.iter, ast.Call) else
                                                           node.iter) != "range":  # fmt: skip
            return self.walk(node)
        assert isinstance(node.iter, ast.Call)
        numbers = [ast.unparse(argument) for argument in node.iter.args]
        node.iter.args = [self.value(argument)[0] for argument in node.iter.args]
        assert isinstance(node.target, ast.Name)
        constant = all(number.lstrip("-").isdigit() for number in numbers)
        negative = constant and any(number < 0 for number in range(*map(int, numbers)))
        self.locals.setdefault(node.target.id, "i32" if negative else "u32")
        self.visit_body(node)
        return node

    def walk(self, node: ast.For):
        """A loop over elements: arrays, what is numbered or joined or turned round, a tuple."""
        targets = [node.target] if isinstance(node.target, ast.Name) else node.target.elts  # type: ignore[attr-defined]
        if isinstance(node.iter, ast.Tuple):
            kinds = ["u32"]
        else:
            text = ast.unparse(node.iter)
            kinds = [ARRAYS[name][0] for name in sorted(ARRAYS, reverse=True) if name in text]
            kinds = ["u32", *kinds] if text.startswith("enumerate") else kinds
        for target, kind in zip(targets, kinds, strict=True):
            self.locals.setdefault(ast.unparse(target), kind)
        self.visit_body(node)
        return node

    def statement_Match(self, node: ast.Match):
        node.subject = self.value(node.subject)[0]
        for case in node.cases:
            if case.guard is not None:
                case.guard = self.value(case.guard)[0]
            self.visit_body(case)
        return node

    def statement_Return(self, node: ast.Return):
        assert node.value is not None
        node.value = self.value(node.value)[0]
        return node

    def same(self, node: ast.stmt):
        return node

    statement_Pass = statement_Break = statement_Continue = same
