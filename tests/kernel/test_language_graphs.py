"""Lists and trees of objects that programs make, in map values."""

from __future__ import annotations

import pytest

from beespace.lang import Array, Counter, Global, Hash, Program, Struct, bpf, function, tc
from beespace.types import (
    LinkedList,
    ListNode,
    SpinLock,
    Text,
    Tree,
    TreeNode,
    array,
    linked_list,
    list_node,
    spin_lock,
    text,
    tree,
    tree_node,
    u32,
    u64,
)

pytestmark = pytest.mark.kernel

PACKET = bytes(64)


class Job(Struct):
    number: u64
    name: Text = text(16)
    link: ListNode = list_node()


class Jobs(Struct):
    lock: SpinLock = spin_lock()
    waiting: LinkedList[Job] = linked_list(Job)
    length: u64


class Lists(Program):
    queues = Array(Jobs, 1)
    results = Array(u64, 16)
    taken = Global(u64)

    @tc("ingress")
    def put(self, ctx):
        queue = self.queues[0]
        for number in range(5):
            job = bpf.new(Job)
            if job is None:
                return
            job.number = u64(number) + 1
            job.name = "a job"
            if number == 3:
                continue  # freed
            with queue.lock:
                if number % 2 == 0:
                    queue.waiting.append(job)
                else:
                    queue.waiting.appendleft(job)
                queue.length = queue.length + 1

    @tc("ingress")
    def take(self, ctx):
        queue = self.queues[0]
        at: u32 = 0
        for _ in range(8):
            with queue.lock:
                job = queue.waiting.popleft()
            if job is None:
                break
            if job.name == "a job":
                self.results[at % 16] = job.number
            at += 1
        self.taken.value += at

    @tc("ingress")
    def last(self, ctx):
        queue = self.queues[0]
        with queue.lock:
            job = queue.waiting.pop()
        if job is not None:
            self.note(job)
            other = bpf.new(Job)
            if other is not None and other.number == 0 and other.name == "":
                self.results[1] = 77
            del other
            with queue.lock:
                queue.waiting.append(job)

    @function
    def note(self, job: Job):
        self.results[0] = job.number + 100
        job.number += 1000


def test_a_list(loaded_probe) -> None:
    probe = loaded_probe(Lists)
    run = {name: probe.loaded.programs[name].test_run for name in ("put", "take", "last")}
    run["put"](PACKET)
    assert probe.queues[0].length == 4
    run["last"](PACKET)
    assert (probe.results[0], probe.results[1]) == (105, 77)
    run["take"](PACKET)
    assert [probe.results[number] for number in range(4)] == [2, 1, 3, 1005]
    assert probe.taken.value == 4
    run["put"](PACKET)  # what is left goes with the map


class Event(Struct):
    due: u64
    place: TreeNode = tree_node()
    number: u32

    def __lt__(self, other: Event) -> bool:
        return self.due < other.due


class Agenda(Struct):
    total: u64
    lock: SpinLock = spin_lock()
    events: Tree[Event] = tree(Event)


class Trees(Program):
    agendas = Hash(key=u32, value=Agenda)
    results = Array(u64, 16)
    order = Array(u64, 16)

    @tc("ingress")
    def put(self, ctx):
        agenda = self.agendas.get_or_create(7)
        if agenda is None:
            return
        for number in range(6):
            event = bpf.new(Event)
            if event is None:
                return
            event.number = u32(number)
            event.due = self.order[number]
            with agenda.lock:
                agenda.events.add(event)

    @tc("ingress")
    def take(self, ctx):
        agenda = self.agendas.get(7)
        if agenda is None:
            return
        with agenda.lock:
            first = agenda.events.first()
            if first is not None:
                agenda.total = first.due
        self.results[15] = agenda.total
        for at in range(4):
            with agenda.lock:
                event = agenda.events.popleft()
            if event is None:
                return
            self.results[at] = event.due * 10 + u64(event.number)
            if at == 3:
                with agenda.lock:
                    agenda.events.add(event)
        with agenda.lock:
            first = agenda.events.first()
            if first is not None and first.due == 40:
                out = agenda.events.remove(first)
                if out is not None:
                    agenda.total = agenda.total + out.due
        self.results[13] = agenda.total
        with agenda.lock:
            one = agenda.events.popleft()
        if one is not None:
            self.results[14] = one.due


def test_a_tree(loaded_probe) -> None:
    probe = loaded_probe(Trees)
    for at, due in enumerate([50, 10, 40, 20, 60, 30]):
        probe.order[at] = due
    probe.loaded.programs["put"].test_run(PACKET)
    probe.loaded.programs["take"].test_run(PACKET)
    found = [probe.results[number] for number in (0, 1, 2, 3, 13, 14, 15)]
    assert found == [101, 203, 305, 402, 50, 50, 10]


class Point(Struct):
    x: u32
    y: u32


class Task(Struct):
    where: Point
    link: ListNode = list_node()
    number: u64
    points: list[Point] = array(Point, 2)
    flag: bool
    sizes: list[u32] = array(u32, 4)


class Tasks(Struct):
    lock: SpinLock = spin_lock()
    waiting: LinkedList[Task] = linked_list(Task)
    length: u64


class Drain(Program):
    """Every way out of loops, a loop that the kernel calls, fields of all kinds."""

    queues = Array(Tasks, 2)
    results = Array(u64, 8)
    kept = Hash(key=u32, value=Point)
    drained = Counter()

    @tc("ingress")
    def put(self, ctx):
        queue = self.queues[0]
        for number in range(20):
            job = bpf.new(Task)
            if job is None:
                return
            job.number = u64(number)
            job.where = Point(x=u32(number), y=2)
            job.points[number % 2].x = 7
            job.sizes[number % 4] += 3
            job.flag = True
            assert job.number < 100
            if number == 18:
                return
            with queue.lock:
                queue.waiting.append(job)

    @tc("ingress")
    def drain(self, ctx):
        queue = self.queues[0]
        while True:
            with queue.lock:
                job = queue.waiting.popleft()
            if job is None:
                break
            self.drained += 1
            self.kept[u32(job.number)] = job.where
            if job.flag and job.points[1].x == 7 and job.sizes[1] == 3:
                self.results[0] = self.results[0] + 1
            if job.number == 5:
                other = self.queues[1]
                with other.lock:
                    other.waiting.append(job)
                continue

    @tc("ingress")
    def outer(self, ctx):
        queue = self.queues[1]
        best = None
        for _ in range(4):
            with queue.lock:
                job = queue.waiting.popleft()
            if job is None:
                break
            job.number += 1
            with queue.lock:
                queue.waiting.append(job)
        with queue.lock:
            best = queue.waiting.popleft()
        if best is not None:
            self.results[1] = best.number


def test_a_list_that_is_drained(loaded_probe) -> None:
    probe = loaded_probe(Drain)
    probe.loaded.programs["put"].test_run(bytes(64))
    probe.loaded.programs["drain"].test_run(bytes(64))
    assert probe.drained.value == 18
    assert probe.results[0] == 5
    assert probe.kept[17] == Point(x=17, y=2)
    probe.loaded.programs["outer"].test_run(bytes(64))
    assert probe.results[1] == 9


class Peeks(Program):
    """What a list shows and keeps (Linux 6.16)."""

    queues = Array(Jobs, 1)
    results = Array(u64, 4)

    @tc("ingress")
    def run(self, ctx):
        queue = self.queues[0]
        for number in range(3):
            job = bpf.new(Job)
            if job is None:
                return
            job.number = u64(number) + 10
            with queue.lock:
                queue.waiting.append(job)
        ends: u64 = 0
        with queue.lock:
            first = queue.waiting.first()
            last = queue.waiting.last()
            if first is not None and last is not None:
                ends = first.number * 100 + last.number
                first.number = 5
        self.results[0] = ends
        with queue.lock:
            job = queue.waiting.popleft()
        if job is not None:
            self.results[1] = job.number


def test_the_ends_of_a_list(loaded_probe) -> None:
    probe = loaded_probe(Peeks)
    probe.loaded.programs["run"].test_run(PACKET)
    assert [probe.results[0], probe.results[1]] == [1012, 5]
