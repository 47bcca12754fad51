/* A program with static probes, written by hand as sys/sdt.h of SystemTap writes them. */
#include <stdio.h>
#include <stdlib.h>

#define NOTE(place, provider, name, semaphore, arguments)                                                             \
    ".pushsection .note.stapsdt,\"\",\"note\"\n"                                                                      \
    ".balign 4\n .4byte 992f-991f, 994f-993f, 3\n"                                                                    \
    "991: .asciz \"stapsdt\"\n992: .balign 4\n"                                                                       \
    "993: .8byte " place "\n .8byte _.stapsdt.base\n .8byte " semaphore "\n"                                          \
    " .asciz \"" provider "\"\n .asciz \"" name "\"\n .asciz \"" arguments "\"\n994: .balign 4\n .popsection\n"       \
    ".ifndef _.stapsdt.base\n .pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n"                  \
    " .weak _.stapsdt.base\n .hidden _.stapsdt.base\n _.stapsdt.base: .space 1\n .size _.stapsdt.base, 1\n"           \
    " .popsection\n .endif\n"

__attribute__((section(".probes"), used)) volatile unsigned short watched_semaphore = 0;
volatile long table[8] = {10, 11, 12, 13, 14, 15, 16, 17};
static volatile int global_number = -5;

__attribute__((noinline)) static void numbers(int a, long b, unsigned char c, short d)
{
    volatile int on_stack = a;
    __asm__ volatile("990: nop\n" NOTE("990b", "bee", "numbers", "0", "-4@%[a] 8@%[b] 1@%[c] -2@%[d] -4@%[m] -4@$-9")
                     :: [a] "r"(a), [b] "r"(b), [c] "q"(c), [d] "r"(d), [m] "m"(on_stack));
}

__attribute__((noinline)) static void indexed(long i)
{
    const volatile long *base = table;
    __asm__ volatile("990: nop\n" NOTE("990b", "bee", "indexed", "0", "8@8(%[t],%[i],8) 8@(%[t],%[i],8)")
                     :: [t] "r"(base), [i] "r"(i));
}

__attribute__((noinline)) static void twice(int which, long value)
{
    if (which)
        __asm__ volatile("990: nop\n" NOTE("990b", "bee", "twice", "watched_semaphore", "8@%%rax") :: "a"(value));
    else
        __asm__ volatile("990: nop\n" NOTE("990b", "bee", "twice", "watched_semaphore", "8@%%rbx") :: "b"(value));
}

__attribute__((noinline)) static void none(void)
{
    __asm__ volatile("990: nop\n" NOTE("990b", "bee", "none", "0", "-4@global_number(%%rip)") :: "m"(global_number));
}

int main(void)
{
    char line[64];
    setvbuf(stdout, 0, _IOLBF, 0);
    puts("ready");
    while (fgets(line, sizeof(line), stdin)) {
        long i = atol(line);
        numbers((int)-i, i << 33, (unsigned char)(200 + i), (short)-i);
        indexed(i);
        twice(0, i);
        twice(1, i + 1000);
        none();
        printf("%u\n", watched_semaphore);
    }
    return 0;
}
