/* Data sections of every kind, functions of every kind, several programs in a section. */
#include "words.h"

const volatile __u64 limit = 5;
const volatile char wide[24] __attribute__((section(".rodata.wide"), aligned(32))) = "wide";
__u32 custom SEC(".data.custom") = 7;
__u8 narrow SEC(".data.custom") = 1;
__u64 aligned_one SEC(".data.custom") __attribute__((aligned(64))) = 9;
__u32 zeroes[5];
static volatile __u32 own = 3;
static volatile __u32 own_zero;
__u16 last = 12;

__attribute__((noinline)) int global_function(__u64 x) { return x > limit; }
__weak __attribute__((noinline)) int weak_function(__u64 x) { own_zero++; return x & own; }
__hidden __attribute__((noinline)) int hidden_function(__u64 *x) { return *x > 1 ? custom : narrow; }
static __attribute__((noinline)) int static_function(__u64 x) { zeroes[x & 3]++; return last + wide[x & 15]; }

SEC("tc") int first_of_two_with_a_long_name(void *ctx)
{
	__u64 x = aligned_one;
	return global_function(x) + weak_function(x) + hidden_function(&x) + static_function(x);
}
SEC("tc") int second_of_two(void *ctx) { return global_function(own) + static_function(2); }
SEC("xdp") int another(void *ctx) { return weak_function(limit); }

char _license[] SEC("license") = "GPL";
__u32 _version SEC("version") = 4711;
