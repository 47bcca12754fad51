from beespace.kernel import task_struct
from beespace.lang import Array, Hash, Program, Struct, bpf, function, tc
from beespace.types import Kptr, LinkedList, ListNode, SpinLock, Tree, TreeNode
from beespace.types import kptr, linked_list, list_node, spin_lock, tree, tree_node, u32, u64


class Job(Struct):
    link: ListNode = list_node()
    number: u64


class Jobs(Struct):
    lock: SpinLock = spin_lock()
    waiting: LinkedList[Job] = linked_list(Job)


class Bare(Struct):
    waiting: LinkedList[Job] = linked_list(Job)


class Event(Struct):
    place: TreeNode = tree_node()
    due: u64

    def __lt__(self, other: "Event"):
        return self.due - other.due


class Agenda(Struct):
    lock: SpinLock = spin_lock()
    events: Tree[Event] = tree(Event)


class Slot(Struct):
    job: Kptr = kptr(Job)
    task: Kptr = kptr(task_struct)


class Probe(Program):
    queues = Array(Jobs, 1)
    bare = Array(Bare, 1)
    agendas = Array(Agenda, 1)
    jobs = Hash(key=u32, value=Job)
    slots = Array(Slot, 1)

    @tc("ingress")
    def on_packet(self, ctx):
        queue = self.queues[0]
        job = bpf.new(Job)
        with queue.lock:
            queue.waiting.append(job)
        if job is None:
            return
        queue.waiting.append(job)
        other = job
        job.link.append(job)
        self.jobs[1] = job
        with queue.lock:
            queue.waiting.append(job)
        job.number = 1
        with self.bare[0].lock:
            pass
        self.bare[0].waiting.append(job)

    @tc("ingress")
    def on_other(self, ctx):
        queue = self.queues[0]
        found = bpf.new(u32)
        for number in range(4):
            each = bpf.new(Job)
            if each is None:
                break
            if number == 2:
                with queue.lock:
                    queue.waiting.append(each)
            each.number = 2
        each.number = 3
        kept = self.make()
        local = Job()
        with queue.lock:
            first = queue.waiting.first()
            queue.waiting.append(local)
            made = bpf.new(Job)
        if first is not None:
            pass
        mine = bpf.new(Job)
        if mine is not None:
            self.put(mine)
            del mine
            mine.number = 1

    @tc("ingress")
    def on_tree(self, ctx):
        agenda = self.agendas[0]
        event = bpf.new(Event)
        if event is None:
            return
        with agenda.lock:
            agenda.events.remove(event)
        with agenda.lock:
            agenda.events.pop()
        with agenda.lock:
            agenda.events.add(event)

    @tc("ingress")
    def on_kept(self, ctx):
        slot = self.slots[0]
        job = slot.job.get()
        task = slot.task.take()
        other = bpf.new(Event)
        if other is not None:
            slot.job.store(other)
        slot.job.take()

    @function
    def make(self):
        return bpf.new(Job)

    @function
    def put(self, job: Job):
        queue = self.queues[0]
        with queue.lock:
            queue.waiting.append(job)
