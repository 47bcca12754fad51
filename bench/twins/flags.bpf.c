// flags.py as somebody would write it in C by hand.  clang -O2; SPDX-License-Identifier: GPL-2.0
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
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

SEC("xdp")
int run(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *ethernet = data;
	struct iphdr *ip = data + sizeof(*ethernet);
	struct tcphdr *tcp = (void *)(ip + 1);
	__u64 *count;
	__u32 slot;

	if ((void *)(ethernet + 1) > end || ethernet->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if ((void *)(ip + 1) > end || ip->protocol != IPPROTO_TCP)
		return XDP_PASS;
	if ((void *)(tcp + 1) > end)
		return XDP_PASS;
	if (tcp->syn && !tcp->ack)
		slot = 0;
	else if (tcp->syn)
		slot = 1;
	else if (tcp->fin || tcp->rst)
		slot = 2;
	else
		slot = 3;
	count = bpf_map_lookup_elem(&counts, &slot);
	if (count)
		__sync_fetch_and_add(count, 1);
	return XDP_PASS;
}
