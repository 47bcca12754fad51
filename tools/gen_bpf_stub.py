"""Write src/beespace/lang/bpf.pyi (every word of ``bpf``, for editors and type checkers) and docs/helpers.md.

    python tools/gen_bpf_stub.py [--check]

From src/beespace/lang/bpf.py, whose words are copied as they stand, and the tables of helpers and kernel functions.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from keyword import iskeyword
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from beespace.compiler.kernel.functions import ACQUIRES  # noqa: E402
from beespace.compiler.words.spelled import SPELLED  # noqa: E402
from beespace.isa.signatures import SIGNATURES, Signature  # noqa: E402
from beespace.lang import bpf_helpers  # noqa: E402
from beespace.lang.bpf_kfuncs import KFUNCS  # noqa: E402

WORDS = ROOT / "src" / "beespace" / "lang" / "bpf.py"
STUB = ROOT / "src" / "beespace" / "lang" / "bpf.pyi"
LIST = ROOT / "docs" / "helpers.md"

_HEAD = '''"""Every word of ``beespace.bpf``, for editors and type checkers.  Written by tools/gen_bpf_stub.py."""
# ruff: noqa: E501

'''
_NUMBERS = {
    "u8": "u8", "u16": "u16", "u32": "u32", "u64": "u64", "s8": "i8", "s16": "i16", "s32": "i32", "s64": "i64",
    "int": "i32", "unsigned int": "u32", "__u32": "u32", "__s32": "i32", "__u64": "u64", "size_t": "u64", "char": "i8",
    "long int": "i64", "long unsigned int": "u64", "bool": "bool", "gfp_t": "u32", "__be16": "u16", "__be32": "u32",
}  # fmt: skip
_HELD = ("sk_lookup_tcp", "sk_lookup_udp", "skc_lookup_tcp")


def words(source: str) -> tuple[str, list[str], list[str]]:
    """The imports of the module, its words as stubs, and their names."""
    tree = ast.parse(source)
    imports = [
        ast.unparse(node) for node in tree.body if isinstance(node, ast.ImportFrom) and node.module != "__future__"
    ]
    imports += [ast.unparse(node) for node in tree.body if isinstance(node, ast.Assign)]
    stubs, names = [], []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            names.append(node.name)
            result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
            stubs.append(_stub(node.name, ast.unparse(node.args), result, ast.get_docstring(node) or ""))
    return "\n".join(imports), stubs, names


def _stub(name: str, takes: str, result: str, document: str) -> str:
    lines = document.splitlines()
    if len(lines) == 1:
        body = [f'    """{lines[0]}"""']
    else:
        body = [f'    """{lines[0]}', *(f"    {line}" if line else "" for line in lines[1:]), '    """']
    return "\n".join([f"def {name}({takes}){result}:", *body])


def helper(signature: Signature) -> tuple[str, str]:
    """What a helper takes and gives, in Python."""
    takes = ", ".join(
        f"{bpf_helpers.python_name(each)}: {_helper_type(each.type, each.kind)}"
        f"{' = 0' if bpf_helpers.may_be_left_out(signature, each) else ''}"
        for each in bpf_helpers.parameters(signature)
    )
    gives = bpf_helpers.python_type(signature.result) if signature.gives == "number" else "Any"
    if signature.gives == "nothing" or signature.result == "void":
        gives = "None"
    return takes, "AbstractContextManager[Any]" if signature.name in _HELD else gives


def _helper_type(type: str, kind: str) -> str:
    return bpf_helpers.python_type(type) if kind == "number" else "Any"


def kernel_function(name: str) -> tuple[str, str]:
    """The same of a kernel function."""
    found = re.fullmatch(r"(.*?) \((.*)\)", KFUNCS[name])
    assert found is not None
    takes = []
    for each in filter(None, _split(found[2])):
        type, _, parameter = each.rpartition(" ")
        if parameter.endswith(("__sz", "__szk", "__prog")) or parameter in ("meta__ign", "aux__ign"):
            continue
        word = parameter.partition("__")[0]
        word = f"{word}_" if iskeyword(word) else word
        takes.append(f"{word}: {_NUMBERS.get(type, 'int' if type.startswith('enum') else 'Any')}")
    result = found[1]
    gives = "None" if result == "void" else _NUMBERS.get(result, "int" if result.startswith("enum") else "Any")
    if takes and takes[-1].startswith("flags: "):
        takes[-1] += " = 0"
    return ", ".join(takes), "AbstractContextManager[Any]" if name in ACQUIRES else gives


def _split(parameters: str) -> list[str]:
    """At commas that are in no parentheses."""
    return [each.strip() for each in re.split(r",(?![^(]*\))", parameters)]


def stub() -> str:
    """bpf.pyi."""
    imports, stubs, taken = words(WORDS.read_text())
    out = [_HEAD + imports.replace("i32, i64, u16, u32, u64", "i8, i16, i32, i64, u8, u16, u32, u64"), ""]
    out += stubs
    out.append("# --- helpers -----------------------------------------------------------------------------------")
    for name, signature in sorted(SIGNATURES.items()):
        if name not in taken:
            takes, gives = helper(signature)
            out.append(_stub(name, takes, f" -> {gives}", bpf_helpers.document(name)))
            taken.append(name)
    out.append("# --- functions of the kernel -------------------------------------------------------------------")
    for name in sorted(KFUNCS):
        word = name.removeprefix("bpf_")
        if word not in taken and word.isidentifier() and not iskeyword(word) and not word.startswith("_"):
            takes, gives = kernel_function(name)
            out.append(_stub(word, takes, f" -> {gives}", f"C: {KFUNCS[name].replace(' (', f' {name}(', 1)}"))
    return "\n\n".join(out) + "\n"


def listing() -> str:
    """docs/helpers.md."""
    out = [
        "# Helpers and kernel functions",
        "",
        "Written by `tools/gen_bpf_stub.py`. How they are called stands in [language.md](language.md).",
        "",
        "## Helpers",
        "",
        "*Since* is the first kernel; (G): for programs under a licence that is compatible with the GPL; (S): for",
        "programs that may sleep. Those with an arrow are written as it says.",
        "",
        "| word | since | what it does | hooks |",
        "|---|---|---|---|",
    ]
    for name, signature in sorted(SIGNATURES.items()):
        takes, gives = helper(signature)
        marks = (" (G)" if signature.gpl else "") + (" (S)" if signature.sleeps else "")
        shown = re.sub(r": [\w.\[\]]+", "", takes).replace(" = 0", "=0")
        result = "" if gives == "None" else f" → {gives}" if gives not in ("Any", "AbstractContextManager[Any]") else ""
        places = bpf_helpers.places_of(signature)
        hooks = "all" if len(places) > 30 else ", ".join(places)
        told = f"{signature.doc}{f' → {SPELLED[name]}' if name in SPELLED else ''}".replace("|", "\\|")
        out.append(f"| `bpf.{name}({shown})`{result} | {signature.since}{marks} | {told} | {hooks} |")
    out += [
        "",
        "## Kernel functions",
        "",
        "Those that kernels 6.12 to 7.3 list in their type information, with their prototypes. A kernel has those that",
        "it was built with; `exists(bpf.name)` asks.",
        "",
        "| word | prototype |",
        "|---|---|",
    ]
    for name in sorted(KFUNCS):
        out.append(f"| `bpf.{name.removeprefix('bpf_')}()` | `{KFUNCS[name].replace(' (', f' {name}(', 1)}` |")
    return "\n".join(out) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file would change")
    options = parser.parse_args()
    for path, text in ((STUB, stub()), (LIST, listing())):
        if options.check and (not path.exists() or path.read_text() != text):
            sys.exit(f"{path.name} would change: run python tools/gen_bpf_stub.py, and commit what it writes")
        if not options.check:
            path.write_text(text)


if __name__ == "__main__":
    main()
