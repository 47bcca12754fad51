// ranges.py as somebody would write it in C by hand.  clang -O2; SPDX-License-Identifier: GPL-2.0
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

const volatile __u32 least = 60, most = 1500, mask = 0xff00;
__u64 within, marked;

SEC("cgroup_skb/ingress")
int run(struct __sk_buff *ctx)
{
	__u32 mark;

	if (ctx->len < least || ctx->len > most)
		return 1;
	__sync_fetch_and_add(&within, 1);
	mark = ctx->mark;
	if ((mark & mask) || ctx->priority > 7)
		__sync_fetch_and_add(&marked, 1);
	return 1;
}
