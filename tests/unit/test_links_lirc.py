"""Infrared receivers, which hardly any machine has: attached and detached before a stand-in for the kernel."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from beespace.errors import KernelError, UsageError
from beespace.hooks import Attachment, resolve
from beespace.kernel.links import attach, query
from beespace.syscall import door
from beespace.syscall._attributes import Command
from beespace.syscall.fake import Fake, installed


class Program:
    name = "remote"

    def __init__(self, file: Path, section: str = "lirc_mode2") -> None:
        self.attachment: Attachment = resolve(section)
        self._file = file.open("rb")

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()


@pytest.fixture
def receiver(tmp_path: Path) -> Path:
    (tmp_path / "lirc0").touch()
    return tmp_path / "lirc0"


def test_attached_and_detached(receiver: Path) -> None:
    kernel = Fake({Command.PROG_ATTACH: lambda _: 0, Command.PROG_DETACH: lambda _: 0})
    program = Program(receiver)
    with installed(kernel):
        link = attach(program, {"device": receiver})
        assert link.explain() == (
            f"remote is attached to lirc_mode2 ({receiver}) by prog_attach; if this process is killed, "
            f"it stays until {receiver} is unplugged"
        )
        program.close()  # the link holds it
        link.detach()
        link.detach()
    on, off = kernel.requests
    assert (on.command, off.command) == (Command.PROG_ATTACH, Command.PROG_DETACH)
    assert on.fields["attach_type"] == off.fields["attach_type"] == 16
    assert on.fields["target_fd"] == off.fields["target_fd"]


def test_one_that_was_unplugged(receiver: Path) -> None:
    kernel = Fake({Command.PROG_ATTACH: lambda _: 0, Command.PROG_DETACH: lambda _: -errno.ENODEV})
    program = Program(receiver)
    with installed(kernel):
        attach(program, {"device": receiver}).detach()
    program.close()


def test_a_refusal_leaves_nothing_open(receiver: Path) -> None:
    program = Program(receiver)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with installed(Fake({})), pytest.raises(KernelError):
        attach(program, {"device": receiver})
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    with pytest.raises(UsageError, match=r"nosuch is no infrared receiver: No such file"):
        attach(program, {"device": receiver.parent / "nosuch"})
    with pytest.raises(UsageError, match=r"needs a receiver(?s:.*)/dev/lirc0"):
        attach(program, {})
    program.close()


def test_who_is_there(receiver: Path) -> None:
    def answer(attributes: door.Attributes) -> int:
        ids = attributes.fields["prog_ids"]
        assert isinstance(ids, bytearray)
        ids[:8] = (21).to_bytes(4, "little") + (34).to_bytes(4, "little")
        attributes.fields["prog_cnt"] = 2
        return 0

    with installed(Fake({Command.PROG_QUERY: answer})):
        assert [each.prog_id for each in query("lirc_mode2", device=receiver).programs] == [21, 34]


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("lwt_seg6local", r"End\.BPF"),
        ("action", r"tc filter add .* action bpf object-pinned"),
        ("sk_skb", r"SEC\('sk_skb/stream_verdict'\)"),
        ("xdp.frags/devmap", r"entry of a device map"),
        ("syscall", r"test_run"),
    ],
)
def test_programs_that_are_used_and_not_attached_say_how(receiver: Path, section: str, said: str) -> None:
    program = Program(receiver, section)
    with pytest.raises(UsageError, match=rf"is not attached, but used(?s:.*){said}"):
        attach(program, {})
    program.close()
