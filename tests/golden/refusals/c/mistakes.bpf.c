/* Programs that the verifier refuses, one mistake each: what a loader of C objects has to explain. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct entry {
	struct bpf_spin_lock lock;
	__u64 hits;
	char name[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct entry);
} entries SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u64);
	__type(value, __u64);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} calls SEC(".maps");

const volatile __u64 limit = 7;

SEC("tc") int null_value(struct __sk_buff *skb)
{
	__u64 key = skb->mark;
	__u64 *count = bpf_map_lookup_elem(&counts, &key);

	*count += 1;
	return 0;
}

SEC("tc") int outside_value(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct entry *entry = bpf_map_lookup_elem(&entries, &key);

	if (!entry)
		return 0;
	return entry->name[skb->mark & 31];
}

SEC("tc") int unreleased(struct __sk_buff *skb)
{
	__u64 *event = bpf_ringbuf_reserve(&events, 8, 0);

	if (!event)
		return 0;
	if (skb->len < 64)
		return 0;
	*event = skb->len;
	bpf_ringbuf_submit(event, 0);
	return 0;
}

SEC("tc") int after_submit(struct __sk_buff *skb)
{
	__u64 *event = bpf_ringbuf_reserve(&events, 8, 0);

	if (!event)
		return 0;
	bpf_ringbuf_submit(event, 0);
	*event = skb->len;
	return 0;
}

SEC("tc") int packet_end(struct __sk_buff *skb)
{
	unsigned char *data = (void *)(long)skb->data;

	return data[12];
}

SEC("tc") int number_as_pointer(struct __sk_buff *skb)
{
	__u64 *where = (void *)(long)skb->mark;

	return *(volatile __u64 *)where;
}

SEC("tc") int context_write(struct __sk_buff *skb)
{
	skb->len = 5;
	return 0;
}

SEC("cgroup_skb/egress") int verdict(struct __sk_buff *skb)
{
	return skb->mark;
}

SEC("tc") int lock_at_exit(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct entry *entry = bpf_map_lookup_elem(&entries, &key);

	if (!entry)
		return 0;
	bpf_spin_lock(&entry->lock);
	entry->hits++;
	if (skb->len > 100)
		return 0;
	bpf_spin_unlock(&entry->lock);
	return 0;
}

SEC("tc") int call_under_lock(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct entry *entry = bpf_map_lookup_elem(&entries, &key);

	if (!entry)
		return 0;
	bpf_spin_lock(&entry->lock);
	entry->hits = bpf_ktime_get_ns();
	bpf_spin_unlock(&entry->lock);
	return 0;
}

SEC("raw_tp/sched_process_exit") int sleeping_helper(void *ctx)
{
	__u64 word = 0;

	bpf_copy_from_user(&word, sizeof(word), (void *)4096);
	return word;
}

static __attribute__((noinline)) int third(char *from)
{
	volatile char room[240] = {};

	room[bpf_get_smp_processor_id() & 127] = from[0];
	return room[5];
}

static __attribute__((noinline)) int second(char *from)
{
	char room[240] = {};

	room[3] = from[0];
	return third(room) + room[bpf_get_smp_processor_id() & 127];
}

SEC("tc") int deep_stack(struct __sk_buff *skb)
{
	char room[240] = {};

	room[1] = skb->len;
	return second(room) + room[bpf_get_smp_processor_id() & 127];
}

static __attribute__((noinline)) int jump(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &calls, 0);
	return 1;
}

SEC("tc") int deep_tail_call(struct __sk_buff *skb)
{
	volatile char room[300] = {};

	room[skb->len & 127] = 1;
	return jump(skb) + room[3];
}

SEC("tc") int map_operation(struct __sk_buff *skb)
{
	__u64 value = skb->len;

	return bpf_map_push_elem(&counts, &value, 0);
}

SEC("tc") int pointer_arithmetic(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct entry *entry = bpf_map_lookup_elem(&entries, &key);

	if (!entry)
		return 0;
	return (__u64)entry * 3;
}

SEC("tc") int pointer_sum(struct __sk_buff *skb)
{
	char *moved = (char *)skb + skb->len;

	return *(volatile int *)moved;
}

SEC("tc") int unwritten_key(struct __sk_buff *skb)
{
	__u64 key;
	__u64 *count = bpf_map_lookup_elem(&counts, &key);

	return count ? *count : 0;
}

SEC("tc") int endless(struct __sk_buff *skb)
{
	__u32 seen = 0;

	while (seen < 10)
		bpf_get_prandom_u32();
	return seen;
}

SEC("raw_tp/sched_process_exit") int unbounded_size(struct bpf_raw_tracepoint_args *ctx)
{
	char room[64] = {};
	__u64 size = ctx->args[1];

	bpf_probe_read_kernel(room, size, (void *)ctx->args[0]);
	return room[3];
}

SEC("raw_tp/sched_process_exit") int negative_size(struct bpf_raw_tracepoint_args *ctx)
{
	char room[64] = {};
	int size = ctx->args[1];

	if (size > 64)
		return 0;
	bpf_probe_read_kernel(room, size, (void *)ctx->args[0]);
	return room[3];
}

/*
 * Not here: a write to `limit`. The language calls that undefined,
 * so clang leaves it out, and the verifier sees nothing to refuse.
 */


SEC("tc") int no_result(struct __sk_buff *skb)
{
	register int result;

	asm volatile("" : "=r"(result));
	return result;
}
