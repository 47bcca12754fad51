// sessions.py as somebody would write it in C by hand.  clang -O2; SPDX-License-Identifier: GPL-2.0
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct ends {
	__u32 source;
	__u32 destination;
	__u16 source_port;
	__u16 destination_port;
};

struct traffic {
	__u64 packets;
	__u64 bytes;
	__u64 last;
};

struct session {
	__u64 time;
	struct ends ends;
	__u32 mark;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct ends);
	__type(value, struct traffic);
} sessions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} beespace_lost SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} opened SEC(".maps");

static __always_inline void count_lost(__u32 key)
{
	__u64 *value = bpf_map_lookup_elem(&beespace_lost, &key);

	if (value)
		__sync_fetch_and_add(value, 1);
}

SEC("tcx/ingress")
int run(struct __sk_buff *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *ethernet = data;
	struct iphdr *ip = data + sizeof(*ethernet);
	struct tcphdr *tcp = (void *)(ip + 1);
	struct traffic *traffic;
	struct session *event;
	struct ends ends;
	__u64 now;

	if ((void *)(tcp + 1) > end)
		return TC_ACT_OK;
	if (ethernet->h_proto != bpf_htons(ETH_P_IP) || ip->protocol != IPPROTO_TCP)
		return TC_ACT_OK;
	ends.source = bpf_ntohl(ip->saddr);
	ends.destination = bpf_ntohl(ip->daddr);
	ends.source_port = bpf_ntohs(tcp->source);
	ends.destination_port = bpf_ntohs(tcp->dest);
	now = bpf_ktime_get_boot_ns();
	traffic = bpf_map_lookup_elem(&sessions, &ends);
	if (!traffic) {
		struct traffic fresh = { 1, ctx->len, now };

		if (bpf_map_update_elem(&sessions, &ends, &fresh, BPF_ANY))
			count_lost(0);
		event = bpf_ringbuf_reserve(&opened, sizeof(*event), 0);
		if (!event) {
			count_lost(1);
			return TC_ACT_OK;
		}
		event->time = now;
		event->ends = ends;
		event->mark = ctx->mark;
		bpf_ringbuf_submit(event, 0);
		return TC_ACT_OK;
	}
	__sync_fetch_and_add(&traffic->packets, 1);
	__sync_fetch_and_add(&traffic->bytes, ctx->len);
	traffic->last = now;
	return TC_ACT_OK;
}
