from beespace.lang import Program, bpf, iterator


class Probe(Program):
    @iterator("task_file")
    def on_event(self, ctx):
        file = ctx.file
        if file is None:
            return
        socket = bpf.file_socket(file)
        if socket is None:
            return
        self.family = socket.sk.__sk_common.skc_family
