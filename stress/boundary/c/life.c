/* Processes under rules of their own. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef int64_t (*procedure)(int64_t);
int64_t call(procedure f, int64_t n) { return f(n); }
int64_t call_env(int64_t (*f)(void *, int64_t), void *env, int64_t n) { return f(env, n); }

/* From now on the kernel refuses memory that can be executed. 0 if it does. */
int refuse_code(void)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 16),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof steps / sizeof *steps, steps };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
}

/* Interrupts the process, as Ctrl-C does, when the thread that has called this loops in Scheme, or sleeps in C. */
static volatile enum { NOT_YET, LOOPS, SLEEPS } now;
static pid_t interrupted;
static int sleeps(void)
{
    char path[64], text[256] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)interrupted);
    FILE *stat = fopen(path, "r");
    int read = stat != NULL && fgets(text, sizeof text, stat) != NULL;
    if (stat != NULL)
        fclose(stat);
    return read && strstr(text, ") S ") != NULL;
}
static void *interrupt(void *unused)
{
    while (now == NOT_YET || (now == SLEEPS && !sleeps()))
        usleep(1000);
    kill(getpid(), SIGINT);
    return unused;
}
bool interrupt_soon(void)
{
    pthread_t thread;
    now = NOT_YET;
    interrupted = gettid();
    return pthread_create(&thread, NULL, interrupt, NULL) == 0 && pthread_detach(thread) == 0;
}
void loops(void) { now = LOOPS; }
unsigned sleep_long(void)
{
    now = SLEEPS;
    return sleep(1000);
}
