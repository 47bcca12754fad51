// The libbpf loader that bench/loading.py holds beespace against: open, load, attach, say so, wait for the end of input.
#include <bpf/libbpf.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    struct bpf_object *object = bpf_object__open_file(argv[1], NULL);
    struct bpf_program *program;
    if (!object || bpf_object__load(object))
        return 1;
    bpf_object__for_each_program(program, object)
        if (!bpf_program__attach(program))
            return 1;
    puts("attached");
    fflush(stdout);
    getchar();
    return argc < 1;
}
