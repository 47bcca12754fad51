// calls.py as somebody would write it in C by hand.  clang -O2; SPDX-License-Identifier: GPL-2.0
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

const volatile __u32 only = 0;

struct call {
	__u64 started;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct call);
} open SEC(".maps");

struct histogram {
	__u64 sum;
	__u64 slots[65];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct histogram);
} latency SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} beespace_lost SEC(".maps");

/* How many bits a number has. */
static __always_inline __u32 bits(__u64 number)
{
	__u32 count = 0, shift;

	if (!number)
		return 0;
	shift = (number > 0xffffffff) << 5, number >>= shift, count += shift;
	shift = (number > 0xffff) << 4, number >>= shift, count += shift;
	shift = (number > 0xff) << 3, number >>= shift, count += shift;
	shift = (number > 0xf) << 2, number >>= shift, count += shift;
	shift = (number > 0x3) << 1, number >>= shift, count += shift;
	return count + (number >> 1) + 1;
}

SEC("tp_btf/sys_enter")
int run(void *ctx)
{
	struct call *call;

	if (bpf_get_current_pid_tgid() >> 32 != only)
		return 0;
	call = bpf_task_storage_get(&open, bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (call) {
		call->started = bpf_ktime_get_boot_ns();
	} else {
		__u32 zero = 0;
		__u64 *lost = bpf_map_lookup_elem(&beespace_lost, &zero);

		if (lost)
			__sync_fetch_and_add(lost, 1);
	}
	return 0;
}

SEC("tp_btf/sys_exit")
int done(void *ctx)
{
	struct histogram *histogram;
	struct call *call;
	__u32 slot, zero = 0;
	__u64 took;

	if (bpf_get_current_pid_tgid() >> 32 != only)
		return 0;
	call = bpf_task_storage_get(&open, bpf_get_current_task_btf(), 0, 0);
	if (!call || !call->started)
		return 0;
	took = bpf_ktime_get_boot_ns() - call->started;
	histogram = bpf_map_lookup_elem(&latency, &zero);
	if (histogram) {
		slot = bits(took);
		if (slot < 65)
			__sync_fetch_and_add(&histogram->slots[slot], 1);
		__sync_fetch_and_add(&histogram->sum, took);
	}
	call->started = 0;
	return 0;
}
