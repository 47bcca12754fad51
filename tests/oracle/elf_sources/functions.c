/* Sub-programs of every linkage, callbacks, several programs in one section, globals of every kind. */
#include "words.h"

struct pair {
	__u32 a;
	__u64 b;
};

const volatile __u32 limit = 9;
const volatile struct pair both = {.a = 3, .b = 4};
__u64 total;
static __u64 own_total;
__u32 start = 77;
static volatile __u32 own_start = 5;
__u8 flags[5] = {1, 2, 3, 4, 5};
__u64 aside SEC(".data.aside") = 42;
__u64 zeroes[3];

struct {
	__uint(type, 2);
	__uint(max_entries, 4);
	__type(key, int);
	__type(value, __u64);
} counts SEC(".maps");

static __noinline int twice(int number)
{
	own_total += number;
	return number * 2 + own_start;
}

__noinline int shared(int number)
{
	volatile int kept = number;
	return twice(kept) + limit;
}

__hidden __noinline int hidden(int number)
{
	volatile int kept = number;
	return twice(kept) - both.a;
}

__weak __noinline int weak(int number)
{
	volatile int kept = number;
	return kept ^ own_start;
}

static long each(void *map, const int *key, __u64 *value, void *ctx)
{
	total += *value;
	return 0;
}

static long again(void *map, const int *key, __u64 *value, void *ctx)
{
	total -= *value + 1;
	return 0;
}

SEC("socket")
int one(void *ctx)
{
	for_each_map_elem(&counts, each, 0, 0);
	return shared(start) + hidden(1);
}

SEC("socket")
int two(void *ctx)
{
	static const char format[] = "two %d\n";
	trace_printk(format, sizeof(format), (int)aside);
	for_each_map_elem(&counts, again, 0, 0);
	return twice(flags[2]) + weak(2) + zeroes[1] + both.b;
}

SEC("raw_tp/sched_process_exec")
int three(void *ctx)
{
	total++;
	return 0;
}

char _license[] SEC("license") = "GPL";
