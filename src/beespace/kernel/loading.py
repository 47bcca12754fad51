"""``Loading``: one object on its way into the kernel: its maps are there, its programs come one by one.

Kept while an object is open only if some of its programs are alternatives (:mod:`beespace.kernel.either`), of which
another one may be wanted later.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from beespace.errors import KernelError, RelocationError, VerifierError
from beespace.hooks import Attachment, Hook, resolve
from beespace.kernel.kernel_types import KernelTypes
from beespace.kernel.maps import Map
from beespace.kernel.object_types import ObjectTypes
from beespace.kernel.program import LoadedProgram
from beespace.kernel.symbols import KernelSymbols, fill_symbols
from beespace.kernel.targets import AttachTarget, attach_target
from beespace.record import dataclass
from beespace.reloc import Report
from beespace.reloc.image import Image, assemble
from beespace.spec import ObjectSpec
from beespace.syscall import Descriptor, bpf
from beespace.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from beespace.kernel.program_targets import ProgramTarget, Target
    from beespace.kernel.struct_ops import Method

__all__ = ["Asked", "Loading"]

_SLEEPABLE, _FRAGMENTS = 1 << 4, 1 << 5  # BPF_F_SLEEPABLE, BPF_F_XDP_HAS_FRAGS (include/uapi/linux/bpf.h)
# Kernels that do not know an attach type answer so; those before 4.17 did not know the field.
_UNKNOWN = (errno.EINVAL, errno.E2BIG)
_STRUCT_OPS = 27  # BPF_PROG_TYPE_STRUCT_OPS
_MANY = ("kprobe_multi", "uprobe_multi", "usdt")  # Hook.link

_without_attach_type: set[tuple[int, int]] = set()
"""Program and attach types that this kernel was found to take only without the attach type."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the caller of ``load`` said about programs."""

    targets: Mapping[str, Target]
    token: Descriptor | None
    log_level: int
    log_size: int


@dataclass(frozen=True, slots=True)
class Loading:
    """What each program of an object is loaded with."""

    asked: Asked
    maps: Mapping[str, Map]
    types: ObjectTypes
    kernel: KernelTypes
    symbols: KernelSymbols
    methods: Mapping[str, Method]
    contexts: Mapping[str, Mapping[int, int]]

    def program(self, spec: ObjectSpec, name: str, report: Report) -> LoadedProgram:
        """Load program ``name`` of ``spec``, which has CO-RE applied as ``report`` says."""
        program = spec.programs[name]
        attachment = resolve(program.section)
        with ExitStack() as held:  # what the program itself keeps, once it is loaded
            other = self._other_program(name, attachment)
            if other is not None:
                held.callback(other.program.close)
            method = self._method(name, attachment)
            if method is not None:
                target = AttachTarget(method.type_id, self.symbols.module(method.module))
            elif other is not None:
                target = AttachTarget(other.btf_id)
            else:
                target = attach_target(attachment, lambda: self.kernel)
            image = assemble(spec, program.entry)
            code = fill_symbols(image, self.maps, self.symbols, held)
            typed = self.types.descriptor is not None and bool(image.func_info)

            def load(attach_type: int) -> tuple[Descriptor, str]:
                return bpf.prog_load(
                    attachment.hook.program_type,
                    code,
                    license=spec.license,
                    name=program.name,
                    expected_attach_type=attach_type if method is None else method.member,
                    attach_btf_id=target.btf_id,
                    attach_prog_fd=None if other is None else other.program,
                    attach_btf_obj_fd=target.btf_object,
                    prog_flags=_flags(attachment.hook),
                    prog_btf_fd=self.types.descriptor if typed else None,
                    func_info=self._func_info(image, attachment.hook) if typed else b"",
                    line_info=image.line_info if typed else b"",
                    fd_array=self.symbols.descriptors,
                    prog_token_fd=self.asked.token,
                    log_level=self.asked.log_level,
                    log_size=self.asked.log_size,
                )

            try:
                descriptor, log = _with_attach_type(attachment.hook, load)
            except KernelError as error:
                from beespace.kernel.refused import explain, missing_hook  # read logs: only who is refused needs it

                missing = missing_hook(error, attachment.hook)
                if missing is not None:
                    raise missing from error
                if not isinstance(error, VerifierError):
                    raise
                raise explain(error, image, report, attachment.hook) from None
        return LoadedProgram(descriptor, program, attachment, image, log=log, types=spec.btf, maps=self.maps)

    def _func_info(self, image: Image, hook: Hook) -> bytes:
        if not self.contexts:
            return image.func_info
        from beespace.kernel.context_arguments import context_name, retyped

        return retyped(image.func_info, self.contexts.get(context_name(hook), {}))

    def _method(self, name: str, attachment: Attachment) -> Method | None:
        """The member of a kernel interface that program ``name`` stands for, which few do."""
        found = self.methods.get(name)
        if found is None and attachment.hook.program_type == _STRUCT_OPS:
            raise RelocationError(
                f"program {name!r} is for a kernel interface, but stands in none of this object that this kernel has",
                help=f'struct ... name SEC(".struct_ops.link") = {{ .member = (void *){name} }};',
            )
        return found

    def _other_program(self, name: str, attachment: Attachment) -> ProgramTarget | None:
        """The BPF program that program ``name`` is for, which few are."""
        target = self.asked.targets.get(name)
        if target is None and attachment.hook.section != "freplace":
            return None
        from beespace.kernel.program_targets import program_target

        return program_target(name, attachment, target)


def _flags(hook: Hook) -> int:
    return (_SLEEPABLE if hook.sleepable else 0) | (_FRAGMENTS if hook.fragments else 0)


def _with_attach_type(hook: Hook, load: Callable[[int], tuple[Descriptor, str]]) -> tuple[Descriptor, str]:
    """Load with the hook's attach type; where programs may do without, without it if the kernel does not know it."""
    kind = (hook.program_type, hook.attach_type)
    if hook.link in _MANY:
        from beespace.kernel.links.many import has_multi, multi_type  # attached to each place alone, if need be

        return load(multi_type(hook) if has_multi(hook) else 0)
    if kind in _without_attach_type:
        return load(0)
    try:
        return load(hook.attach_type)
    except VerifierError:
        raise
    except KernelError as error:
        if not hook.any_attach_type or error.errno not in _UNKNOWN:
            raise
        refused = error
    try:
        made = load(0)
    except KernelError:
        raise refused from None
    _without_attach_type.add(kind)
    return made
