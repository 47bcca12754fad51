// totals.py as somebody would write it in C by hand.  clang -O2; SPDX-License-Identifier: GPL-2.0
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

const volatile __u32 least = 100;
__u64 packets, bytes, small;
__u32 largest;

SEC("cgroup_skb/egress")
int run(struct __sk_buff *ctx)
{
	__u32 size = ctx->len;

	if (size < least) {
		__sync_fetch_and_add(&small, 1);
		return 1;
	}
	__sync_fetch_and_add(&packets, 1);
	__sync_fetch_and_add(&bytes, size);
	if (size > largest)
		largest = size;
	return 1;
}
