/* CO-RE relocations of several kinds. */
#include "words.h"

struct list_head {
	struct list_head *next;
} __core;
struct task_struct {
	int pid;
	int tgid;
	struct task_struct *real_parent;
	char comm[16];
	struct list_head children;
} __core;
struct task_struct___other {
	int no_such_member;
} __core;
enum pid_type { PIDTYPE_PID, PIDTYPE_TGID };

__u32 seen;

SEC("tp_btf/sched_process_exec")
int typed(__u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	struct task_struct___other *other = (void *)task;

	if (__builtin_preserve_field_info(other->no_such_member, 2))
		return 1;
	if (__builtin_preserve_type_info(*(struct list_head *)0, 0))
		seen += __builtin_preserve_enum_value(*(typeof(enum pid_type) *)PIDTYPE_TGID, 1);
	return task->real_parent->tgid;
}

SEC("raw_tp/sched_process_exec")
int untyped(__u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	int pid = 0;

	probe_read_kernel(&pid, sizeof(pid), __builtin_preserve_access_index(&task->tgid));
	seen = pid + __builtin_preserve_field_info(task->comm[3], 0);
	return 0;
}

char _license[] SEC("license") = "GPL";
