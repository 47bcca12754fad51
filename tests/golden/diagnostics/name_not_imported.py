from beespace.lang import Program, raw_tracepoint


class Probe(Program):
    @raw_tracepoint("sched_process_exit")
    def on_exit(self, task):
        if exists(task.start_time):
            return
        number = u32(task.tgid)
        flags = TCP_SYN | ETH_P_IP
