// flow_table.py as somebody would write it in C by hand.  clang -O2; SPDX-License-Identifier: GPL-2.0
#include <linux/bpf.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct flow {
	__u32 source;
	__u32 destination;
	__u16 source_port;
	__u16 destination_port;
	__u8 protocol;
	__u8 padding[3];
};

struct stats {
	__u64 packets;
	__u64 bytes;
	__u64 first;
	__u64 last;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct flow);
	__type(value, struct stats);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} beespace_lost SEC(".maps");

SEC("cgroup_skb/egress")
int run(struct __sk_buff *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data;
	struct flow flow = {};
	struct stats *stats;
	struct tcphdr *tcp;
	__u64 now;

	if ((void *)(ip + 1) > end || ip->version != 4)
		return 1;
	flow.source = bpf_ntohl(ip->saddr);
	flow.destination = bpf_ntohl(ip->daddr);
	flow.protocol = ip->protocol;
	tcp = data + ip->ihl * 4;
	if ((void *)(tcp + 1) <= end) {
		flow.source_port = bpf_ntohs(tcp->source);
		flow.destination_port = bpf_ntohs(tcp->dest);
	}
	stats = bpf_map_lookup_elem(&flows, &flow);
	if (!stats) {
		struct stats empty = {};

		bpf_map_update_elem(&flows, &flow, &empty, BPF_NOEXIST);
		stats = bpf_map_lookup_elem(&flows, &flow);
		if (!stats) {
			__u32 zero = 0;
			__u64 *lost = bpf_map_lookup_elem(&beespace_lost, &zero);

			if (lost)
				__sync_fetch_and_add(lost, 1);
			return 1;
		}
	}
	now = bpf_ktime_get_boot_ns();
	if (!stats->first)
		stats->first = now;
	stats->last = now;
	__sync_fetch_and_add(&stats->packets, 1);
	__sync_fetch_and_add(&stats->bytes, ctx->len);
	return 1;
}
