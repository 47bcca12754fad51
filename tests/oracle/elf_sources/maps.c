/* One map of every way to define one. */
#include "words.h"

struct key {
	__u32 a;
	__u16 b[2];
};
struct value {
	__u64 count;
	char name[16];
};

struct {
	__uint(type, 1); /* hash */
	__uint(max_entries, 10240);
	__type(key, struct key);
	__type(value, struct value);
	__uint(map_flags, 1); /* BPF_F_NO_PREALLOC */
} by_key SEC(".maps");

struct {
	__uint(type, 2); /* array */
	__uint(max_entries, 7);
	__uint(key_size, 4);
	__uint(value_size, 24);
} plain SEC(".maps");

struct {
	__uint(type, 27); /* ring buffer */
	__uint(max_entries, 4096 * 4);
} events SEC(".maps");

struct {
	__uint(type, 5); /* per-CPU hash */
	__uint(max_entries, 3);
	__type(key, int);
	__type(value, __u64[4]);
	__uint(pinning, 1);
} pinned SEC(".maps");

struct {
	__uint(type, 30); /* bloom filter */
	__uint(max_entries, 100);
	__uint(value_size, 8);
	__uint(map_extra, 5);
} bloom SEC(".maps");

struct inner {
	__uint(type, 2);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, __u32);
};
struct inner first SEC(".maps");
struct inner second SEC(".maps");

struct {
	__uint(type, 12); /* array of maps */
	__uint(max_entries, 4);
	__type(key, int);
	__array(values, struct inner);
} outer SEC(".maps") = {
	.values = {[0] = &first, [3] = &second},
};

int leaf(void *ctx);
struct {
	__uint(type, 3); /* program array */
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__array(values, int(void *));
} jumps SEC(".maps") = {
	.values = {[1] = &leaf},
};

struct {
	__uint(type, 2);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, int);
} results SEC(".maps");

SEC("socket")
int leaf(void *ctx)
{
	int zero = 0;
	int *found = map_lookup(&results, &zero);
	return found ? *found : 0;
}

SEC("socket")
int root(void *ctx)
{
	struct key key = {1, {2, 3}};
	struct value *value = map_lookup(&by_key, &key);
	int zero = 0;
	void *inner = map_lookup(&outer, &zero);
	__u32 *number = inner ? map_lookup(inner, &zero) : 0;
	__u64 *sums = map_lookup(&pinned, &zero);
	__u64 one = 1;

	if (sums)
		sums[3]++;
	if (value)
		__sync_fetch_and_add(&value->count, number ? *number : 1);
	map_lookup(&plain, &zero);
	map_update(&first, &zero, &zero, 0);
	map_update(&second, &zero, &zero, 0);
	ringbuf_output(&events, &one, sizeof(one), 0);
	map_push(&bloom, &one, 0);
	tail_call(ctx, &jumps, 1);
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
