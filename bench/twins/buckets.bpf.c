// buckets.py as somebody would write it in C by hand.  clang -O2; SPDX-License-Identifier: GPL-2.0
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#define SECOND 1000000000ULL

struct bucket {
	__u64 tokens;
	__u64 filled;
};

const volatile __u64 rate = 1000;
const volatile __u64 burst = 5000;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct bucket);
} buckets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} dropped SEC(".maps"), beespace_lost SEC(".maps");

static __always_inline void count(void *map)
{
	__u32 zero = 0;
	__u64 *value = bpf_map_lookup_elem(map, &zero);

	if (value)
		__sync_fetch_and_add(value, 1);
}

SEC("xdp")
int run(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *ethernet = data;
	struct iphdr *ip = data + sizeof(*ethernet);
	struct bucket *bucket;
	__u64 now, gained;
	__u32 source;

	if ((void *)(ethernet + 1) > end || ethernet->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if ((void *)(ip + 1) > end)
		return XDP_PASS;
	now = bpf_ktime_get_boot_ns();
	source = bpf_ntohl(ip->saddr);
	bucket = bpf_map_lookup_elem(&buckets, &source);
	if (!bucket) {
		struct bucket fresh = { .tokens = burst, .filled = now };

		if (bpf_map_update_elem(&buckets, &source, &fresh, BPF_ANY))
			count(&beespace_lost);
		return XDP_PASS;
	}
	gained = (now - bucket->filled) * rate / SECOND;
	if (gained > 0) {
		__u64 tokens = bucket->tokens + gained;

		bucket->tokens = tokens < burst ? tokens : burst;
		bucket->filled = now;
	}
	if (bucket->tokens == 0) {
		count(&dropped);
		return XDP_DROP;
	}
	bucket->tokens--;
	return XDP_PASS;
}
