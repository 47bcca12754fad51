// Programs that do nothing but compute, on the memory that they are given: for bench/executing.py.
typedef unsigned long long u64;
typedef unsigned int u32;
typedef unsigned char u8;

#define SEC(name) __attribute__((section(name), used))
#define SIZE 4096

struct memory {
	u64 rounds;
	u8 data[SIZE];
};

// Arithmetic in registers, and a branch that nobody can foresee.
SEC("xdp") u64 collatz(struct memory *m)
{
	u64 steps = 0;
	for (u64 i = 1; i <= m->rounds; i++)
		for (u64 n = i; n != 1; steps++)
			n = n & 1 ? 3 * n + 1 : n >> 1;
	return steps;
}

// Division.
SEC("xdp") u64 primes(struct memory *m)
{
	u64 found = 0;
	for (u64 n = 2; n < m->rounds; n++) {
		u64 d = 2;
		while (d * d <= n && n % d)
			d++;
		found += d * d > n;
	}
	return found;
}

// Reading bytes: FNV-1a.
SEC("xdp") u64 hash(struct memory *m)
{
	u64 h = 0xcbf29ce484222325;
	for (u64 round = 0; round < m->rounds; round++)
		for (u32 i = 0; i < SIZE; i++)
			h = (h ^ m->data[i]) * 0x100000001b3;
	return h;
}

// Reading halves of words: the checksum of IP.
SEC("xdp") u64 checksum(struct memory *m)
{
	u64 sum = 0;
	for (u64 round = 0; round < m->rounds; round++) {
		for (u32 i = 0; i < SIZE; i += 2)
			sum += *(unsigned short *)(m->data + i);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

// Writing bytes: the sieve of Eratosthenes.
SEC("xdp") u64 sieve(struct memory *m)
{
	u64 found = 0;
	for (u64 round = 0; round < m->rounds; round++) {
		for (u32 i = 0; i < SIZE; i++) {
			m->data[i] = 1;
			__asm__ volatile("" ::: "memory"); // or it is a call of memset()
		}
		for (u32 i = 2; i < SIZE; i++) {
			if (!m->data[i])
				continue;
			found++;
			for (u32 j = i * 2; j < SIZE; j += i)
				m->data[j] = 0;
		}
	}
	return found;
}

// Reading and writing words in an order that depends on them: sorting by insertion.
SEC("xdp") u64 sort(struct memory *m)
{
	u32 *a = (u32 *)m->data, count = 256, seed = 1;
	for (u64 round = 0; round < m->rounds; round++) {
		for (u32 i = 0; i < count; i++)
			a[i] = seed = seed * 1664525 + 1013904223;
		for (u32 i = 1; i < count; i++) {
			u32 x = a[i], j = i;
			for (; j && a[j - 1] > x; j--)
				a[j] = a[j - 1];
			a[j] = x;
		}
	}
	return a[0] + a[count - 1];
}

// The stack: a product of matrices.
SEC("xdp") u64 matrix(struct memory *m)
{
	u32 a[16], b[16];
	for (int i = 0; i < 16; i++)
		a[i] = b[i] = i + 1;
	for (u64 round = 0; round < m->rounds; round++) {
		for (int i = 0; i < 4; i++) {
			u32 row[4];
#pragma unroll
			for (int j = 0; j < 4; j++)
				row[j] = a[i * 4] * b[j] + a[i * 4 + 1] * b[j + 4] + a[i * 4 + 2] * b[j + 8] + a[i * 4 + 3] * b[j + 12];
#pragma unroll
			for (int j = 0; j < 4; j++)
				a[i * 4 + j] = row[j];
		}
		b[round & 15] += a[round >> 2 & 15];
	}
	u64 sum = 0;
	for (int i = 0; i < 16; i++)
		sum += a[i];
	return sum;
}

// Sub-programs, six deep.
static __attribute__((noinline)) u64 walk(u64 depth, u64 x)
{
	return x * 6364136223846793005 + depth;
}

static __attribute__((noinline)) u64 climb(u64 depth, u64 x)
{
	u64 first = walk(depth, x), second = walk(depth + 1, x ^ 7);
	return first ^ second >> 3;
}

SEC("xdp") u64 calls(struct memory *m)
{
	u64 x = 1;
	for (u64 round = 0; round < m->rounds; round++)
		x += climb(round, x);
	return x;
}
