"""Functions of modules (where the kernel has veth as one): their arguments by name, and the module's own types."""

from __future__ import annotations

import pytest
import wires
from since import compiled_since

from beespace.errors import CompileError
from beespace.kernel import net_device, veth_priv
from beespace.kernel.kernel_types import KernelTypes
from beespace.lang import Hash, Program, bpf, exists, fentry, fexit, kprobe, sizeof
from beespace.types import text, u32, u64

pytestmark = pytest.mark.kernel


class Sent(Program):
    """What a veth sends, and who has the other end: the second word of its private data."""

    sent = Hash(key=text(16), value=u64)
    peers = Hash(key=text(16), value=text(16))

    @fentry("veth_xmit")
    def on_send(self, skb, dev):
        name = text(16)
        name = dev.name
        self.sent[name] += skb.len
        priv = bpf.cast(u64(dev) + sizeof(net_device), veth_priv)
        self.peers[name] = priv.peer.name


class Probed(Program):
    """The same by kprobe, whose arguments are registers."""

    sent = Hash(key=text(16), value=u64)

    @kprobe("veth_xmit")
    def on_send(self, skb, dev):
        name = text(16)
        name = dev.name
        self.sent[name] += skb.len


class Named(Program):
    """The module by its name; a second program of the kernel itself, which knows the module's types, too."""

    results = Hash(key=u64, value=u64)
    sent = Hash(key=text(16), value=u64)

    @fexit("veth:veth_xmit")
    def on_sent(self, skb, dev, result):
        self.results[u64(u32(result))] += 1

    @fentry("dev_hard_start_xmit")
    def on_send(self, first, dev):
        if exists(veth_priv):
            priv = bpf.cast(u64(dev) + sizeof(net_device), veth_priv)
            name = text(16)
            name = dev.name
            if priv.peer is not None and (name == "left" or name == "right"):
                self.sent[name] += 1


@pytest.mark.parametrize("probe", [Sent, Probed])
def test_arguments_of_a_modules_function(probe: type[Program], wire: wires.Wire, own_cache: None) -> None:
    with compiled_since("5.11"), probe() as running:
        wire.send(3)
        assert running.sent["left"] == 3 * (14 + 20 + 8 + 10)  # "right" sends what ICMP has to say
        if probe is Sent:
            assert running.peers["left"] == "right"


def test_a_module_by_its_name(wire: wires.Wire, own_cache: None) -> None:
    if "veth" not in KernelTypes().modules:
        pytest.skip("veth is no module here, or it says nothing of its types")
    with Named() as running:
        wire.send(2)
        assert running.results[0] >= 2
        assert running.sent["left"] == 2


class Missing(Program):
    calls = Hash(key=u64, value=u64)

    @fentry("no_such_module:do_it")
    def on_call(self, first):
        self.calls[0] += u64(first)


def test_a_module_that_is_not_loaded() -> None:
    with pytest.raises(CompileError, match=r"no_such_module:do_it(.|\n)*modprobe no_such_module"):
        Missing().load()
