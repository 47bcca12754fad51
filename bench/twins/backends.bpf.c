// backends.py as somebody would write it in C by hand.  clang -O2; SPDX-License-Identifier: GPL-2.0
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct client {
	__u32 address;
	__u16 port;
	__u16 padding;
};

struct backend {
	__u64 packets;
	__u64 bytes;
	__u64 weight;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct backend);
} backends SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct client);
	__type(value, __u32);
} clients SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} beespace_lost SEC(".maps");

SEC("xdp")
int run(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *ethernet = data;
	struct iphdr *ip = data + sizeof(*ethernet);
	struct tcphdr *tcp = (void *)(ip + 1);
	struct backend *backend;
	struct client client = {};
	__u32 index, *known;

	if ((void *)(ethernet + 1) > end || ethernet->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if ((void *)(ip + 1) > end || ip->protocol != IPPROTO_TCP)
		return XDP_PASS;
	if ((void *)(tcp + 1) > end)
		return XDP_DROP;
	client.address = bpf_ntohl(ip->saddr);
	client.port = bpf_ntohs(tcp->source);
	known = bpf_map_lookup_elem(&clients, &client);
	if (known) {
		index = *known;
	} else {
		index = (client.address * 2654435761U ^ client.port) & 15;
		if (bpf_map_update_elem(&clients, &client, &index, BPF_ANY)) {
			__u32 one = 1;
			__u64 *lost = bpf_map_lookup_elem(&beespace_lost, &one);

			if (lost)
				__sync_fetch_and_add(lost, 1);
		}
	}
	backend = bpf_map_lookup_elem(&backends, &index);
	if (!backend)
		return XDP_DROP;
	__sync_fetch_and_add(&backend->packets, 1);
	__sync_fetch_and_add(&backend->bytes, bpf_ntohs(ip->tot_len));
	return XDP_PASS;
}
