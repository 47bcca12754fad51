// services.py as somebody would write it in C by hand.  clang -O2; SPDX-License-Identifier: GPL-2.0
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

SEC("xdp")
int run(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *ethernet = data;
	__u32 slot = 15;
	__u64 *count;

	if ((void *)(ethernet + 1) > end)
		return XDP_PASS;
	if (ethernet->h_proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = (void *)(ethernet + 1);

		if ((void *)(ip + 1) > end)
			return XDP_PASS;
		switch (ip->protocol) {
		case IPPROTO_TCP: {
			struct tcphdr *tcp = (void *)ip + ip->ihl * 4;

			if ((void *)(tcp + 1) > end)
				return XDP_PASS;
			switch (bpf_ntohs(tcp->dest)) {
			case 80:
			case 8080:
				slot = 0;
				break;
			case 443:
				slot = 1;
				break;
			case 22:
				slot = 2;
				break;
			default:
				slot = 3;
			}
			break;
		}
		case IPPROTO_UDP: {
			struct udphdr *udp = (void *)ip + ip->ihl * 4;

			if ((void *)(udp + 1) > end)
				return XDP_PASS;
			switch (bpf_ntohs(udp->dest)) {
			case 53:
				slot = 4;
				break;
			case 443:
				slot = 5;
				break;
			default:
				slot = 6;
			}
			break;
		}
		case IPPROTO_ICMP:
			slot = 7;
			break;
		default:
			slot = 8;
		}
	} else if (ethernet->h_proto == bpf_htons(ETH_P_IPV6)) {
		slot = 9;
	}
	count = bpf_map_lookup_elem(&seen, &slot);
	if (count)
		__sync_fetch_and_add(count, 1);
	return XDP_PASS;
}
