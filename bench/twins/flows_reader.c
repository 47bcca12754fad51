// The agent that flows.bpf.c would have: attached to a cgroup, it takes the table once a second and adds it up.
// cc -O2 flows_reader.c -lbpf; flows_reader OBJECT CGROUP.  SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define ENTRIES 65536
#define KEY 48
#define TX_PACKETS 8
#define RX_PACKETS 24

static volatile sig_atomic_t stopped;

static void stop(int number)
{
	(void)number;
	stopped = 1;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

// Everything that programs wrote since the last call: packets, and the number of flows.
static unsigned long long take(int outer, int tables[2], int *active, unsigned value_size, char *keys, char *values,
			       unsigned *flows)
{
	unsigned long long packets = 0, one;
	unsigned zero = 0, count, batch, next;
	int old = tables[*active], first = 1, error;

	*active = !*active;
	if (bpf_map_update_elem(outer, &zero, &tables[*active], BPF_ANY)) // waits until no program uses the old one
		fail("swap");
	*flows = 0;
	do {
		count = ENTRIES;
		error = bpf_map_lookup_and_delete_batch(old, first ? NULL : &batch, &next, keys, values, &count, NULL);
		if (error && errno != ENOENT)
			fail("read");
		for (unsigned at = 0; at < count; at++) {
			memcpy(&one, values + (size_t)at * value_size + TX_PACKETS, sizeof(one));
			packets += one;
			memcpy(&one, values + (size_t)at * value_size + RX_PACKETS, sizeof(one));
			packets += one;
		}
		*flows += count;
		batch = next;
		first = 0;
	} while (!error);
	return packets;
}

int main(int argc, char **argv)
{
	static const char *programs[] = {"on_create", "on_egress", "on_ingress"};
	struct bpf_object *object;
	struct bpf_program *program;
	struct bpf_map *outer;
	unsigned long long packets = 0;
	unsigned value_size, zero = 0, flows;
	int cgroup, tables[2], active = 0;
	char *keys, *values;

	if (argc != 3)
		return 2;
	signal(SIGINT, stop);
	cgroup = open(argv[2], O_RDONLY | O_DIRECTORY);
	object = bpf_object__open_file(argv[1], NULL);
	if (cgroup < 0 || !object)
		fail("open");
	outer = bpf_object__find_map_by_name(object, "flows");
	if (!outer || !bpf_map__inner_map(outer))
		fail("flows");
	value_size = bpf_map__value_size(bpf_map__inner_map(outer)); // libbpf forgets it when it loads
	program = bpf_object__find_program_by_name(object, "empty");
	if (!program || bpf_program__set_autoload(program, false) || bpf_object__load(object))
		fail("load");
	for (int at = 0; at < 2; at++) {
		tables[at] = bpf_map_create(BPF_MAP_TYPE_HASH, "table", KEY, value_size, ENTRIES, NULL);
		if (tables[at] < 0)
			fail("map");
	}
	if (bpf_map_update_elem(bpf_map__fd(outer), &zero, &tables[active], BPF_ANY))
		fail("swap");
	for (unsigned at = 0; at < 3; at++) {
		program = bpf_object__find_program_by_name(object, programs[at]);
		if (!program || !bpf_program__attach_cgroup(program, cgroup))
			fail(programs[at]);
	}
	keys = malloc((size_t)ENTRIES * KEY);
	values = malloc((size_t)ENTRIES * value_size);
	if (!keys || !values)
		fail("malloc");
	printf("ready\n");
	fflush(stdout);
	while (!stopped) {
		sleep(1);
		packets += take(bpf_map__fd(outer), tables, &active, value_size, keys, values, &flows);
		printf("%u flows, %llu packets\n", flows, packets);
		fflush(stdout);
	}
	return 0;
}
