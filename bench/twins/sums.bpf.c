// sums.py as somebody would write it in C by hand.  clang -O2; SPDX-License-Identifier: GPL-2.0
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} results SEC(".maps");

SEC("xdp")
int run(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *ethernet = data;
	__u16 *words = data + sizeof(*ethernet);
	__u32 sum = 0, slot;
	__u64 *count;

	if ((void *)(ethernet + 1) > end || ethernet->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if ((void *)(words + 10) > end)
		return XDP_PASS;
	for (int i = 0; i < 10; i++)
		sum += bpf_ntohs(words[i]);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	slot = sum == 0xffff ? 0 : 1;
	count = bpf_map_lookup_elem(&results, &slot);
	if (count)
		__sync_fetch_and_add(count, 1);
	return XDP_PASS;
}
