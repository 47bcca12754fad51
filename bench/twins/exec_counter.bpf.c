// examples/exec_counter.py as somebody would write it in C by hand.  clang -O2; SPDX-License-Identifier: GPL-2.0
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

const volatile __u32 min_uid = 0;

struct exec {
	__u64 time;
	__u64 cgroup;
	__u32 pid;
	char comm[16];
	char path[256];
};


struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} total SEC(".maps"), lost SEC(".maps");

struct comm {
	char text[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 10240);
	__type(key, struct comm);
	__type(value, __u64);
} by_comm SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} execs SEC(".maps");

struct context {
	__u64 common;
	__u32 filename; /* offset and length */
	__s32 pid;
	__s32 old_pid;
};

static __always_inline void count(void *map)
{
	__u32 zero = 0;
	__u64 *value = bpf_map_lookup_elem(map, &zero);

	if (value)
		*value += 1;
}

SEC("tracepoint/sched/sched_process_exec")
int on_exec(struct context *ctx)
{
	__u64 one = 1, *number;
	struct exec *event;
	struct comm comm;

	if ((__u32)bpf_get_current_uid_gid() < min_uid)
		return 0;
	count(&total);
	bpf_get_current_comm(&comm, sizeof(comm));
	number = bpf_map_lookup_elem(&by_comm, &comm);
	if (number) {
		__sync_fetch_and_add(number, 1);
	} else if (bpf_map_update_elem(&by_comm, &comm, &one, BPF_NOEXIST)) {
		number = bpf_map_lookup_elem(&by_comm, &comm);
		if (number)
			__sync_fetch_and_add(number, 1);
		else
			count(&lost);
	}
	event = bpf_ringbuf_reserve(&execs, sizeof(*event), 0);
	if (!event) {
		count(&lost);
		return 0;
	}
	__builtin_memset(event, 0, sizeof(*event));
	event->time = bpf_ktime_get_boot_ns();
	event->pid = bpf_get_current_pid_tgid() >> 32;
	event->cgroup = bpf_get_current_cgroup_id();
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	bpf_probe_read_kernel_str(event->path, sizeof(event->path), (void *)ctx + (ctx->filename & 0xffff));
	bpf_ringbuf_submit(event, 0);
	return 0;
}
