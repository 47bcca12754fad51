"""A running guest: started with one kernel, it runs command after command."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from types import TracebackType

from beespace.errors import GuestError
from beespace.guest import initramfs
from beespace.guest.frames import Frames, frame, run_payload
from beespace.guest.machine import Settings, Share, qemu, server
from beespace.guest.modules import load_order
from beespace.guest.root import Root, root
from beespace.guest.store import Unpacked

__all__ = ["TIMED_OUT", "Guest"]

TIMED_OUT = 124  # the status of a command that was killed because its time was up, as of timeout(1)

_NEEDED_MODULES = ("virtio_pci", "virtio_console", "virtio_rng", "virtiofs", "overlay")
_CONSOLE_LINES = 20
_COMPLAINTS = ("BUG:", "Oops:", "Kernel panic", "general protection fault", "Call Trace:")
_NOISE = "virtio_loop:"  # of virtiofsd, whenever a guest ends
_GRACE = 30.0  # seconds that a killed command may take to be gone

Output = Callable[[bytes], object]


def _discard(data: bytes) -> None:
    """Takes output that nobody wants."""


class Guest:
    """A virtual machine whose root is the host's, which it can read but not change.

    A kernel of another architecture has a small Debian as its root, and of the host only what ``shares`` names.

    ``shares`` are further folders.  The thread that makes a guest must live as long: QEMU ends with it.
    Raises :class:`~beespace.errors.GuestError` if the kernel does not come up, and
    :class:`~beespace.errors.NotSupported` if a program is not installed.
    """

    def __init__(
        self,
        kernel: Unpacked,
        settings: Settings | None = None,
        *,
        shares: Sequence[Share] = (),
    ) -> None:
        self.kernel = kernel
        self.root = root(kernel.kernel)
        self.release = ""
        self._folder = Path(tempfile.mkdtemp(prefix="beespace-guest-"))
        self._processes: list[subprocess.Popen[bytes]] = []
        self._frames = Frames()
        self._deadline: float | None = None
        self._channel, far = socket.socketpair()
        try:
            self._start(settings or Settings(), tuple(shares), far)
        except BaseException:
            self.close()
            raise
        finally:
            far.close()

    def run(
        self,
        command: Sequence[str],
        *,
        folder: str | None = None,
        environment: Mapping[str, str] | None = None,
        timeout: float | None = None,
        out: Output = _discard,
        err: Output = _discard,
        log: Output = _discard,
    ) -> int:
        """Run a command to its end and return its exit status (128 + N after signal N, 124 after ``timeout`` seconds).

        It starts in ``folder`` with ``environment`` (both: the caller's), reads nothing, and may write records to the
        descriptor that ``$BEESPACE_GUEST_FD`` names: they go to ``log``.  What it leaves running is killed.
        """
        environment = os.environ if environment is None else environment
        self._channel.sendall(frame(b"R", run_payload(command, folder or str(Path.cwd()), environment)))
        sinks = {b"O": out, b"E": err, b"L": log}
        self._deadline = None if timeout is None else time.monotonic() + timeout
        killed = False
        for kind, payload in self._received():
            if kind == b"S":
                return TIMED_OUT if killed else int(payload)
            if kind == b"":
                if killed:
                    raise self._failed(f"does not answer any more: {command[0]} does not end when it is killed")
                self._channel.sendall(frame(b"K"))
                self._deadline, killed = time.monotonic() + _GRACE, True
            else:
                sinks[kind](payload)
        raise self._failed(f"ended while it ran {command[0]}")

    def close(self) -> None:
        """End the guest; there is nothing in it to save."""
        self._channel.close()
        for process in reversed(self._processes):
            process.kill()
            process.wait()
        self._processes.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    def kill(self) -> None:
        """End the machine from another thread: what runs in it fails, and whoever made it closes it."""
        for process in self._processes:
            process.kill()

    def __enter__(self) -> Guest:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- start ---------------------------------------------------------------------------------------------

    def _start(self, settings: Settings, shares: tuple[Share, ...], far: socket.socket) -> None:
        modules = Path("/lib/modules") / self.kernel.full_release
        served = {"host": Share(self.root.folder, Path("/")), "modules": Share(self.kernel.modules, modules)}
        served |= {f"share{number}": share for number, share in enumerate(shares)}
        (self._folder / "initramfs").write_bytes(_first_files(self.kernel, self.root, served))
        for tag, share in served.items():
            with socket.socket(socket.AF_UNIX) as listening:
                listening.bind(str(self._folder / tag))
                listening.listen(1)
                self._spawn(server(share, listening.fileno()), listening)
        self._spawn(qemu(self.kernel, settings, self._folder, tuple(served), far.fileno()), far)
        far.close()
        self._deadline = time.monotonic() + settings.boot_timeout
        for kind, payload in self._received():
            if kind != b"H":
                raise self._failed(f"did not come up in {settings.boot_timeout:.0f} s")
            self.release = payload.decode()
            return
        raise self._failed("did not come up")

    def _spawn(self, command: list[str], inherited: socket.socket) -> None:
        with (self._folder / "messages").open("ab") as messages:
            process = subprocess.Popen(
                command, pass_fds=(inherited.fileno(),), stdin=subprocess.DEVNULL, stdout=messages, stderr=messages,
                start_new_session=True,
            )  # fmt: skip
        self._processes.append(process)

    # -- the channel ---------------------------------------------------------------------------------------

    def _received(self) -> Iterator[tuple[bytes, bytes]]:
        """Frames as they come; the kind is empty when the deadline has passed.  Ends when the guest has."""
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        while True:
            wait = None if self._deadline is None else max(0.0, self._deadline - time.monotonic()) * 1000
            if not poll.poll(wait):
                yield b"", b""
                continue
            try:
                data = self._channel.recv(1 << 18)
            except ConnectionResetError:
                data = b""
            if not data:
                return
            yield from self._frames.feed(data)

    def _failed(self, what: str) -> GuestError:
        """The error, with the last words of the console and of the programs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._processes[-1].wait(1)  # whatever it still had to say
        said = _lines(self._folder / "messages")[-5:] + _decisive(_lines(self._folder / "console"))
        text = "\n".join(f"    {line}" for line in said) or "    (nothing)"
        return GuestError(f"the guest with Linux {self.kernel.kernel.name} {what}; its console says:\n{text}")


def _lines(path: Path) -> list[str]:
    text = path.read_text(errors="replace") if path.exists() else ""
    return [line for line in text.replace("\r", "").splitlines() if not line.startswith(_NOISE)]


def _decisive(console: list[str]) -> list[str]:
    """From where the kernel began to complain; the last lines if it did not."""
    start = next((at for at, line in enumerate(console) if any(word in line for word in _COMPLAINTS)), -_CONSOLE_LINES)
    return console[start:][:_CONSOLE_LINES]


def _first_files(kernel: Unpacked, root: Root, served: Mapping[str, Share]) -> bytes:
    """The initramfs: busybox, the modules that the root needs, our two scripts and their settings."""
    order = load_order(kernel.modules, _NEEDED_MODULES)
    own = files("beespace.guest")
    settings = {
        "MODULES": " ".join(path.name for path in order),
        "RELEASE": kernel.full_release,
        "NAME": f"linux-{kernel.kernel.name.replace('.', '-')}",
        "PYTHON": root.python,
    }
    extra = [(tag, share) for tag, share in served.items() if tag.startswith("share")]
    lines = [f"{tag} {'rw' if share.writable else 'ro'} {share.place}\n" for tag, share in extra]
    contents = {
        "init": own.joinpath("init.sh").read_bytes(),
        "agent.py": own.joinpath("agent.py").read_bytes(),
        "settings": "".join(f"{name}='{value}'\n" for name, value in settings.items()).encode(),
        "shares": "".join(lines).encode(),
        "config": kernel.configuration.read_bytes(),
        "bin/busybox": root.busybox.read_bytes(),
    } | {f"modules/{path.name}": path.read_bytes() for path in order}
    return initramfs.archive(
        [(name, initramfs.FOLDER, b"") for name in ("bin", "dev", "modules")]
        + [(name, initramfs.FILE, content) for name, content in contents.items()]
    )
