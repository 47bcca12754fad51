// mixing.py as somebody would write it in C by hand.  clang -O2; SPDX-License-Identifier: GPL-2.0
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#define BASIS 2166136261U
#define PRIME 16777619U

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} slots SEC(".maps");

static __noinline __u32 mix(__u32 start, __u32 word)
{
	for (int i = 0; i < 4; i++)
		start = (start ^ (word >> (i * 8) & 0xff)) * PRIME;
	return start;
}

SEC("xdp")
int run(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	__u32 mixed;
	__u64 *slot;

	if ((void *)(ip + 1) > end)
		return XDP_PASS;
	mixed = mix(mix(BASIS, bpf_ntohl(ip->saddr)), bpf_ntohl(ip->daddr)) & 63;
	slot = bpf_map_lookup_elem(&slots, &mixed);
	if (slot)
		__sync_fetch_and_add(slot, 1);
	return XDP_PASS;
}
