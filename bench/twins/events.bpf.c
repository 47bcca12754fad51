// events.py as somebody would write it in C by hand.  clang -O2; SPDX-License-Identifier: GPL-2.0
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct opened {
	__u64 time;
	__u32 source;
	__u32 destination;
	__u16 source_port;
	__u16 destination_port;
	__u16 size;
	__u16 padding;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} total SEC(".maps");

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

static __always_inline void count(void *map, __u32 key)
{
	__u64 *value = bpf_map_lookup_elem(map, &key);

	if (value)
		__sync_fetch_and_add(value, 1);
}

SEC("xdp")
int run(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *ethernet = data;
	struct iphdr *ip = data + sizeof(*ethernet);
	struct tcphdr *tcp = (void *)(ip + 1);
	struct opened *event;

	if ((void *)(ethernet + 1) > end || ethernet->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if ((void *)(ip + 1) > end || ip->protocol != IPPROTO_TCP)
		return XDP_PASS;
	if ((void *)(tcp + 1) > end)
		return XDP_PASS;
	count(&total, 0);
	event = bpf_ringbuf_reserve(&opened, sizeof(*event), 0);
	if (!event) {
		count(&beespace_lost, 1);
		return XDP_PASS;
	}
	event->time = bpf_ktime_get_boot_ns();
	event->source = bpf_ntohl(ip->saddr);
	event->destination = bpf_ntohl(ip->daddr);
	event->source_port = bpf_ntohs(tcp->source);
	event->destination_port = bpf_ntohs(tcp->dest);
	event->size = bpf_ntohs(ip->tot_len);
	event->padding = 0;
	bpf_ringbuf_submit(event, 0);
	return XDP_PASS;
}
