/* How many instructions a call of malloc, one of free, one of aligned_alloc (64 bytes) and one of realloc to the same size take when
   a block is at hand: a child runs one by one from a breakpoint to the next. Prints the counts, from the function's first
   instruction to its return, for each size that is an argument. The block is the sixth of its size. */

#include "check.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* Through a pointer, so that no stub of the linker is counted. */
static void *(*volatile take)(size_t) = malloc;
static void (*volatile give)(void *) = free;
static void *(*volatile take_aligned)(size_t, size_t) = aligned_alloc;
static void *(*volatile change)(void *, size_t) = realloc;

static void child(size_t bytes) {
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    /* Some stay, so that the page does not become empty. */
    for (int i = 0; i < 5; i++)
        if (take(bytes) == NULL)
            _exit(1);
    give(take(bytes));
    if (take_aligned(64, bytes) == NULL)
        _exit(1);
    give(take_aligned(64, bytes));
    void *(*taking)(size_t) = take;
    void (*giving)(void *) = give;
    void *mine = (void *)bytes;
    __asm__ volatile("int3\n int3" ::: "memory");
    __asm__ volatile("int3\n call *%1\n int3\n mov %%rax, %0"
                     : "+D"(mine) : "r"(taking)
                     : "rax", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory", "cc");
    __asm__ volatile("int3\n call *%1\n int3"
                     : "+D"(mine) : "r"(giving)
                     : "rax", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory", "cc");
    void *(*aligning)(size_t, size_t) = take_aligned;
    void *(*changing)(void *, size_t) = change;
    size_t first = 64, second = bytes;
    __asm__ volatile("int3\n call *%2\n int3"
                     : "+D"(first), "+S"(second) : "r"(aligning)
                     : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "memory", "cc");
    mine = take(bytes);
    second = bytes;
    __asm__ volatile("int3\n call *%2\n int3"
                     : "+D"(mine), "+S"(second) : "r"(changing)
                     : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "memory", "cc");
    _exit(0);
}

/* Runs the child to its next breakpoint. */
static int goes_on(pid_t pid) {
    int status;
    return ptrace(PTRACE_CONT, pid, NULL, NULL) == 0 && waitpid(pid, &status, 0) == pid && WIFSTOPPED(status);
}

/* Runs the child to its next breakpoint one by one; how many instructions that took, the breakpoint among them. */
static long steps(pid_t pid) {
    for (long count = 1;; count++) {
        int status;
        siginfo_t why;
        if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) != 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
            return -1;
        if (ptrace(PTRACE_GETSIGINFO, pid, NULL, &why) != 0)
            return -1;
        /* The kernel tells a breakpoint from a step. */
        if (why.si_code == SI_KERNEL)
            return count;
    }
}

static int tell(size_t bytes) {
    pid_t pid = fork();
    int status;
    if (pid == 0)
        child(bytes);
    if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
        return 1;
    long nothing = steps(pid);
    int went = goes_on(pid);
    long taken = steps(pid);
    went &= goes_on(pid);
    long given = steps(pid);
    went &= goes_on(pid);
    long aligned = steps(pid);
    went &= goes_on(pid);
    long changed = steps(pid);
    went &= goes_on(pid) == 0;
    if (!went || nothing != 1 || taken < 0 || given < 0 || aligned < 0 || changed < 0)
        return 1;
    /* Less the call and the breakpoint. */
    printf("%zu malloc %ld free %ld aligned %ld realloc %ld\n", bytes, taken - 2, given - 2, aligned - 2, changed - 2);
    return 0;
}

int main(int count, char **words) {
    for (int i = 1; i < count; i++)
        if (tell(strtoul(words[i], NULL, 10)) != 0)
            return 1;
    return 0;
}
