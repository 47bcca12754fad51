/* What the kernel defines: its version, its variables, its functions. */
#include "words.h"

struct task_struct {
	int pid;
} __core;
extern __u32 LINUX_KERNEL_VERSION __kconfig;
extern const int no_such_variable __ksym __weak;
extern struct task_struct *bpf_task_acquire(struct task_struct *task) __ksym __weak;
extern void bpf_task_release(struct task_struct *task) __ksym __weak;
extern void no_such_function(int number) __ksym __weak;

__u32 version;
__u64 address;

SEC("tp_btf/sched_process_exec")
int on_exec(__u64 *ctx)
{
	version = LINUX_KERNEL_VERSION;
	if (&no_such_variable)
		address = 0;
	if (no_such_function)
		no_such_function(1);
	if (bpf_task_acquire) {
		struct task_struct *task = bpf_task_acquire((void *)ctx[0]);
		if (task)
			bpf_task_release(task);
	}
	return 0;
}

char _license[] SEC("license") = "GPL";
