"""The checks inside one function: names, types, regions, and that every path returns.

Invariant: one pass in evaluation order; an expression's check gives its type back.
"""

from __future__ import annotations

from typing import NoReturn, assert_never

from beespace.compiler import ir
from beespace.compiler.ir.printer import expression_text, node_text, type_text
from beespace.errors import InternalError

__all__ = ["check_function"]

MAX_ARGUMENTS = 5
CONTEXT_SIZE = 4096  # no context struct is larger
_R = ir.Region
_WRITABLE = {_R.STACK, _R.MAP_VALUE, _R.ARENA, _R.RING, _R.PACKET, _R.OBJECT, _R.LENT}
_READABLE = {*_WRITABLE, _R.KERNEL_TRUSTED, _R.KERNEL_UNTRUSTED, _R.USER}
_FIXED = {_R.CONTEXT, _R.SOCKET}
_KERNEL = {_R.CONTEXT, _R.KERNEL_TRUSTED, _R.KERNEL_UNTRUSTED, _R.USER}


def check_function(module: ir.Module, function: ir.Function) -> None:
    """Raise InternalError at the first thing in ``function`` that is not well-formed."""
    checker = _Checker(module, function)
    try:
        checker.check()
    except _Complaint as complaint:
        where = f" at {checker.span.file}:{checker.span.line}:{checker.span.column}" if checker.span else ""
        raise InternalError(f"IR of function {function.name!r}{where}: {complaint}") from None


class _Complaint(Exception):
    pass


def _fail(node: ir.Expression | ir.Statement, why: str) -> NoReturn:
    raise _Complaint(f"{why}: {node_text(node)}")


def _region(type: ir.Type) -> ir.Region | None:
    return type.region if isinstance(type, ir.PointerType) else None


class _Checker:
    def __init__(self, module: ir.Module, function: ir.Function) -> None:
        self.function = function
        self.functions = {item.name: item for item in module.functions}
        self.maps = {item.name for item in module.maps}
        self.globals = {item.name: item for item in module.globals}
        self.files = {source.file for source in module.sources}
        self.slots = {slot.name for slot in function.slots}
        self.locals: dict[str, ir.Type] = {}
        self.fixed = {parameter.name for parameter in function.parameters}  # not to be assigned to
        self.declared: set[str] = set()
        self.loops = 0
        self.span = function.span

    def check(self) -> None:
        function = self.function
        for parameter in function.parameters:
            self.declare(parameter.name, parameter.type)
        if len(function.parameters) > MAX_ARGUMENTS:
            raise _Complaint(f"{len(function.parameters)} parameters; the machine passes {MAX_ARGUMENTS}")
        if function.section is not None and not function.section.startswith("freplace"):
            types = [parameter.type for parameter in function.parameters]
            if types != [ir.PointerType(_R.CONTEXT)] or function.result not in (ir.I32, ir.I64):
                raise _Complaint("a program takes one context pointer and returns i32")
        if function.inlined and (function.exported or function.section is not None):
            raise _Complaint("a function that others refer to stays one")
        if function.exported and function.section is not None:
            raise _Complaint("programs are global by themselves")
        for slot in function.slots:
            if slot.size <= 0 or slot.align not in (1, 2, 4, 8):
                raise _Complaint(f"slot {slot.name!r} has {slot.size} bytes aligned to {slot.align}")
        if len(self.slots) != len(function.slots):
            raise _Complaint("two slots have one name")
        if self.block(function.body) and function.result != ir.VOID:
            raise _Complaint("a path ends without a return")

    # --- statements: each tells whether the next one is reached ---

    def block(self, body: ir.Block) -> bool:
        visible = dict(self.locals)
        reached = True
        for node in body:
            if not self.statement(node):
                reached = False
        self.locals = visible
        return reached

    def statement(self, node: ir.Statement) -> bool:
        self.see(node.span)
        match node:
            case ir.Declare():
                if node.value is not None:
                    self.expect(node.value, node.type, node)
                if isinstance(node.type, ir.VoidType):
                    _fail(node, "a local without a value")
                self.declare(node.name, node.type)
            case ir.Assign():
                if node.name not in self.locals or node.name in self.fixed:
                    _fail(node, "assignment to a name that is no local of this block, or to a parameter or index")
                self.expect(node.value, self.locals[node.name], node)
            case ir.Store():
                self.writable(node.pointer, node)
                self.memory_type(self.type(node.value), node)
                self.align(node.align, node)
            case ir.AtomicAdd():
                self.writable(node.pointer, node)
                if self.type(node.value) not in (ir.U32, ir.I32, ir.U64, ir.I64):
                    _fail(node, "atomics have 32 or 64 bits")
            case ir.Copy():
                self.writable(node.target, node)
                self.readable(node.source, node)
                self.span_of_bytes(node.size, node.align, node)
            case ir.Zero():
                self.writable(node.pointer, node)
                self.span_of_bytes(node.size, node.align, node)
            case ir.If():
                self.expect(node.condition, ir.BOOL, node)
                then, otherwise = self.block(node.then), self.block(node.otherwise)
                return then or otherwise
            case ir.Loop():
                return self.loop(node)
            case ir.Each():
                self.each(node)
            case ir.Guard():
                return self.guard(node)
            case ir.Break() | ir.Continue():
                if not self.loops:
                    _fail(node, "outside a loop")
                return False
            case ir.Return():
                if (node.value is None) != (self.function.result == ir.VOID):
                    _fail(node, f"the function's result is {type_text(self.function.result)}")
                if node.value is not None:
                    self.expect(node.value, self.function.result, node)
                return False
            case ir.Evaluate():
                self.type(node.value)
            case _:
                assert_never(node)
        return True

    def loop(self, node: ir.Loop) -> bool:
        if node.limit is not None and not 0 <= node.limit <= 0xFFFFFFFF:
            _fail(node, "the limit is a u32")
        visible = dict(self.locals)
        if node.index is not None:
            if node.limit is None:
                _fail(node, "a loop that counts needs a limit")
            self.declare(node.index, ir.U32)
            self.fixed.add(node.index)
        self.loops += 1
        self.block(node.body)
        self.loops -= 1
        self.locals = visible
        return node.limit is not None or breaks(node.body)

    def each(self, node: ir.Each) -> None:
        if len(node.before) + len(node.after) + 2 > MAX_ARGUMENTS or len(node.parameters) >= MAX_ARGUMENTS:
            _fail(node, f"more than {MAX_ARGUMENTS} arguments")
        for argument in (*node.before, *node.after):
            self.memory_type(self.type(argument), node)
        visible = dict(self.locals)
        for parameter in node.parameters:
            self.declare(parameter.name, parameter.type)
            self.fixed.add(parameter.name)
        self.loops += 1
        self.block(node.body)
        self.loops -= 1
        self.locals = visible
        if node.result is not None and self.locals.get(node.result) != ir.I64:
            _fail(node, "the result is an i64 local")

    def guard(self, node: ir.Guard) -> bool:
        reached = self.block(node.body)
        declared, loops = set(self.declared), self.loops
        self.loops = 0
        for block in (node.exit, node.early or ()):
            if not self.block(block) or self.declared != declared:
                _fail(node, "what runs at the end neither leaves nor declares")
        self.loops = loops
        return reached

    # --- expressions: each gives its type ---

    def type(self, node: ir.Expression) -> ir.Type:
        self.see(node.span)
        match node:
            case ir.Const():
                self.constant(node)
            case ir.Local():
                if self.locals.get(node.name) != node.type:
                    _fail(node, f"no local of type {type_text(node.type)} of that name here")
            case ir.Binary():
                type = self.type(node.left)
                if not isinstance(type, ir.IntType):
                    _fail(node, "arithmetic on something that is no integer")
                self.expect(node.right, type, node)
                if type.signed and node.op in (ir.BinaryOp.DIV, ir.BinaryOp.MOD):
                    _fail(node, "signed division is not in the instruction set before v4")
            case ir.Compare():
                self.comparison(node)
            case ir.Not():
                self.expect(node.operand, ir.BOOL, node)
            case ir.And() | ir.Or():
                self.expect(node.left, ir.BOOL, node)
                self.expect(node.right, ir.BOOL, node)
            case ir.Select():
                self.expect(node.condition, ir.BOOL, node)
                self.expect(node.otherwise, self.type(node.then), node)
                self.memory_type(node.type, node)
            case ir.Sequence():
                self.sequence(node)
            case ir.Convert():
                self.conversion(node)
            case ir.ByteSwap():
                type = self.type(node.operand)
                if not isinstance(type, ir.IntType) or type.bits == 8:
                    _fail(node, "byte swap takes 16, 32 or 64 bits")
            case ir.Load():
                self.readable(node.pointer, node)
                self.memory_type(node.type, node)
                self.align(node.align, node)
            case ir.Offset():
                self.offset(node)
            case ir.ContextField():
                if _region(self.type(node.pointer)) not in _FIXED:
                    _fail(node, "fixed offsets are for context and socket pointers")
                if not 0 <= node.offset < CONTEXT_SIZE:
                    _fail(node, "offset outside any context")
            case ir.KernelField() | ir.KernelBitfield():
                if _region(self.type(node.pointer)) not in _KERNEL:
                    _fail(node, "not a pointer to a kernel struct")
                self.access(node.access, node, bitfield=isinstance(node, ir.KernelBitfield))
            case ir.CoreInfo():
                on_type = node.question in (ir.CoreQuestion.TYPE_EXISTS, ir.CoreQuestion.TYPE_SIZE)
                if on_type != (not node.access.steps):
                    _fail(node, "a type has no steps, a field has some")
                if not on_type:
                    self.access(node.access, node, bitfield=None)
            case ir.CoreEnumValue():
                if not node.name:
                    _fail(node, "an anonymous enum cannot be found in another kernel")
            case ir.LocalTypeId():
                self.known(hasattr(node.kind, "layout"), node)
            case ir.StackSlot():
                self.known(node.name in self.slots, node)
            case ir.MapAddress():
                self.known(node.name in self.maps, node)
            case ir.GlobalAddress() | ir.ArenaAddress():
                self.known(node.name in self.globals, node)
            case ir.FunctionAddress():
                self.known(node.name in self.functions and self.functions[node.name].section is None, node)
            case ir.Helper():
                if len(node.arguments) > MAX_ARGUMENTS:
                    _fail(node, f"more than {MAX_ARGUMENTS} arguments")
                for argument in node.arguments:
                    self.memory_type(self.type(argument), node)
            case ir.Call():
                self.call(node)
            case ir.KernelFunction():
                self.kernel_function(node)
            case ir.KernelFunctionExists():
                pass
            case ir.Atomic():
                self.atomic(node)
            case _:
                assert_never(node)
        return node.type

    def constant(self, node: ir.Const) -> None:
        type = node.type
        if isinstance(type, ir.IntType):
            low, high = (-(1 << (type.bits - 1)), 1 << (type.bits - 1)) if type.signed else (0, 1 << type.bits)
            fits = low <= node.value < high
        else:
            fits = node.value == 0 or (node.value == 1 and isinstance(type, ir.BoolType))
        if not fits:
            _fail(node, "constant outside its type")

    def comparison(self, node: ir.Compare) -> None:
        left, right = self.type(node.left), self.type(node.right)
        both_pointers = isinstance(left, ir.PointerType) and isinstance(right, ir.PointerType)
        if (left != right and not both_pointers) or isinstance(left, ir.VoidType):
            _fail(node, f"{type_text(left)} is compared with {type_text(right)}")
        if isinstance(left, ir.BoolType) and node.op not in (ir.CompareOp.EQ, ir.CompareOp.NE):
            _fail(node, "booleans have no order")

    def sequence(self, node: ir.Sequence) -> None:
        visible, loops = dict(self.locals), self.loops
        self.loops = 0
        for statement in node.body:
            if not self.statement(statement):
                _fail(node, "the value of a sequence is never reached")
        self.loops = loops
        self.type(node.value)
        self.locals = visible

    def conversion(self, node: ir.Convert) -> None:
        source, target = self.type(node.operand), node.type
        match source, target:
            case (ir.IntType(), ir.IntType()) | (ir.BoolType(), ir.IntType()) | (_, ir.BoolType()):
                allowed = not isinstance(source, ir.VoidType)
            case ir.IntType(), ir.PointerType():
                allowed = source in (ir.U32, ir.U64)
            case ir.PointerType(), _:
                pointer = isinstance(target, ir.PointerType)
                in_arena = _R.ARENA in (_region(source), _region(target))
                allowed = target == ir.U64 or (pointer and (not in_arena or source == target))
            case _:
                allowed = False
        if not allowed:
            _fail(node, f"{type_text(source)} does not convert to {type_text(target)}")

    def offset(self, node: ir.Offset) -> None:
        region = _region(self.type(node.pointer))
        if region is None or region in _FIXED or region in (_R.MAP, _R.FUNCTION, _R.DYNPTR):
            _fail(node, "this pointer cannot be moved")
        if not isinstance(node.bytes, int) and self.type(node.bytes) not in (ir.U32, ir.U64):
            _fail(node, "an offset is u32 or u64")

    def call(self, node: ir.Call) -> None:
        callee = self.functions.get(node.function)
        if callee is None or callee.section is not None:
            _fail(node, "no sub-program of that name")
        if len(node.arguments) != len(callee.parameters) or node.type != callee.result:
            _fail(node, "arguments or result are not the sub-program's")
        for argument, parameter in zip(node.arguments, callee.parameters, strict=True):
            self.expect(argument, parameter.type, node)

    def kernel_function(self, node: ir.KernelFunction) -> None:
        parameters = node.prototype.parameters
        if len(node.arguments) != len(parameters) or len(parameters) > MAX_ARGUMENTS:
            _fail(node, f"{len(node.arguments)} arguments for {len(parameters)} parameters")
        for argument, parameter in zip(node.arguments, parameters, strict=True):
            pointer = isinstance(self.type(argument), ir.PointerType)
            if pointer != isinstance(parameter, ir.CorePointer) or isinstance(argument.type, ir.VoidType):
                _fail(node, f"{expression_text(argument)} is not what the prototype has")
        match node.prototype.result, node.type:
            case (None, ir.VoidType()) | (ir.CorePointer(), ir.PointerType()):
                fits = True
            case ((ir.CoreInt(size=size) | ir.CoreEnum(size=size)), (ir.IntType() | ir.BoolType())):
                fits = size == node.type.size
            case _:
                fits = False
        if not fits:
            _fail(node, f"the prototype does not give {type_text(node.type)}")

    def atomic(self, node: ir.Atomic) -> None:
        self.writable(node.pointer, node)
        if self.type(node.value) not in (ir.U32, ir.I32, ir.U64, ir.I64):
            _fail(node, "atomics have 32 or 64 bits")
        if (node.expected is not None) != (node.op is ir.AtomicOp.COMPARE_EXCHANGE):
            _fail(node, "what is expected is for COMPARE_EXCHANGE")
        if node.expected is not None:
            self.expect(node.expected, node.value.type, node)

    # --- parts ---

    def see(self, span: ir.Span | None) -> None:
        if span is not None:
            if span.file not in self.files:
                raise _Complaint(f"span in {span.file!r}, which is not among the module's sources")
            self.span = span

    def declare(self, name: str, type: ir.Type) -> None:
        if name in self.declared:
            raise _Complaint(f"local {name!r} is declared twice")
        self.declared.add(name)
        self.locals[name] = type

    def known(self, found: bool, node: ir.Expression) -> None:
        if not found:
            _fail(node, "no such definition")

    def expect(self, value: ir.Expression, type: ir.Type, node: ir.Expression | ir.Statement) -> None:
        found = self.type(value)
        if found != type:
            _fail(node, f"{expression_text(value)} is {type_text(found)}, not {type_text(type)}")

    def memory_type(self, type: ir.Type, node: ir.Expression | ir.Statement) -> None:
        if isinstance(type, ir.VoidType):
            _fail(node, "void has no value")

    def align(self, align: int | None, node: ir.Expression | ir.Statement) -> None:
        if align not in (None, 1, 2, 4, 8):
            _fail(node, "alignment is 1, 2, 4 or 8")

    def span_of_bytes(self, size: int, align: int, node: ir.Statement) -> None:
        self.align(align, node)
        if size <= 0:
            _fail(node, "no bytes")

    def readable(self, pointer: ir.Expression, node: ir.Expression | ir.Statement) -> None:
        region = _region(self.type(pointer))
        in_place = isinstance(pointer, (ir.ContextField, ir.KernelField)) and isinstance(node, ir.Load)
        if region not in _READABLE and not (region in _FIXED and in_place):
            _fail(node, "memory that cannot be read so")

    def writable(self, pointer: ir.Expression, node: ir.Expression | ir.Statement) -> None:
        region = _region(self.type(pointer))
        context = region is _R.CONTEXT and isinstance(pointer, ir.ContextField) and isinstance(node, ir.Store)
        # Interfaces of the kernel let their methods write some fields of trusted objects.
        named = isinstance(pointer, (ir.KernelField, ir.Offset)) and isinstance(node, ir.Store)
        field = region is _R.KERNEL_TRUSTED and named
        base = pointer
        while isinstance(base, (ir.Offset, ir.Convert)):
            base = base.pointer if isinstance(base, ir.Offset) else base.operand
        fixed = (ir.Section.RODATA, ir.Section.KCONFIG, ir.Section.KSYMS)
        option = isinstance(base, ir.GlobalAddress) and self.globals[base.name].section in fixed
        if option or (region not in _WRITABLE and not context and not field):
            _fail(node, "memory that cannot be written so")

    def access(self, access: ir.CoreAccess, node: ir.Expression, *, bitfield: bool | None) -> None:
        """``bitfield``: whether the last member must be a bit-field (None: it may be)."""
        kind: ir.CoreKind = ir.CoreStruct(access.root, access.union)
        for step in access.steps:
            if isinstance(step, ir.CoreElement):
                if not isinstance(kind, ir.CoreArray) or step.index < 0 or (kind.length and step.index >= kind.length):
                    _fail(node, f"element {step.index} of something that is no array so long")
                kind = kind.element
            elif not isinstance(kind, ir.CoreStruct) or not step.name:
                _fail(node, f"member {step.name!r} of something that is no struct")
            else:
                kind = step.kind
        if not access.root or not access.steps:
            _fail(node, "an access needs a named struct and a field")
        is_bitfield = isinstance(kind, ir.CoreInt) and kind.bits is not None
        if bitfield is not None and is_bitfield != bitfield:
            _fail(node, "bit-fields have no address; they are read by KernelBitfield")


def breaks(body: ir.Block) -> bool:
    """Whether ``body`` has a break of the loop that it is the body of."""
    for node in body:
        if isinstance(node, ir.Break):
            return True
        if isinstance(node, ir.If) and (breaks(node.then) or breaks(node.otherwise)):
            return True
        if isinstance(node, ir.Guard) and breaks(node.body):
            return True
    return False
