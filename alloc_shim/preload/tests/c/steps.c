/* How many instructions a call of malloc and one of free take when a block is at hand: a child runs one by one from a
   breakpoint to the next. Prints both counts, from the function's first instruction to its return. */

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

static void child(void) {
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    /* One stays, so that the page does not become empty. */
    void *volatile stays = take(40);
    give(take(40));
    void *(*taking)(size_t) = take;
    void (*giving)(void *) = give;
    void *mine = (void *)40;
    __asm__ volatile("int3\n int3" ::: "memory");
    __asm__ volatile("int3\n call *%1\n int3\n mov %%rax, %0"
                     : "+D"(mine) : "r"(taking)
                     : "rax", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory", "cc");
    __asm__ volatile("int3\n call *%1\n int3"
                     : "+D"(mine) : "r"(giving)
                     : "rax", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory", "cc");
    give(stays);
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

int main(void) {
    pid_t pid = fork();
    int status;
    if (pid == 0)
        child();
    if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
        return 1;
    long nothing = steps(pid);
    int went = goes_on(pid);
    long taken = steps(pid);
    went &= goes_on(pid);
    long given = steps(pid);
    went &= goes_on(pid) == 0;
    if (nothing != 1 || taken < 0 || given < 0)
        return 1;
    /* Less the call and the breakpoint. */
    printf("malloc %ld free %ld\n", taken - 2, given - 2);
    return 0;
}
