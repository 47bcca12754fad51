from beespace.lang import Program, bpf, iterator


class Probe(Program):
    @iterator("task_file")
    def on_event(self, ctx):
        socket = bpf.file_socket(ctx.file)
