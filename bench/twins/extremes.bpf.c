// extremes.py as somebody would write it in C by hand.  clang -O2; SPDX-License-Identifier: GPL-2.0
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct extremes {
	__u32 smallest;
	__u32 largest;
	__u64 total;
	__u64 count;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 256);
	__type(key, __u8);
	__type(value, struct extremes);
} extremes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} beespace_lost SEC(".maps");

SEC("xdp")
int run(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	struct extremes *found;
	__u8 protocol;
	__u32 size;

	if ((void *)(ip + 1) > end)
		return XDP_PASS;
	size = bpf_ntohs(ip->tot_len);
	protocol = ip->protocol;
	found = bpf_map_lookup_elem(&extremes, &protocol);
	if (!found) {
		struct extremes fresh = { size, size, size, 1 };

		if (bpf_map_update_elem(&extremes, &protocol, &fresh, BPF_ANY)) {
			__u32 zero = 0;
			__u64 *lost = bpf_map_lookup_elem(&beespace_lost, &zero);

			if (lost)
				__sync_fetch_and_add(lost, 1);
		}
		return XDP_PASS;
	}
	if (size < found->smallest)
		found->smallest = size;
	if (size > found->largest)
		found->largest = size;
	__sync_fetch_and_add(&found->total, size);
	__sync_fetch_and_add(&found->count, 1);
	return XDP_PASS;
}
