"""The commands and their options, as argparse knows them."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from beespace.errors import UsageError

_UNITS = {"": 1.0, "s": 1.0, "ms": 0.001, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"": 1, "b": 1, "k": 1 << 10, "kib": 1 << 10, "m": 1 << 20, "mib": 1 << 20, "g": 1 << 30, "gib": 1 << 30,
          "kb": 10**3, "mb": 10**6, "gb": 10**9, "t": 1 << 40, "tib": 1 << 40}  # fmt: skip


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, through our own error."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, help=f"`{self.prog} --help` lists the options")


def duration(text: str) -> float:
    """Seconds from ``10s``, ``250ms``, ``5m``, ``2h``, ``7d`` or a plain number."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    if match is None or match[2] not in _UNITS or not float(match[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; write it as 10s, 5m, 2h or 7d")
    return float(match[1]) * _UNITS[match[2]]


def moment(text: str) -> int:
    """ns since 1970, of an ISO 8601 time (local without a zone), a time of day that was last, or so long ago."""
    import time
    from datetime import datetime, timedelta

    if re.fullmatch(r"\d+(\.\d+)?\s*[a-z]+", text.strip().lower()):
        return time.time_ns() - int(duration(text) * 1e9)
    try:
        if re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", text):
            hour, minute, second = (int(part) for part in (text + ":00").split(":")[:3])
            found = datetime.now().astimezone().replace(hour=hour, minute=minute, second=second, microsecond=0)
            if found > datetime.now().astimezone():
                found -= timedelta(days=1)
        else:
            found = datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time; write it as 2026-11-23T02:13:00Z, 02:13 or 5m"
        ) from None
    return int(found.timestamp()) * 1_000_000_000 + found.microsecond * 1000


def size(text: str) -> int:
    """Bytes from ``512MiB``, ``10GB`` or a plain number."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    if match is None or match[2] not in _BYTES or not float(match[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write it as 512MiB or 10GB")
    return int(float(match[1]) * _BYTES[match[2]])


def share(text: str) -> float | None:
    """A share of one core from ``2%`` or ``0.5 %``; more than 100 % is several; None for ``none``."""
    if text == "none":
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", text.strip())
    if match is None or not float(match[1]):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no share of a CPU; write it as 2%, which is of one core, or none"
        )
    return float(match[1]) / 100


def speed(text: str) -> float | str | None:
    """How many times as fast, None for ``max``, or ``auto``."""
    if text in ("max", "auto"):
        return None if text == "max" else text
    try:
        value = float(text.removesuffix("x"))
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no speed; write it as 1, 10, 0.5 or max")
    return value


def _port(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; ports are 1 to 65535")
    return int(text)


def listen_address(text: str) -> tuple[str, int]:
    """Host and port from ``127.0.0.1:9470``, ``[::1]:9470``, ``:9470`` (every address) or ``9470`` (loopback)."""
    host, colon, port = text.rpartition(":")
    if not colon:
        host = "127.0.0.1"
    elif not host:
        host = "::"
    elif host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise argparse.ArgumentTypeError(f"{text!r} is no address; write IPv6 as [::1]:9470")
    if not port.isdigit() or not 0 <= int(port) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is no address; write it as 127.0.0.1:9470")
    return host, int(port)


def _dns_label(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a namespace: lower case letters, digits and '-'")
    return text


def _checked(parse: Callable[[str], object]) -> Callable[[str], str]:
    """A text that ``parse`` takes, as it is."""

    def check(text: str) -> str:
        parse(text)
        return text

    return check


def _pid(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no process id")
    return int(text)


def default_store() -> Path:
    """Where the history is if nobody says otherwise."""
    return Path(os.environ.get("BEESPACE_STORE", "/var/lib/beespace"))


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line taken apart.  What ``run`` does not know goes to the probe: its options are its own."""
    parser = make_parser()
    words = sys.argv[1:] if arguments is None else list(arguments)
    program: list[str] = []
    if words[:1] == ["kernels"] and "--" in words:  # what stands behind it is another program's
        at = words.index("--")
        words, program = words[:at], words[at + 1 :]
    options, rest = parser.parse_known_args(words)
    options.words = program
    if rest and options.command not in ("run", "test"):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    options.rest = rest
    if options.command == "run" and options.file is None and not options.help:
        parser.error("the following arguments are required: file")
    return options


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    from beespace import __version__

    parser = _Parser(
        prog="beespace",
        description="See what a running Linux kernel does: who talks to whom, from which process of which pod.",
    )
    parser.add_argument("--version", action="version", version=f"beespace {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    _watch(commands.add_parser("watch", help="live: every flow of this host, or another table"))
    _serve(commands.add_parser("serve", help="the agent of a host: watch all of it, keep the history, /metrics"))
    _deploy(commands.add_parser("deploy", help="manifests that run the agent on every node of a Kubernetes cluster"))
    _record(commands.add_parser("record", help="write what watch sees into a file, to be played later"))
    _replay(commands.add_parser("replay", help="play a recording: the same rows, tables and history"))
    _demo(commands.add_parser("demo", help="a recorded shop in containers: no root, not even Linux"))
    _query(commands.add_parser("query", help="ask the stored history, in SQL"))
    _who_was(commands.add_parser("who-was", help="who has or had an address: pod, service or node"))
    _run(commands.add_parser("run", help="run a probe and print its events and maps", add_help=False))
    testing = "test probes: pytest, with beespace's machine, this kernel and others"
    _test(commands.add_parser("test", help=testing, add_help=False, allow_abbrev=False))
    _build(commands.add_parser("build", help="compile a probe into an object file"))
    _stubs(commands.add_parser("stubs", help="classes of kernel structs, for type checkers and editors"))
    _tables(commands.add_parser("tables", help="what there is to see, with types and units"))
    _doctor(commands.add_parser("doctor", help="what this machine allows, and how to get what is missing"))
    _kernels(commands.add_parser("kernels", help="other kernels, in virtual machines: run a command on each"))
    _vm_plugin(commands.add_parser("vm-plugin", help="beespace's machine for programs, as a plugin of bpf_conformance"))
    return parser


def _watch(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    _shown(parser)
    _watched(parser)
    add("--interval", type=duration, metavar="TIME", help="one row a flow this often (default: 1s)")
    _limited(parser)
    _stored(parser)
    _kept(parser)
    add("--pcap", metavar="FILE",
        help="not live: the packets of a pcap or pcapng file (-: standard input), by the same programs")  # fmt: skip
    add("--local", action="append", default=[], metavar="ADDRESS",
        help="with --pcap: an address or network (10.0.0.0/8) that is this side; may be repeated")  # fmt: skip
    add("--record", type=Path, metavar="FILE", help="write all of it into a recording, too, for `beespace replay`")


def _limited(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--max-cpu", type=share, metavar="SHARE",
        help="leave detail out rather than use more of one core, as 2%% (programs in the kernel included)")  # fmt: skip


def _kept(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--keep", type=duration, default=7 * 86400.0, metavar="TIME", help="age limit of the history (default: 7d)")
    add("--keep-bytes", type=size, default=10 << 30, metavar="SIZE", help="size limit of the history (default: 10GiB)")


def _serve(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Watch the whole host, keep the history for `beespace query`, and say over HTTP how it goes: /healthz, /readyz "
        "and /metrics.  SIGTERM and Ctrl-C end it; everything that was seen is then in the store."
    )
    add = parser.add_argument
    add("--listen", type=listen_address, default=("127.0.0.1", 9470), metavar="HOST:PORT",
        help="where to serve HTTP (default: 127.0.0.1:9470; :9470 is every address of this host)")  # fmt: skip
    add("--store", type=Path, default=default_store(), metavar="DIR",
        help="the history (default: $BEESPACE_STORE, /var/lib/beespace)")  # fmt: skip
    _kept(parser)
    add("--wait", type=duration, default=60.0, metavar="TIME",
        help="how long to wait for another agent to let go of the history (default: 60s)")  # fmt: skip
    _watched(parser)
    add("--interval", type=duration, metavar="TIME", help="one row a flow this often (default: 1s)")
    _limited(parser)
    add("--costs", action="store_true", help="have the kernel count the CPU time of the agent's own programs")


def _deploy(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Print what a cluster needs: beespace deploy --image REGISTRY/beespace:VERSION | kubectl apply -f -.  Each "
        "right that the agent asks for is explained in a comment."
    )
    add = parser.add_argument
    add("--namespace", type=_dns_label, default="beespace", metavar="NAME", help="default: beespace")
    add("--image", metavar="IMAGE", help="the agent's image, as your registry names it")
    add("-o", "--output", choices=("yaml", "json"), default="yaml", help="default: yaml, with the reasons")
    add("--runtime", default="containerd", metavar="NAME",
        help="containerd (default), crio, k3s, or the folder that has the runtime's socket")  # fmt: skip
    add("--store", default="/var/lib/beespace", metavar="DIR", help="the folder of each node for the history")
    add("--keep", type=_checked(duration), default="7d", metavar="TIME", help="age limit of the history (default: 7d)")
    add("--keep-bytes", type=_checked(size), default="10GiB", metavar="SIZE",
        help="size limit of the history (default: 10GiB)")  # fmt: skip
    add("--kubelet", choices=("pods", "proxy"),
        help="ask each node's kubelet where the API is silent, by the right to nodes/pods or nodes/proxy")  # fmt: skip
    add("--kubelet-insecure-tls", action="store_true", help="do not verify the kubelets' certificates")
    add("--max-cpu", type=_checked(share), default="none", metavar="SHARE",
        help="leave detail out rather than use more of one core, as 2%% (default: none)")  # fmt: skip
    add("--costs", action="store_true", help="have the kernel count the CPU time of the agents' programs")
    add("--scrape", action="store_true", help="serve /metrics on every address of the node, port 9470, not on loopback")


def _record(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Watch, and write everything into FILE: rows with their keys, who these are (processes, containers), losses. "
        "Nothing of what packets carry is in it.  Ctrl-C ends it; the file is then whole."
    )
    add = parser.add_argument
    add(
        "tables",
        nargs="*",
        metavar="TABLE",
        default=[],
        help="only these, as flows, execs (default: all)",
    )
    add("-o", "--output", dest="record", type=Path, required=True, metavar="FILE", help="the recording")
    add("--packets", nargs="?", const="headers", choices=("headers", "full"), default="none",
        help="packets, too, of which flows can be counted again: their headers, or with what they carry")  # fmt: skip
    _watched(parser)
    add("--interval", type=duration, metavar="TIME", help="one row a flow this often (default: 1s)")


def _replay(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Play what `beespace record` wrote: the rows that watch showed, through the same filters, tables and store."
    )
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="the recording")
    add("--recount", action="store_true", help="count the flows again, from the recorded packets")
    _shown(parser)
    add("--speed", type=speed, default=1.0, metavar="N",
        help="1: as fast as it was (default); 10: ten times faster; max: at once")  # fmt: skip
    _stored(parser)


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Play a recording of a small shop in containers, made on a real node: the shipped programs count its packets "
        "in beespace's own machine, and rows go the way they go in `beespace watch`.  Half-way a deployment fails."
    )
    add = parser.add_argument
    _shown(parser)
    add("--speed", type=speed, default="auto", metavar="N",
        help="1: as fast as it was; max: at once (default: 5 on a terminal, else max)")  # fmt: skip
    add("--query", metavar="SQL",
        help='ask its history: "select workload, sum(tx_bytes) from flows group by 1"')  # fmt: skip
    _stored(parser)


def _shown(parser: argparse.ArgumentParser) -> None:
    """Which rows are shown, and how."""
    add = parser.add_argument
    add("tables", nargs="*", metavar="TABLE", default=[], help="flows (default), execs")
    add("-o", "--output", choices=("table", "json", "arrow"), default="table", help="default: table")
    add("--pid", type=_pid, action="append", default=[], help="only this process; may be repeated")
    add("--port", type=_port, action="append", default=[], help="only this local or remote port; may be repeated")
    add("-n", "--namespace", metavar="NAME", help="only this Kubernetes namespace")
    add("-p", "--pod", metavar="NAME", help="only this pod")


def _watched(parser: argparse.ArgumentParser) -> None:
    """What the probes are told."""
    add = parser.add_argument
    add("--for", dest="duration", type=duration, metavar="TIME", help="stop after this long: 10s, 5m")
    add("--cgroup", metavar="DIR", help="only sockets of this cgroup v2 (default: the root, all of them)")
    add(
        "--interface", action="append", default=[], metavar="NAME",
        help="hold flows against every packet of this device (default: those with a gateway; none: no device)",
    )  # fmt: skip
    add("--max-flows", type=int, default=65_536, metavar="N", help="flows an interval that the kernel can hold")
    add("--cri", metavar="SOCKET", help="container runtime socket (default: looked for)")
    _kubernetes(parser)


def _kubernetes(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--kubeconfig", type=Path, metavar="FILE",
        help="the Kubernetes API of this machine's cluster (default: the service account's, in a pod)")  # fmt: skip
    add("--no-kubernetes", action="store_true", help="do not ask the Kubernetes API")
    add("--kubelet", metavar="ADDRESS",
        help="this machine's kubelet, for names when the API is away or forbidden: 10.0.0.7")  # fmt: skip
    add("--kubelet-insecure-tls", action="store_true", help="do not verify the kubelet's certificate")
    add("--node", metavar="NAME", help="this machine's name in the cluster (default: $NODE_NAME, the host name)")
    add("--service-labels", action="store_true",
        help="service_name may come from the labels app.kubernetes.io/instance and /name")  # fmt: skip


def _stored(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--store", type=Path, nargs="?", const=default_store(), metavar="DIR",
        help="keep the history, for `beespace query` (default: $BEESPACE_STORE, /var/lib/beespace)")  # fmt: skip


def _query(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("sql", help='as in "select process_name, sum(tx_bytes) from flows group by 1 order by 2 desc limit 5"')
    add("--store", type=Path, default=default_store(), metavar="DIR",
        help="the history (default: $BEESPACE_STORE, /var/lib/beespace)")  # fmt: skip
    add("-o", "--output", choices=("table", "json", "csv", "arrow"), default="table", help="default: table")


def _who_was(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("address", help="an IP address")
    add("--at", type=moment, metavar="TIME",
        help="ask the history: 2026-11-23T02:13:00Z, 02:13 (the last one, local), 5m (ago)")  # fmt: skip
    add("--store", type=Path, default=default_store(), metavar="DIR",
        help="the history (default: $BEESPACE_STORE, /var/lib/beespace)")  # fmt: skip
    add("-o", "--output", choices=("table", "json"), default="table", help="default: table")
    add("--cri", metavar="SOCKET", help="container runtime socket (default: looked for)")
    _kubernetes(parser)


def _run(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Every other option is the probe's own: typed class attributes of a Python class, `const volatile` globals "
        "of an object, as in --min-uid 1000. `beespace run FILE --help` lists them."
    )
    add = parser.add_argument
    add("file", type=Path, nargs="?", help="a Python file with a Program class, or an object file (.bpf.o)")
    add("-h", "--help", action="store_true", help="show this, and the options of FILE")
    add("-o", "--output", choices=("table", "json"), default="table", help="default: table")
    add("--for", dest="duration", type=duration, metavar="TIME", help="stop after this long")
    add("--program", metavar="NAME", help="of a Python file, which Program; of an object, which program to attach")
    add("--cgroup", metavar="DIR", help="the cgroup v2 that cgroup hooks attach to (default: the root)")
    add("--attach", action="append", default=[], metavar="NAME=VALUE",
        help="what a hook must be told, as map=sockets or direction=egress; may be repeated")  # fmt: skip
    add("--interface", metavar="NAME", help="the network interface that XDP and tc programs attach to")
    add("--netns", metavar="NAME", help="the network namespace of that interface, and of programs of namespaces")
    add("--pid", metavar="PID", help="only this process, of hooks that can be told")
    add("--binary", metavar="FILE", help="the program or library that uprobes and static probes are in")
    add("--event", action="append", default=[], metavar="RING=STRUCT",
        help="objects: the struct of a ring's records (default: the one of its name, or the only one)")  # fmt: skip
    add("--only", action="append", default=[], metavar="PROGRAM",
        help="objects: load this program, and no other; may be repeated")  # fmt: skip
    parser.set_defaults(usage=parser.format_help)


def _test(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s [--on PLACES] [--btf FILE] [--debug] [FILE ...] [options of pytest]"
    parser.description = (
        "Run tests with pytest. Of a file with probes that is no test file, each probe must compile, load into "
        "beespace's machine and run once. The exit status is 0, 1 (a test failed), 2 (usage, nothing to test) or 3 "
        "(what was asked for is not permitted here)."
    )
    parser.epilog = "Every other option is pytest's, as -x, -k EXPRESSION, --cov: `pytest --help` lists them."
    add = parser.add_argument
    add("-h", "--help", action="store_true", help="show this")
    add("--on", metavar="PLACES", help="where tests that take `run` run, with commas between: vm, here, 7.3 "
        "(default: what their marker says, or vm and here)")  # fmt: skip
    add("--btf", metavar="FILE", help="types of the kernel to compile with in the machine; shipped: those of the "
        "package (default: the running kernel's; where it tells none, those of the package)")  # fmt: skip
    add("--debug", action="store_true", help="run what is in the machine in a debugger: h says what it can do")
    parser.set_defaults(usage=parser.format_help)


def _build(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("file", type=Path, help="a Python file with a Program class")
    add("-o", "--output", type=Path, metavar="OBJ",
        help="where to (default: an object beside the file, with .bpf.o; text to standard output)")  # fmt: skip
    add("--program", metavar="CLASS", help="which Program, if the file has several")
    add("--emit", choices=("obj", "ir", "llvm", "asm"), default="obj",
        help="the object (default), or what it was on the way: typed IR, LLVM's IR, assembly with source")  # fmt: skip
    add("--report", nargs="?", const="text", choices=("text", "json"),
        help="programs, stack, helpers with their first kernel, maps and their memory; text or json")  # fmt: skip


def _stubs(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("types", nargs="*", metavar="TYPE", default=[], help="structs to have besides the common ones, as nf_conn")
    add("-o", "--output", type=Path, metavar="DIR",
        help="make the package beespace-stubs in there: for mypy in site-packages, for pyright in typings "
        "(default: print the stubs)")  # fmt: skip
    add("--btf", type=Path, metavar="FILE", help="types of another kernel (default: the running one's)")
    add("--only", action="store_true", help="the named structs, and not the common ones")


def _tables(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tables", nargs="*", metavar="TABLE", help="only these, with their columns")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table", help="default: table")


def _doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table", help="default: table")
    parser.add_argument("--all", action="store_true", help="each program, map, attach and link type, helper, ... too")
    _kubernetes(parser)


def _kernels(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=_Parser)
    listing = actions.add_parser("list", help="the kernels that there are, and which of them were fetched")
    listing.add_argument("-o", "--output", choices=("table", "json"), default="table", help="default: table")
    fetching = actions.add_parser("fetch", help="get the newest builds from Debian's archive")
    fetching.add_argument("kernels", nargs="*", metavar="KERNEL", help="as 6.12 or 6.12-arm64 (default: all)")
    running = actions.add_parser(
        "run",
        help="run a command on a kernel",
        usage="%(prog)s [options] KERNEL -- COMMAND ...",
        description="Start a kernel, run COMMAND as root in it, end it.  The command sees this machine's files and "
        "may change them, but only for itself; on a kernel of another architecture it sees a small Debian, and the "
        "folder that it starts in.  The exit status is the command's.",
    )
    add = running.add_argument
    add("kernel", metavar="KERNEL", help="as 6.12; fetched if it was not")
    add("--memory", type=size, default=1 << 30, metavar="SIZE", help="of the guest (default: 1GiB)")
    add("--cpus", type=int, default=1, metavar="N", help="of the guest (default: 1)")
    add("--timeout", type=duration, metavar="TIME", help="kill the command after this long; the status is then 124")
    add("--writable", type=Path, action="append", default=[], metavar="DIR",
        help="a folder of this machine that the command may change; may be repeated")  # fmt: skip
    add("--kvm", action="store_true", help="use /dev/kvm: faster, where it works")


def _vm_plugin(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Run the program on standard input, in hexadecimal, and print what it leaves in r0, in hexadecimal: the plugin "
        "protocol of bpf_conformance.  An error goes to standard error, and the exit status is not 0."
    )
    add = parser.add_argument
    add("memory", nargs="?", default="", metavar="HEX",
        help="bytes for the program: r1 is their address and r2 their number (default: none, both are 0)")  # fmt: skip
    add("--program", metavar="HEX", help="the program (default: read standard input)")
    add("--elf", action="store_true", help="the program is an object file, of which the first program is run")
    add("--jit", action="store_true", help="run it as native code, which takes LLVM: pip install 'beespace[compile]'")
    add("--max-steps", type=int, default=10_000_000, metavar="N", help="instructions before it is stopped")
