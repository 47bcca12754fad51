// What the fuzzer's seeds are made of: maps, globals, kernel options, calls, and every kind of CO-RE relocation.
// make: clang -target bpf -g -O2 -mcpu=v3 -c seed.bpf.c -o seeds/seed.bpf.o, and with -target bpfeb seed-big.bpf.o.
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
#define SEC(name) __attribute__((section(name), used))
#define core __attribute__((preserve_access_index))

enum color { RED, GREEN = 7 };
enum wide { WIDE = 0x100000000ULL };
struct inner { u16 port; u8 address[4]; } core;
union either { u32 word; struct inner parts; } core;
struct task { int pid; char comm[16]; u32 flag : 3; int level : 5; struct task *parent; union { u64 a; void *b; }; } core;
typedef int (*callback)(struct task *, const char *, ...);

struct { int (*type)[1]; u32 *key; struct inner *value; int (*max_entries)[16]; } table SEC(".maps");
struct { int (*type)[13]; u32 (*key_size)[4]; u32 (*value_size)[4]; int (*max_entries)[4];
	struct { int (*type)[2]; u32 *key; u64 *value; int (*max_entries)[1]; } *values[]; } outer SEC(".maps") = {};
const volatile u32 limit = 5;
u64 total;
static u32 counts[4] = {1, 2, 3};
extern int CONFIG_HZ __attribute__((section(".kconfig"), weak));
extern void missing(void *) __attribute__((section(".ksyms"), weak));
callback called;
union either kept;
enum wide wide_one;
static void *(*lookup)(void *, const void *) = (void *)1;
static long (*probe_read)(void *, u32, const void *) = (void *)113;

static __attribute__((noinline)) int helper(u32 n)
{
	return counts[n & 3] + limit;
}

SEC("raw_tp/sys_enter")
int one(void *context)
{
	struct task *task = *(struct task **)context;
	u32 key = 1, got = 0;
	struct inner *found = lookup(&table, &key);

	if (found)
		total += found->port;
	probe_read(&got, sizeof(got), &task->parent->pid);
	got += __builtin_preserve_field_info(task->flag, 0) + __builtin_preserve_field_info(task->level, 3);
	got += __builtin_preserve_field_info(task->level, 4) + __builtin_preserve_field_info(task->level, 5);
	got += __builtin_preserve_field_info(task->comm, 1) + __builtin_preserve_field_info(task->parent, 2);
	got += __builtin_btf_type_id(*(struct task *)0, 0) + __builtin_btf_type_id(*(struct task *)0, 1);
	got += __builtin_preserve_type_info(*(struct inner *)0, 0) + __builtin_preserve_type_info(*(struct inner *)0, 1)
		+ __builtin_preserve_type_info(*(struct task *)0, 2);
	got += __builtin_preserve_enum_value(*(enum color *)GREEN, 0) + __builtin_preserve_enum_value(*(enum color *)GREEN, 1);
	return helper(got) + CONFIG_HZ + (missing != 0);
}

SEC("?kprobe/do_nothing")
int two(void *context)
{
	lookup(&outer, &(u32){0});
	return helper(kept.word + wide_one) + (called != 0);
}

char _license[] SEC("license") = "GPL";
