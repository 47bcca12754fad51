"""Probes from files: a Python file's ``Program`` class."""

from __future__ import annotations

import importlib.util
import re
import sys
import traceback
from pathlib import Path

from beespace.errors import BeespaceError, UsageError
from beespace.lang import Program
from beespace.lang.origins import import_of


def program_of(file: Path, name: str | None = None) -> type[Program]:
    """The program class that ``file`` defines; ``name`` chooses if there are several.

    The file is imported, so what stands in it outside of classes runs.
    """
    programs = programs_of(file)
    if name is not None:
        if name not in programs:
            raise UsageError(f"{file} has no program {name!r}", help=f"it has: {', '.join(programs) or 'none'}")
        return _declared(programs[name], file)
    if len(programs) != 1:
        found = "no Program class" if not programs else f"several programs: {', '.join(programs)}"
        raise UsageError(
            f"{file} has {found}",
            help="choose with --program" if programs else "write `class MyProbe(Program):` in it",
        )
    return _declared(next(iter(programs.values())), file)


def programs_of(file: Path) -> dict[str, type[Program]]:
    """All program classes that ``file`` defines, by name; it is imported."""
    if not file.is_file():
        raise UsageError(f"there is no file {file}")
    if file.suffix != ".py":
        raise UsageError(f"{file} is no Python file", help="a compiled object ends in .bpf.o")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    sys.path.insert(0, str(file.parent.resolve()))
    try:
        spec.loader.exec_module(module)
    except BeespaceError:
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(f"{file} cannot be imported: {_last_lines(error, file)}", help=_missing(error)) from error
    finally:
        sys.path.remove(str(file.parent.resolve()))
    return {
        value.__name__: value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Program) and value.__module__ == module.__name__
    }


def _declared(program: type[Program], file: Path) -> type[Program]:
    """The class, unless what it declares is a mistake."""
    try:
        program.declaration()
    except TypeError as error:
        raise UsageError(f"{file}: {error}") from error
    return program


def _missing(error: BaseException) -> str | None:
    """How to import the name that the file lacks, if it is one of the language's."""
    name = error.name if isinstance(error, NameError) else None
    if isinstance(error, ImportError) and (error.name or "").partition(".")[0] == "beespace":
        found = re.match(r"cannot import name '(\w+)'", error.msg)  # error.name_from came with Python 3.12
        name = found and found[1]
    return import_of(name or "") or None


def _last_lines(error: BaseException, file: Path) -> str:
    """The error, and the line of the user's file it came from; none of our own frames."""
    own = file.resolve()
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).resolve() == own]
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return f"line {error.lineno}: {error.msg}: {(error.text or '').strip()}"
    where = f"line {frames[-1].lineno}: " if frames else ""
    return f"{where}{type(error).__name__}: {error}"


def iterators_of(program: type[Program]) -> tuple[str, ...]:
    """The methods that walk kernel objects when somebody asks for it."""
    programs = program.declaration().programs.values()
    return tuple(each.method for each in programs if each.section.startswith("iter"))
