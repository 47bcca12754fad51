// methods.py as somebody would write it in C by hand.  clang -O2; SPDX-License-Identifier: GPL-2.0
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} methods SEC(".maps");

SEC("xdp")
int run(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *ethernet = data;
	struct iphdr *ip = data + sizeof(*ethernet);
	char *line = (void *)(ip + 1) + sizeof(struct tcphdr);
	__u32 slot = 3;
	__u64 *count;

	if ((void *)(line + 8) > end)
		return XDP_PASS;
	if (ethernet->h_proto != bpf_htons(ETH_P_IP) || ip->protocol != IPPROTO_TCP)
		return XDP_PASS;
	if (line[0] == 'G' && line[1] == 'E' && line[2] == 'T' && line[3] == ' ')
		slot = 0;
	else if (line[0] == 'P' && line[1] == 'O' && line[2] == 'S' && line[3] == 'T' && line[4] == ' ')
		slot = 1;
	else if (line[0] == 'H' && line[1] == 'E' && line[2] == 'A' && line[3] == 'D' && line[4] == ' ')
		slot = 2;
	count = bpf_map_lookup_elem(&methods, &slot);
	if (count)
		__sync_fetch_and_add(count, 1);
	return XDP_PASS;
}
