// The flows probe's packet path as somebody would write it in C by hand: the same headers parsed, the same
// key and value, the same table behind one slot of an array of maps, the same atomic additions, owner and times.
// `empty` is the floor: what it costs to be called at all.  clang -O2; SPDX-License-Identifier: GPL-2.0
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

enum role { UNKNOWN, CLIENT, SERVER };
enum phase { NEW, OPENING, OPEN, ASKED, TIMED };

#define SYN 2
#define RST 4
#define ACK 16

struct address {
	__u32 word[4];
};

struct owner {
	__u64 start;
	__u64 cgroup;
	__u64 netns;
	__u32 pid;
	__u32 uid;
	__u32 retransmits;
	__u32 role;
	__u32 existing;
	__u32 phase;
	__u32 spare;
	__u64 since;
	char name[16];
};

struct flow_key {
	struct address local;
	struct address remote;
	__u64 netns;
	__u16 local_port;
	__u16 remote_port;
	__u32 protocol;
};

struct flow_stats {
	__u64 tx_bytes;
	__u64 tx_packets;
	__u64 rx_bytes;
	__u64 rx_packets;
	__u64 retransmits;
	__u64 first;
	__u64 last;
	__u64 cookie;
	__u64 start;
	__u64 cgroup;
	__u32 pid;
	__u32 uid;
	__u32 rtt_us;
	__u32 rtt_var_us;
	__u32 rtt_min_us;
	__u32 connect_us;
	__u32 first_byte_us;
	__u32 tx_resets;
	__u32 rx_resets;
	__u32 tx_zero_windows;
	__u32 rx_zero_windows;
	__u32 accept_overflows;
	__u32 error;
	__u32 interface;
	__u32 state;
	__u32 role;
	__u32 owned;
	char name[16];
};

struct sock {
	__u32 sk_ack_backlog;
	__u32 sk_max_ack_backlog;
} __attribute__((preserve_access_index));

struct inet_sock {
	struct sock sk;
} __attribute__((preserve_access_index));

struct inet_connection_sock {
	struct inet_sock icsk_inet;
} __attribute__((preserve_access_index));

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 mdev_us;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct owner);
} owners SEC(".maps");

struct table {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(key_size, sizeof(struct flow_key));
	__uint(value_size, sizeof(struct flow_stats));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct table);
} flows SEC(".maps");

struct counter {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
};
struct counter lost_packets SEC(".maps");
struct counter lost_bytes SEC(".maps");
struct counter unparsed SEC(".maps");

static __always_inline void count(void *map, __u64 amount)
{
	__u32 zero = 0;
	__u64 *value = bpf_map_lookup_elem(map, &zero);

	if (value)
		*value += amount;
}

static __always_inline struct flow_stats *stats_of(struct flow_key *key)
{
	static const struct flow_stats fresh;
	struct flow_stats *stats;
	__u32 zero = 0;
	void *table = bpf_map_lookup_elem(&flows, &zero);

	if (!table)
		return NULL;
	stats = bpf_map_lookup_elem(table, key);
	if (stats)
		return stats;
	bpf_map_update_elem(table, key, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(table, key);
}

// A reset, or a window of zero, which in a SYN or a reset says nothing.
static __always_inline void disturbed(struct flow_stats *stats, __u8 flags, bool egress)
{
	if (flags & RST) {
		if (egress)
			stats->tx_resets++;
		else
			stats->rx_resets++;
	} else if (flags & ACK) {
		if (egress)
			stats->tx_zero_windows++;
		else
			stats->rx_zero_windows++;
	}
}

static __always_inline __u32 since(__u64 now, __u64 then)
{
	__u32 took = (now - then) / 1000;

	return took ?: 1;
}

// The first packets of a connection: how long its opening took, and its first answer.
static __always_inline void timed(struct owner *owner, struct flow_stats *stats, __u8 flags, bool egress, bool payload)
{
	__u64 now = bpf_ktime_get_boot_ns();

	if (flags & SYN) {
		if (egress && owner->phase == NEW) {
			owner->phase = OPENING;
			owner->since = now;
		} else if (!egress && owner->phase == OPENING) {
			stats->connect_us = since(now, owner->since);
			owner->phase = OPEN;
			owner->since = now;
		}
	} else if (payload) {
		bool asks = egress == (owner->role == CLIENT);

		if (asks && owner->phase != ASKED) {
			owner->phase = ASKED;
			owner->since = now;
		} else if (!asks) {
			if (owner->phase != NEW)
				stats->first_byte_us = since(now, owner->since);
			owner->phase = TIMED;
		}
	}
}

static __always_inline int account(struct __sk_buff *skb, bool egress)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u32 header, payload;
	__u64 packets = 1, length, now;
	struct flow_key key = {};
	struct flow_stats *stats;
	struct bpf_tcp_sock *tcp_sock;
	struct bpf_sock *sk;
	struct owner *owner;
	struct iphdr *ip = data;
	bool stalled = false, whole = true;
	__u8 flags = 0;
	__u32 state;

	if ((void *)(ip + 1) > end) {
		count(&unparsed, 1);
		return 1;
	}
	if (ip->version == 4) {
		header = ip->ihl * 4;
		key.protocol = ip->protocol;
		whole = !(ip->frag_off & bpf_htons(0x1fff));
		key.local.word[2] = key.remote.word[2] = bpf_htonl(0xffff);
		key.local.word[3] = egress ? ip->saddr : ip->daddr;
		key.remote.word[3] = egress ? ip->daddr : ip->saddr;
	} else {
		struct ipv6hdr *ip6 = data;
		__u32 following;

		if ((void *)(ip6 + 1) > end) {
			count(&unparsed, 1);
			return 1;
		}
		__builtin_memcpy(&key.local, egress ? &ip6->saddr : &ip6->daddr, 16);
		__builtin_memcpy(&key.remote, egress ? &ip6->daddr : &ip6->saddr, 16);
		header = 40;
		following = ip6->nexthdr;
		for (int i = 0; i < 4; i++) {
			__u8 *extension = data + header;

			if (following != IPPROTO_HOPOPTS && following != IPPROTO_ROUTING &&
			    following != IPPROTO_DSTOPTS && following != IPPROTO_FRAGMENT)
				break;
			if (header > 4096 || (void *)(extension + 4) > end)
				break;
			if (following == IPPROTO_FRAGMENT) {
				whole = !(*(__be16 *)(extension + 2) & bpf_htons(0xfff8));
				header += 8;
			} else {
				header += (extension[1] + 1) * 8;
			}
			following = extension[0];
		}
		key.protocol = following;
	}

	if (whole && key.protocol == IPPROTO_TCP && header <= 4096) {
		struct tcphdr *tcp = data + header;

		if ((void *)(tcp + 1) <= end) {
			key.local_port = bpf_ntohs(egress ? tcp->source : tcp->dest);
			key.remote_port = bpf_ntohs(egress ? tcp->dest : tcp->source);
			flags = ((__u8 *)tcp)[13];
			stalled = !tcp->window;
			header += tcp->doff * 4;
		}
	} else if (whole && key.protocol == IPPROTO_UDP && header <= 4096) {
		struct udphdr *udp = data + header;

		if ((void *)(udp + 1) <= end) {
			key.local_port = bpf_ntohs(egress ? udp->source : udp->dest);
			key.remote_port = bpf_ntohs(egress ? udp->dest : udp->source);
			header += 8;
		}
	}

	if (skb->gso_size) {
		payload = skb->len - header;
		packets = skb->gso_segs ?: (payload + skb->gso_size - 1) / skb->gso_size;
	}
	length = skb->len + (packets - 1) * header;

	sk = skb->sk;
	if (sk)
		sk = bpf_sk_fullsock(sk);
	owner = sk ? bpf_sk_storage_get(&owners, sk, NULL, 0) : NULL;
	if (owner)
		key.netns = owner->netns;
	stats = stats_of(&key);
	if (!stats) {
		count(&lost_packets, packets);
		count(&lost_bytes, length);
		return 1;
	}
	if (egress) {
		__sync_fetch_and_add(&stats->tx_packets, packets);
		__sync_fetch_and_add(&stats->tx_bytes, length);
	} else {
		__sync_fetch_and_add(&stats->rx_packets, packets);
		__sync_fetch_and_add(&stats->rx_bytes, length);
	}
	now = bpf_ktime_get_boot_ns();
	if (!stats->first)
		stats->first = now;
	stats->last = now;
	stats->interface = skb->ifindex;
	if (stalled || flags & RST)
		disturbed(stats, flags, egress);
	if (!sk)
		return 1;
	stats->cookie = bpf_get_socket_cookie(skb);
	state = sk->state;
	stats->state = state;
	if (state == BPF_TCP_LISTEN) {
		stats->state = BPF_TCP_SYN_RECV;
		if (!egress) {
			struct tcp_sock *listener = bpf_skc_to_tcp_sock(sk);

			if (listener) {
				struct sock *full = &listener->inet_conn.icsk_inet.sk;

				if (full->sk_ack_backlog > full->sk_max_ack_backlog)
					stats->accept_overflows++;
			}
		}
	}
	if (!owner)
		return 1;
	if (key.protocol == IPPROTO_TCP) {
		if ((flags & (SYN | ACK)) == SYN)
			owner->role = egress ? CLIENT : SERVER;
		if (owner->phase != TIMED && state != BPF_TCP_LISTEN)
			timed(owner, stats, flags, egress, skb->len > header);
		tcp_sock = bpf_tcp_sock(sk);
		if (tcp_sock) {
			__u32 rtt = tcp_sock->srtt_us >> 3;
			__u64 retransmits;

			if (rtt != stats->rtt_us) {
				struct tcp_sock *all;

				stats->rtt_us = rtt;
				stats->rtt_min_us = tcp_sock->rtt_min;
				all = bpf_skc_to_tcp_sock(sk);
				if (all)
					stats->rtt_var_us = all->mdev_us >> 2;
			}
			if (owner->existing) {
				owner->existing = 0;
				owner->retransmits = tcp_sock->total_retrans;
			}
			retransmits = tcp_sock->total_retrans - owner->retransmits;
			if (retransmits > stats->retransmits)
				stats->retransmits = retransmits;
		}
	} else if (owner->role == UNKNOWN && !owner->existing) {
		owner->role = egress ? CLIENT : SERVER;
	}
	stats->role = owner->role;
	stats->start = owner->start;
	stats->cgroup = owner->cgroup;
	stats->pid = owner->pid;
	stats->uid = owner->uid;
	__builtin_memcpy(stats->name, owner->name, sizeof(stats->name));
	stats->owned = 1;
	return 1;
}

SEC("cgroup_skb/egress")
int on_egress(struct __sk_buff *skb)
{
	return account(skb, true);
}

SEC("cgroup_skb/ingress")
int on_ingress(struct __sk_buff *skb)
{
	return account(skb, false);
}

struct task_struct {
	struct task_struct *group_leader;
	__u64 start_boottime;
} __attribute__((preserve_access_index));

SEC("cgroup/sock_create")
int on_create(struct bpf_sock *ctx)
{
	struct owner *owner = bpf_sk_storage_get(&owners, ctx, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	struct task_struct *task = bpf_get_current_task_btf();

	if (!owner)
		return 1;
	owner->netns = bpf_get_netns_cookie(ctx);
	owner->start = task->group_leader->start_boottime;
	owner->cgroup = bpf_get_current_cgroup_id();
	owner->pid = bpf_get_current_pid_tgid() >> 32;
	owner->uid = bpf_get_current_uid_gid();
	bpf_get_current_comm(owner->name, sizeof(owner->name));
	return 1;
}

SEC("cgroup_skb/egress")
int empty(struct __sk_buff *skb)
{
	return 1;
}
