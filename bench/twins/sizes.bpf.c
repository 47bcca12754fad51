// sizes.py as somebody would write it in C by hand.  clang -O2; SPDX-License-Identifier: GPL-2.0
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 32);
	__type(key, __u32);
	__type(value, __u64);
} sizes SEC(".maps");

SEC("cgroup_skb/ingress")
int run(struct __sk_buff *ctx)
{
	__u32 size = ctx->len, slot = 0;
	__u64 *count;

	for (int i = 0; i < 31 && size > 1; i++) {
		size >>= 1;
		slot++;
	}
	count = bpf_map_lookup_elem(&sizes, &slot);
	if (count)
		__sync_fetch_and_add(count, 1);
	return 1;
}
