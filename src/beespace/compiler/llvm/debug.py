"""Debug information: what LLVM makes BTF from (types, func_info, line_info).

Invariant: the struct types written here have the offsets of their schema Layout, so BTF, NumPy and
SQL agree.  Each source file carries its text (DIFile ``source``), so lines show in the verifier's
log even if the file is a notebook cell or is gone.
"""

from __future__ import annotations

from beespace.btf.codecs import VARIABLE
from beespace.compiler import ir
from beespace.compiler.llvm.metadata import Metadata, quoted
from beespace.schema import (
    AddressKind,
    ArrayKind,
    BoolKind,
    BytesKind,
    EnumKind,
    IntKind,
    Kind,
    PointerKind,
    ResourceKind,
    TextKind,
    VariableKind,
)
from beespace.schema.kinds import LENGTH_SIZE

__all__ = ["Debug"]

# C names by size and sign, as the kernel's own BTF has them.
_C_NAMES = {
    (8, False): ("unsigned char", "DW_ATE_unsigned_char"),
    (16, False): ("unsigned short", "DW_ATE_unsigned"),
    (32, False): ("unsigned int", "DW_ATE_unsigned"),
    (64, False): ("unsigned long long", "DW_ATE_unsigned"),
    (8, True): ("signed char", "DW_ATE_signed_char"),
    (16, True): ("short", "DW_ATE_signed"),
    (32, True): ("int", "DW_ATE_signed"),
    (64, True): ("long long", "DW_ATE_signed"),
}
_MAX_LINE = (1 << 22) - 1  # struct bpf_line_info.line_col is line << 10 | column
_MAX_COLUMN = (1 << 10) - 1


def _tag(kind: Kind) -> str:
    """What a list or tree holds, as the kernel looks for it (``btf_find_graph_root()`` in kernel/bpf/btf.c)."""
    if not isinstance(kind, ResourceKind) or not kind.link:
        return ""
    return f"contains:{kind.holds.layout.name}:{kind.link}"


def _identifier(name: str) -> str:
    """A name without dots, which kernels before 6.5 refuse in BTF."""
    return name.replace(".", "_")


class Debug:
    """The debug information of one module, written into ``metadata`` as it is asked for."""

    def __init__(self, metadata: Metadata, module: ir.Module) -> None:
        self.metadata = metadata
        sources = module.sources or (ir.Source(module.name, ""),)
        self._files = {
            source.file: metadata.node(
                f'!DIFile(filename: {quoted(source.file)}, directory: "", source: {quoted(source.text)})'
            )
            for source in sources
        }
        self.main_file = self._files[sources[0].file]
        self._structs: dict[type, str] = {}
        self._resources: dict[str, str] = {}
        self._globals: list[str] = []
        self.unit = metadata.reserve()

    # --- types ---

    def integer(self, bits: int, signed: bool) -> str:
        name, encoding = _C_NAMES[bits, signed]
        return self.metadata.node(f"!DIBasicType(name: {quoted(name)}, size: {bits}, encoding: {encoding})")

    def pointer(self, target: str = "null") -> str:
        return self.metadata.node(f"!DIDerivedType(tag: DW_TAG_pointer_type, baseType: {target}, size: 64)")

    def array(self, element: str, length: int, size: int) -> str:
        """``length`` elements; ``size`` is all their bytes."""
        count = self.metadata.node(f"!DISubrange(count: {length})")
        elements = self.metadata.tuple([count])
        return self.metadata.node(
            f"!DICompositeType(tag: DW_TAG_array_type, baseType: {element}, size: {size * 8}, elements: {elements})"
        )

    def member(
        self, name: str, type: str, *, offset: int, size: int, scope: str = "null", bits: int = 0, tag: str = ""
    ) -> str:
        """One member; ``offset`` and ``size`` in bytes, ``bits`` for a bit-field at the start of its unit.

        ``tag``: a declaration tag, which says more of it.
        """
        extra = f", flags: DIFlagBitField, extraData: i64 {offset * 8}" if bits else ""
        if tag:
            annotation = self.metadata.node(f'!{{!"btf_decl_tag", !{quoted(tag)}}}')
            extra += f", annotations: {self.metadata.tuple([annotation])}"
        return self.metadata.node(
            f"!DIDerivedType(tag: DW_TAG_member, name: {quoted(name)}, scope: {scope}, baseType: {type}, "
            f"size: {bits or size * 8}, offset: {offset * 8}{extra})"
        )

    def composite(self, name: str, members: list[str], size: int, *, union: bool = False) -> str:
        return self.metadata.define(self.metadata.reserve(), self._composite(name, members, size, union))

    def _composite(self, name: str, members: list[str], size: int, union: bool) -> str:
        tag = "union" if union else "structure"
        label = f"name: {quoted(name)}, " if name else ""
        return (
            f"distinct !DICompositeType(tag: DW_TAG_{tag}_type, {label}file: {self.main_file}, size: {size * 8}, "
            f"elements: {self.metadata.tuple(members)})"
        )

    def kind(self, kind: Kind) -> str:
        """The C type of a schema kind; meanings (``Pid``, ``Timestamp``) become typedefs."""
        match kind:
            case EnumKind() if kind.bits <= 32 and not kind.signed and not kind.big_endian:
                return self._enumeration(kind)
            case IntKind():
                return self._typedef(kind.name, self.integer(kind.bits, kind.signed))
            case BoolKind():
                return self.metadata.node('!DIBasicType(name: "_Bool", size: 8, encoding: DW_ATE_boolean)')
            case TextKind():
                char = self.metadata.node('!DIBasicType(name: "char", size: 8, encoding: DW_ATE_signed_char)')
                return self.array(char, kind.size, kind.size)
            case BytesKind():
                return self.array(self.integer(8, False), kind.size, kind.size)
            case VariableKind():
                return self._variable(kind)
            case PointerKind():
                return self.pointer(self.kind(kind.struct))
            case AddressKind():
                return self._typedef("Address", self.array(self.integer(8, False), 16, 16))
            case ArrayKind():
                return self.array(self.kind(kind.element), kind.length, kind.size)
            case ResourceKind():
                return self._resource(kind)
            case _:
                return self._struct(kind)

    def _variable(self, kind: VariableKind) -> str:
        """A length and as much data as there can be."""
        length = self.member("length", self.integer(32, False), offset=0, size=LENGTH_SIZE)
        data = self.member("data", self.kind(kind.of), offset=LENGTH_SIZE, size=kind.capacity)
        return self.composite(VARIABLE, [length, data], kind.size)

    def _enumeration(self, kind: EnumKind) -> str:
        """As BTF_KIND_ENUM, so that bpftool names members; signed and 64-bit ones need a newer kernel's BTF."""
        members = [
            self.metadata.node(f"!DIEnumerator(name: {quoted(name)}, value: {int(member)}, isUnsigned: true)")
            for name, member in kind.enum.__members__.items()
        ]
        return self.metadata.node(
            f"!DICompositeType(tag: DW_TAG_enumeration_type, name: {quoted(kind.name)}, file: {self.main_file}, "
            f"baseType: {self.integer(kind.bits, False)}, size: {kind.bits}, elements: {self.metadata.tuple(members)})"
        )

    def _resource(self, kind: ResourceKind) -> str:
        """A struct that the kernel knows by its name; what is inside is its own."""
        if kind.name == "Kptr":
            return self._kept_pointer(kind)
        unit = 8 * kind.align
        count = kind.size // kind.align
        type = self.integer(unit, False)
        if count > 1:
            type = self.array(type, count, kind.size)
        if kind.struct not in self._resources:
            members = [self.member("opaque", type, offset=0, size=kind.size)]
            self._resources[kind.struct] = self.composite(kind.struct, members, kind.size)
        return self._resources[kind.struct]

    def _kept_pointer(self, kind: ResourceKind) -> str:
        """``struct target __kptr *``."""
        target = kind.target
        if kind.holds is not None:
            self._resources[target] = self._struct(kind.holds)
        if target not in self._resources:
            self._resources[target] = self.composite(target, [], 0)
        tag = self.metadata.node('!{!"btf_type_tag", !"kptr"}')
        return self.metadata.node(
            f"!DIDerivedType(tag: DW_TAG_pointer_type, baseType: {self._resources[target]}, size: 64, "
            f"annotations: {self.metadata.tuple([tag])})"
        )

    def _typedef(self, name: str, target: str) -> str:
        return self.metadata.node(
            f"!DIDerivedType(tag: DW_TAG_typedef, name: {quoted(name)}, file: {self.main_file}, baseType: {target})"
        )

    def _struct(self, kind: type) -> str:
        if kind not in self._structs:
            layout = kind.layout  # type: ignore[attr-defined]
            # It may have pointers to structs like itself.
            self._structs[kind] = self.metadata.reserve()
            members = [
                self.member(
                    field.name, self.kind(field.kind), offset=field.offset, size=field.size, tag=_tag(field.kind)
                )
                for field in layout.fields
            ]
            self.metadata.define(self._structs[kind], self._composite(layout.name, members, layout.size, layout.union))
        return self._structs[kind]

    def machine(self, type: ir.Type) -> str:
        """The C type of an IR type, for prototypes."""
        match type:
            case ir.IntType():
                return self.integer(type.bits, type.signed)
            case ir.BoolType():
                return self.kind(BoolKind())
            case ir.PointerType():
                return self.pointer()
            case ir.VoidType():
                return "null"

    # --- things ---

    def variable(self, name: str, type: str) -> str:
        """A global variable's ``!dbg``."""
        variable = self.metadata.distinct(
            f"!DIGlobalVariable(name: {quoted(name)}, scope: {self.unit}, file: {self.main_file}, line: 1, "
            f"type: {type}, isLocal: false, isDefinition: true)"
        )
        expression = self.metadata.node(f"!DIGlobalVariableExpression(var: {variable}, expr: !DIExpression())")
        self._globals.append(expression)
        return expression

    def extern(self, name: str, type: str) -> str:
        """The ``!dbg`` of a variable that is defined elsewhere."""
        variable = self.metadata.distinct(
            f"!DIGlobalVariable(name: {quoted(name)}, scope: {self.unit}, file: {self.main_file}, line: 1, "
            f"type: {type}, isLocal: false, isDefinition: false)"
        )
        return self.metadata.node(f"!DIGlobalVariableExpression(var: {variable}, expr: !DIExpression())")

    def constant_void(self) -> str:
        """``const void``: a symbol of which only the address is known."""
        return self.metadata.node("!DIDerivedType(tag: DW_TAG_const_type, baseType: null)")

    def data(self, name: str, kind: Kind) -> str:
        return self.variable(name, self.kind(kind))

    def function(self, function: ir.Function) -> str:
        """A function's ``!dbg``: prototype, parameter names, first line."""
        types = [self.machine(function.result), *(self._parameter(item) for item in function.parameters)]
        prototype = self.prototype(types)
        local = "DISPFlagLocalToUnit | " if function.section is None and not function.exported else ""
        reference, nodes = self.metadata.reserve(), self.metadata.reserve()
        file, line = self._place(function.span)
        names = [
            self.metadata.node(
                f"!DILocalVariable(name: {quoted(_identifier(item.name))}, arg: {number}, scope: {reference}, "
                f"file: {file}, line: {line}, type: {types[number]})"
            )
            for number, item in enumerate(function.parameters, 1)
        ]
        self.metadata.define(nodes, "!{" + ", ".join(names) + "}")
        return self.metadata.define(
            reference,
            f"distinct !DISubprogram(name: {quoted(function.name)}, scope: {file}, file: {file}, line: {line}, "
            f"type: {prototype}, scopeLine: {line}, flags: DIFlagPrototyped, "
            f"spFlags: {local}DISPFlagDefinition | DISPFlagOptimized, unit: {self.unit}, retainedNodes: {nodes})",
        )

    def prototype(self, types: list[str]) -> str:
        """A function's type; the first of ``types`` is the result's."""
        return self.metadata.node(f"!DISubroutineType(types: {self.metadata.tuple(types)})")

    def _parameter(self, parameter: ir.Parameter) -> str:
        match parameter.target:
            case None:
                return self.machine(parameter.type)
            case str() as name:
                return self.pointer(self.composite(name, [], 0))
            case kind:
                return self.pointer(self.kind(kind))

    def declaration(self, name: str, types: list[str]) -> str:
        """The ``!dbg`` of a function that the kernel has."""
        return self.metadata.node(
            f"!DISubprogram(name: {quoted(name)}, scope: {self.main_file}, file: {self.main_file}, line: 1, "
            f"type: {self.prototype(types)}, flags: DIFlagPrototyped, spFlags: DISPFlagOptimized)"
        )

    def location(self, span: ir.Span | None, function: ir.Function, scope: str) -> str:
        """An instruction's ``!dbg``; code that was inlined from another file keeps that file's name."""
        span = span or function.span
        file, line = self._place(span)
        column = min(span.column, _MAX_COLUMN) if span else 0
        if file != self._place(function.span)[0]:
            scope = self.metadata.node(f"!DILexicalBlockFile(scope: {scope}, file: {file}, discriminator: 0)")
        return self.metadata.node(f"!DILocation(line: {line}, column: {column}, scope: {scope})")

    def _place(self, span: ir.Span | None) -> tuple[str, int]:
        return (self._files[span.file], min(span.line, _MAX_LINE)) if span else (self.main_file, 1)

    def finish(self) -> None:
        """Write the compile unit and the module flags."""
        self.metadata.define(
            self.unit,
            f"distinct !DICompileUnit(language: DW_LANG_C99, file: {self.main_file}, producer: {quoted('beespace')}, "
            f"isOptimized: true, runtimeVersion: 0, emissionKind: FullDebug, "
            f"globals: {self.metadata.tuple(self._globals)}, splitDebugInlining: false, nameTableKind: None)",
        )
        self.metadata.named("llvm.dbg.cu", [self.unit])
        # CodeView, and no version of DWARF: LLVM then writes no DWARF, which a loader has no use for.  (CodeView
        # itself is for Windows alone.)  BTF it writes for this target whatever the flags say.
        flags = ('!{i32 2, !"Debug Info Version", i32 3}', '!{i32 2, !"CodeView", i32 1}')
        self.metadata.named("llvm.module.flags", [self.metadata.node(flag) for flag in flags])
