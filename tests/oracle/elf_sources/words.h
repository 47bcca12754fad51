/* The few words that the sources here need: sections, map definitions, helpers by number. */
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;

#define SEC(name) __attribute__((section(name), used))
#define __uint(name, value) int(*name)[value]
#define __type(name, value) typeof(value) *name
#define __array(name, value) typeof(value) *name[]
#define __noinline __attribute__((noinline))
#define __always_inline inline __attribute__((always_inline))
#define __hidden __attribute__((visibility("hidden")))
#define __weak __attribute__((weak))
#define __ksym __attribute__((section(".ksyms")))
#define __kconfig __attribute__((section(".kconfig")))
#define __core __attribute__((preserve_access_index))

static void *(*const map_lookup)(void *map, const void *key) = (void *)1;
static long (*const map_update)(void *map, const void *key, const void *value, __u64 flags) = (void *)2;
static long (*const trace_printk)(const char *format, __u32 size, ...) = (void *)6;
static void (*const tail_call)(void *ctx, void *map, __u32 index) = (void *)12;
static long (*const map_push)(void *map, const void *value, __u64 flags) = (void *)87;
static long (*const probe_read_kernel)(void *to, __u32 size, const void *from) = (void *)113;
static long (*const ringbuf_output)(void *map, void *data, __u64 size, __u64 flags) = (void *)130;
static long (*const for_each_map_elem)(void *map, void *callback, void *ctx, __u64 flags) = (void *)164;
