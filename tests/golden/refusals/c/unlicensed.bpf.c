/* A helper for GPL programs in a program that is none. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Proprietary";

SEC("raw_tp/sched_process_exit") int gpl_only(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 word = 0;

	bpf_probe_read_kernel(&word, sizeof(word), (void *)ctx->args[0]);
	return word != 0;
}
