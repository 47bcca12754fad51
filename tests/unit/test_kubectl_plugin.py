"""``kubectl beespace``: what it asks of kubectl, and that its pod is removed however it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "plugins/kubectl-beespace"
SHELLS = [name for name in ("dash", "bash", "busybox") if shutil.which(name)]

# Writes down what it is asked, and does what the test says: a status for a verb, or sleeping.
KUBECTL = f"""#!{sys.executable} -S
import json, os, sys, time
words = [word for word in sys.argv[1:] if not word.startswith(("--context", "--kubeconfig"))]
verb = words[0]
told = json.loads(os.environ["TOLD"])
given = "" if verb != "create" else sys.stdin.read()
with open(os.environ["CALLS"], "a") as file:
    file.write(json.dumps({{"argv": sys.argv[1:], "stdin": given, "pid": os.getpid()}}) + "\\n")
if verb == "get":
    print(told.get("get", "node7 shop Running"), end="")
if verb == "exec":
    print("answer")
if told.get("sleep") == verb:
    time.sleep(600)
sys.exit(told.get("status", {{}}).get(verb, 0))
"""


def interruptible() -> None:
    """As on a terminal: who runs tests in the background ignores signals of it, and a shell cannot undo that."""
    for each in (signal.SIGINT, signal.SIGHUP):
        signal.signal(each, signal.SIG_DFL)


class Fake:
    """A kubectl that notes its calls."""

    def __init__(self, folder: Path, shell: str) -> None:
        self.folder = folder
        self.shell = [shell, "sh"] if shell == "busybox" else [shell]
        self.log = folder / "calls"
        kubectl = folder / "kubectl"
        kubectl.write_text(KUBECTL)
        kubectl.chmod(kubectl.stat().st_mode | stat.S_IXUSR)

    def start(self, *arguments: str, **told: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.shell, str(PLUGIN), *arguments],
            env={"PATH": f"{self.folder}:/usr/bin:/bin", "CALLS": str(self.log), "TOLD": json.dumps(told)},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            preexec_fn=interruptible,
        )  # fmt: skip

    def run(self, *arguments: str, **told: Any) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, **told)
        output, errors = process.communicate(timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    @property
    def calls(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def verbs(self) -> list[str]:
        return [next(word for word in call["argv"] if not word.startswith("-")) for call in self.calls]

    def call(self, verb: str) -> dict[str, Any]:
        (found,) = (call for call, name in zip(self.calls, self.verbs(), strict=True) if name == verb)
        return found


@pytest.fixture(params=SHELLS)
def fake(tmp_path: Path, request: pytest.FixtureRequest) -> Fake:
    return Fake(tmp_path, request.param)


IMAGE = ("--image", "registry.example/beespace:0.1.0")


def test_watch(fake: Fake) -> None:
    done = fake.run("watch", "-n", "shop", "web-1", *IMAGE, "--port", "80", "-o", "json", "--for=10s", "--x", "a b'\"c")
    assert (done.returncode, done.stdout, done.stderr) == (0, "answer\n", "")
    assert fake.verbs() == ["get", "create", "wait", "exec", "delete"]
    pod = json.loads(fake.call("create")["stdin"])
    name = pod["metadata"]["name"]
    assert fake.call("exec")["argv"] == [
        "exec", name, "--namespace=kube-system", "--container=agent", "--",
        "beespace", "watch", "--namespace=shop", "--pod=web-1",
        "--port", "80", "-o", "json", "--for", "10s", "--x", "a b'\"c",
    ]  # fmt: skip
    assert fake.call("delete")["argv"][:3] == ["delete", "pod", name]
    assert fake.call("get")["argv"][:4] == ["get", "pod", "web-1", "--namespace=shop"]


def test_the_pod(fake: Fake) -> None:
    fake.run("watch", "pod/web-1", *IMAGE, "--runtime", "crio", "--context", "here", "--agent-namespace=tools")
    pod = json.loads(fake.call("create")["stdin"])
    kubernetes_validate.validate(pod, "1.30", strict=True)
    assert "@" not in json.dumps(pod)
    assert pod["spec"]["nodeName"] == "node7"
    assert pod["spec"]["containers"][0]["image"] == IMAGE[1]
    assert "/run/crio" in [volume.get("hostPath", {}).get("path") for volume in pod["spec"]["volumes"]]
    assert pod["spec"]["activeDeadlineSeconds"] <= 3600
    assert all(call["argv"][0] == "--context=here" for call in fake.calls)
    for verb in ("create", "wait", "exec", "delete"):
        assert "--namespace=tools" in fake.call(verb)["argv"]
    assert fake.call("get")["argv"][1:4] == ["get", "pod", "web-1"]  # kubectl knows the current namespace


@pytest.mark.parametrize("command", ["top", "who"])
def test_questions(fake: Fake, command: str) -> None:
    done = fake.run(command, "web-1", *IMAGE, "--for", "3s", "-o", "json")
    assert (done.returncode, done.stdout) == (0, "answer\n")  # of the query alone
    assert fake.verbs() == ["get", "create", "wait", "exec", "exec", "delete"]
    watch, query = (call["argv"][call["argv"].index("--") + 1 :] for call in fake.calls[3:5])
    assert watch[:4] == ["beespace", "watch", "--for=3s", "--store"]
    assert query[:2] == ["beespace", "query"] and query[3] == "--output=json"
    assert "pod_name = 'web-1' and namespace = 'shop'" in query[2]


@pytest.mark.parametrize("command", ["top", "who"])
def test_the_questions_are_sql_that_the_store_takes(fake: Fake, command: str, tmp_path: Path) -> None:
    from beespace.sinks.store.query import query
    from beespace.sinks.store.sink import StoreSink
    from beespace.stream import TABLES, Batch

    fake.run(command, "web-1", *IMAGE)
    sql = fake.calls[4]["argv"][-2]
    now = time.time_ns()
    row = {
        "time": now, "process_pid": 7, "process_start_time": now - 10**9, "process_name": "nginx",
        "container_id": "c", "container_name": "web", "pod_name": "web-1", "pod_uid": "u", "namespace": "shop",
        "remote_address": "192.0.2.1", "role": "server", "local_port": 80, "remote_port": 4000, "transport": "tcp",
        "tx_bytes": 10, "rx_bytes": 2,
    }  # fmt: skip
    others = [
        {**row, "process_pid": 8, "container_id": "d", "pod_uid": "v", "namespace": "other"},
        {**row, "process_pid": 9, "container_id": "e", "pod_uid": "w", "pod_name": "web-2"},
    ]
    with StoreSink(tmp_path / "store") as sink:
        sink.write(Batch("flows", TABLES["flows"].batch_of([row, {**row, "remote_port": 4001}, *others])))
    (found,) = query(tmp_path / "store", sql).to_pylist()
    assert found["tx_bytes"] == 20
    expected = {"container_name": "web", "process_name": "nginx", "peers": 1} if command == "top" else {
        "address": "192.0.2.1", "port": 80, "role": "server",
    }  # fmt: skip
    assert expected.items() <= found.items()


@pytest.mark.parametrize("verb", ["create", "wait", "exec"])
def test_the_pod_is_removed_when_something_fails(fake: Fake, verb: str) -> None:
    done = fake.run("watch", "web-1", *IMAGE, status={verb: 3})
    assert done.returncode == (1 if verb == "wait" else 3)
    assert fake.verbs()[-1] == "delete"
    assert fake.verbs().count("delete") == 1


def test_no_pod_no_agent(fake: Fake) -> None:
    assert fake.run("watch", "web-1", *IMAGE, status={"get": 1}).returncode == 1
    done = fake.run("watch", "web-1", *IMAGE, get=" shop Pending")
    assert (done.returncode, done.stderr) == (1, "kubectl-beespace: pod web-1 is on no node yet (Pending)\n")
    assert set(fake.verbs()) == {"get"}


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("verb", ["wait", "exec"])
def test_the_pod_is_removed_after_a_signal(fake: Fake, how: signal.Signals, verb: str) -> None:
    process = fake.start("watch", "web-1", *IMAGE, sleep=verb)
    until(lambda: verb in fake.verbs())
    os.killpg(process.pid, how)  # as a terminal does
    process.communicate(timeout=60)
    assert process.returncode == 128 + how
    assert fake.verbs().count("delete") == 1
    gone(fake.call(verb)["pid"])


def test_a_signal_to_the_script_alone(fake: Fake) -> None:
    process = fake.start("watch", "web-1", *IMAGE, sleep="exec")
    until(lambda: "exec" in fake.verbs())
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 143
    assert fake.verbs()[-1] == "delete"
    gone(fake.call("exec")["pid"])


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def gone(pid: int) -> None:
    def is_gone() -> bool:
        try:
            return ") Z " in Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return True

    until(is_gone)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "kubectl beespace watch POD"),
        (["frobnicate"], "there is no command 'frobnicate'"),
        (["watch", *IMAGE], "which pod?"),
        (["watch", "web-1"], "which image?"),
        (["watch", "a'b", *IMAGE], "pod 'a'b' is no name"),
        (["watch", "web-1", "--image", 'x","y":"'], "is no name"),
        (["top", "web-1", *IMAGE, "--port", "80"], "'top' has no option '--port'"),
        (["who", "web-1", "web-2", *IMAGE], "takes one pod"),
        (["who", "web-1", *IMAGE, "--for"], "option '--for' needs a value"),
        (["who", "web-1", *IMAGE, "--for", "1; drop"], "is no name"),
        (["who", "web-1", *IMAGE, "--runtime", "docker"], "there is no runtime 'docker'"),
    ],
)
def test_wrong_usage_starts_nothing(fake: Fake, arguments: list[str], says: str) -> None:
    done = fake.run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert fake.calls == []


def test_help(fake: Fake) -> None:
    done = fake.run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert fake.run("watch", "--help").stdout == done.stdout
    assert "kubectl beespace who" in done.stdout


def test_krew_gets_an_archive_and_its_manifest(tmp_path: Path) -> None:
    import hashlib
    import tarfile

    import yaml

    uri = "https://example.org/kubectl-beespace.tar.gz"
    for folder in ("one", "two"):
        command = [sys.executable, str(ROOT / "tools/krew_plugin.py"), uri, "--output", str(tmp_path / folder)]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT / "src")})
    (archive,) = (tmp_path / "one").glob("*.tar.gz")
    assert archive.read_bytes() == (tmp_path / "two" / archive.name).read_bytes()
    plugin = yaml.safe_load((tmp_path / "one/beespace.yaml").read_text())
    (platform,) = plugin["spec"]["platforms"]
    assert platform["uri"] == uri
    assert platform["sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest()
    with tarfile.open(archive) as tar:
        assert {entry.name for entry in tar} == {file["from"] for file in platform["files"]}
        script = tar.getmember(platform["bin"])
        assert script.mode & 0o111
        assert tar.extractfile(script).read() == PLUGIN.read_bytes()  # type: ignore[union-attr]
    assert len(plugin["spec"]["shortDescription"]) <= 50  # krew's own limit
