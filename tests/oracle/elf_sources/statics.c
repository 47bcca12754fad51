/* What libbpf 1.1 refuses or sees otherwise, and others take: static maps, static functions outside of .text,
 * .bss.NAME, 64-bit numbers in map definitions, hidden variables, strings that clang moves to another section
 * without telling the BTF. */
#include "words.h"

static struct {
	__uint(type, 2);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, int);
} first SEC(".maps"), second SEC(".maps");

struct {
	__uint(type, 30); /* bloom filter */
	__uint(max_entries, 100);
	__uint(value_size, 8);
	enum { hash_functions = 0x500000005 } map_extra;
} bloom SEC(".maps");

__hidden __u32 shy = 6;
const volatile __u32 limit = 9;
static const char table[] = "abcdefgh";
extern const int bpf_prog_active __ksym;
__u64 zeroes[3] SEC(".bss.more");

__attribute__((section("socket"))) static __noinline int beside(int number)
{
	volatile int kept = number;
	return kept + zeroes[1] + shy;
}

SEC("?raw_tp/sched_process_exec/any/text")
int root(void *ctx)
{
	int zero = 0;
	int *one = map_lookup(&first, &zero), *two = map_lookup(&second, &zero);
	__u64 number = table[limit & 7];
	map_push(&bloom, &number, 0);
	number += (__u64)&bpf_prog_active;
	return number + beside(one ? *one : 0) + beside(two ? *two : 1);
}

char _license[] SEC("license") = "GPL";
