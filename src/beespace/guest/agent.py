"""The agent: process 1 of a guest, which runs commands for the host.

It is not imported: it runs alone in the guest, with the standard library of whatever Python is there, and imports
little because Python is slow in a machine without KVM.  Host and agent speak over one virtio port, in frames of
a kind (one byte), a length (four bytes, big-endian) and that many bytes (:mod:`beespace.guest.frames`).
"""

import os
import select
import signal
import struct

PIPE = 1 << 16


def main() -> None:
    port = open_port()
    wake, alarm = os.pipe()
    os.set_blocking(alarm, False)
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(alarm)
    send(port, b"H", os.uname().release.encode())
    while True:
        kind, payload = receive(port)
        if kind == b"R":
            run(port, wake, payload)


def run(port: int, wake: int, payload: bytes) -> None:
    """One command: its output as it comes, then its status.  What it leaves running is killed."""
    folder, count, *words = payload.split(b"\0")
    command, environment = words[: int(count)], words[int(count) :]
    streams: dict[int, bytes] = {}
    outs: list[int] = []
    for kind in (b"O", b"E", b"L"):
        read, write = os.pipe()
        streams[read] = kind
        outs.append(write)
    child = os.fork()
    if child == 0:
        start(folder, command, environment, outs)
    for write in outs:
        os.close(write)
    status = None
    poll = select.poll()
    for descriptor in (port, wake, *streams):
        poll.register(descriptor, select.POLLIN)
    while status is None or streams:
        for descriptor, _ in poll.poll(None if status is None else 0) or [(-1, 0)]:
            if descriptor == -1:  # the command has ended, and nothing more is in its pipes
                for stream in list(streams):
                    poll.unregister(stream)
                    os.close(stream)
                    del streams[stream]
            elif descriptor == port:
                if receive(port)[0] == b"K":
                    kill_all()
            elif descriptor == wake:
                os.read(wake, 512)
                status = reap(child, status)
            elif descriptor in streams:
                data = os.read(descriptor, PIPE)
                if data:
                    send(port, streams[descriptor], data)
                else:
                    poll.unregister(descriptor)
                    os.close(descriptor)
                    del streams[descriptor]
    kill_all()
    send(port, b"S", b"%d" % status)


def start(folder: bytes, command: list[bytes], environment: list[bytes], outs: list[int]) -> None:
    """In the child: become the command.  Statuses 126 and 127 are the shell's."""
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        os.dup2(outs[0], 1)
        os.dup2(outs[1], 2)
        os.set_inheritable(outs[2], True)
        os.chdir(folder)
        variables = dict(each.split(b"=", 1) for each in environment)
        variables[b"BEESPACE_GUEST_FD"] = b"%d" % outs[2]
        os.execvpe(command[0], command, variables)
    except OSError as error:
        os.write(2, b"beespace guest: %s: %s\n" % (command[0], str(error).encode()))
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)
    finally:
        os._exit(125)


def reap(child: int, status: "int | None") -> "int | None":
    while True:
        try:
            pid, ended = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if pid == 0:
            return status
        if pid == child:
            code = os.waitstatus_to_exitcode(ended)
            status = code if code >= 0 else 128 - code


def kill_all() -> None:
    """Everything but the agent itself, which the kernel spares as process 1."""
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        return


def open_port() -> int:
    """The host's port; sysfs knows which it is, and devtmpfs has the device."""
    ports = "/sys/class/virtio-ports"
    for device in os.listdir(ports):
        with open(f"{ports}/{device}/name", "rb") as file:
            if file.read().strip() == b"beespace":
                return os.open(f"/dev/{device}", os.O_RDWR | os.O_CLOEXEC)
    raise SystemExit("no virtio port is named beespace")


def send(port: int, kind: bytes, payload: bytes) -> None:
    data = memoryview(kind + struct.pack("!I", len(payload)) + payload)
    while data:
        data = data[os.write(port, data) :]


def receive(port: int) -> "tuple[bytes, bytes]":
    header = read(port, 5)
    return header[:1], read(port, struct.unpack("!I", header[1:])[0])


def read(port: int, size: int) -> bytes:
    parts = []
    while size:
        part = os.read(port, min(size, PIPE))
        if not part:
            power_off()  # the host has gone
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def power_off() -> None:
    with open("/proc/sysrq-trigger", "w") as file:
        file.write("b")
    signal.pause()


main()
