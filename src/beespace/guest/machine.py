"""The command lines of the virtual machine and of the file servers beside it."""

from __future__ import annotations

import os
from pathlib import Path

from beespace.errors import UsageError
from beespace.guest.programs import EMULATORS, program
from beespace.guest.store import Unpacked
from beespace.record import dataclass

__all__ = ["Machine", "Settings", "Share", "machine", "qemu", "server"]


@dataclass(frozen=True, slots=True)
class Machine:
    """What differs between architectures: QEMU's options, the console, the processor."""

    options: tuple[str, ...]
    console: str
    slow_cpu: str  # without KVM


MACHINES = {
    # qboot starts a PVH kernel some tenths of a second sooner than SeaBIOS; microvm hangs at random without KVM.
    "amd64": Machine(("-M", "pc", "-bios", "qboot.rom"), "ttyS0", "max"),
    # `max` would emulate pointer authentication, which makes a guest two to four times slower.
    "arm64": Machine(("-M", "virt"), "ttyAMA0", "cortex-a72"),
}

# What makes a boot shorter (docs/kernels.md), and what makes a panic end the machine.
_PARAMETERS = "quiet mitigations=off cryptomgr.notests audit=0 random.trust_cpu=on reboot=t panic=-1"


@dataclass(frozen=True, slots=True)
class Settings:
    """How large a guest is and how long it may take.

    ``kvm`` is not taken by itself where there is a ``/dev/kvm``: some virtual machines have one on which a guest
    stops in the middle of its boot.
    """

    memory: int = 1 << 30  # bytes
    cpus: int = 1
    boot_timeout: float = 180.0  # seconds: generous, a machine may be loaded
    kvm: bool = False  # the kernel's architecture must be the machine's


@dataclass(frozen=True, slots=True)
class Share:
    """A folder of the host that stands at ``place`` in the guest."""

    source: Path
    place: Path
    writable: bool = False


def machine(architecture: str) -> Machine:
    """The machine of an architecture, by Debian's word."""
    if architecture not in MACHINES:
        raise UsageError(f"no virtual machine is known for the architecture {architecture!r}")
    return MACHINES[architecture]


def qemu(unpacked: Unpacked, settings: Settings, folder: Path, shares: tuple[str, ...], channel: int) -> list[str]:
    """QEMU's command line.

    ``folder`` has ``initramfs``, gets ``console``, and has a socket for each tag of ``shares``; ``channel`` is
    the descriptor of the agent's socket.
    """
    kernel = unpacked.kernel
    kind = machine(kernel.architecture)
    size = f"{settings.memory >> 20}M"
    command = [
        program("setpriv"), "--pdeathsig", "KILL", program(EMULATORS[kernel.architecture]), *kind.options,
        "-accel", "kvm" if settings.kvm else "tcg", "-cpu", "host" if settings.kvm else kind.slow_cpu,
        "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
        "-m", size, "-smp", str(settings.cpus),
        "-object", f"memory-backend-memfd,id=memory,size={size},share=on", "-numa", "node,memdev=memory",
        "-kernel", str(unpacked.image), "-initrd", str(folder / "initramfs"),
        "-append", f"console={kind.console} {_PARAMETERS} {kernel.parameters}",
        "-serial", f"file:{folder / 'console'}",
        "-device", "virtio-serial-pci", "-chardev", f"socket,id=agent,fd={channel}",
        "-device", "virtserialport,chardev=agent,name=beespace",
        "-object", "rng-random,id=random,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=random",
    ]  # fmt: skip
    for tag in shares:
        command += ["-chardev", f"socket,id={tag},path={folder / tag}"]
        command += ["-device", f"vhost-user-fs-pci,chardev={tag},tag={tag}"]
    return command


# A guest's root user could mount a read-only share anew, so the server itself must not be able to write: all
# mounts that it sees are made read-only, or go.
_READ_ONLY = """\
while read -r _ _ _ _ place _; do
    place=$(printf '%b' "$place")
    mount -o remount,bind,ro "$place" 2>/dev/null || umount -l "$place" || exit 1
done < /proc/self/mountinfo
exec "$@"
"""


def server(share: Share, listening: int) -> list[str]:
    """The command line of ``virtiofsd`` for a folder; ``listening`` is its socket's descriptor."""
    cache = "auto" if share.writable else "always"
    serve = [
        program("virtiofsd"), f"--fd={listening}",
        "-o", f"source={share.source}", "-o", f"cache={cache}", "-o", "sandbox=chroot", "-o", "log_level=err",
    ]  # fmt: skip
    apart = [program("unshare"), "--mount", *(("--map-root-user",) if os.geteuid() else ())]
    if not share.writable:
        apart += ["/bin/sh", "-c", _READ_ONLY, "sh"]
    return [program("setpriv"), "--pdeathsig", "KILL", *apart, *serve]
