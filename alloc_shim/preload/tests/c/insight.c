/* What an operator asks of a running process: limits, figures, maps. The first argument says what the program does. */

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define MIB ((size_t)1 << 20)

/* Takes blocks of a size until there are none, and gives them back; how many bytes they had. */
static size_t take_all(size_t bytes)
{
    void **last = NULL;
    size_t sum = 0;
    for (;;) {
        errno = 0;
        void **block = malloc(bytes);
        if (block == NULL)
            break;
        memset(block, 1, bytes < 64 ? bytes : 64);
        *block = last;
        last = block;
        sum += malloc_usable_size(block);
    }
    CHECK(errno == ENOMEM);
    while (last != NULL) {
        void **next = *last;
        free(last);
        last = next;
    }
    return sum;
}

static void *take_in_thread(void *bytes)
{
    return (void *)take_all((size_t)(uintptr_t)bytes);
}

/* Under a limit of so many bytes. */
static void limit(size_t bytes)
{
    static const size_t sizes[] = {16, 100, 1000, 5000, 70000, 1 << 20, 5 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t sum = take_all(sizes[i]);
        /* Of the last page, of a block that is rounded up, and of what the start of the program holds. */
        size_t slack = 2 * sizes[i] + MIB + bytes / 8;
        /* In the hardened mode a block of 16 bytes has as much behind it. */
        if (getenv("BOWLINE_MALLOC") != NULL)
            slack = 2 * sizes[i] + MIB + bytes / 2;
        CHECK(sum <= bytes);
        CHECK(sum + slack >= bytes);
    }
    CHECK(malloc(bytes + 1) == NULL && errno == ENOMEM);
    CHECK(calloc(bytes, 2) == NULL && errno == ENOMEM);
    void *block = malloc(bytes / 2);
    CHECK(block != NULL);
    CHECK(realloc(block, bytes + 1) == NULL && errno == ENOMEM);
    CHECK(posix_memalign(&(void *){NULL}, 4096, bytes) == ENOMEM);
    free(block);
    pthread_t threads[4];
    size_t all = 0;
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, take_in_thread, (void *)(uintptr_t)5000) == 0);
    for (int i = 0; i < 4; i++) {
        void *sum;
        CHECK(pthread_join(threads[i], &sum) == 0);
        all += (size_t)sum;
    }
    CHECK(all > 0);
    struct rusage usage;
    CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
    CHECK((size_t)usage.ru_maxrss * 1024 <= bytes + 16 * MIB);
}

/* Holds so many blocks of 48, 5000 and 300000 bytes while another thread holds some too; then raises a signal. */
static void *hold_in_thread(void *go)
{
    void *block = malloc(100);
    CHECK(block != NULL);
    pthread_barrier_wait(go);
    pthread_barrier_wait(go);
    free(block);
    return NULL;
}

static void hold(int number)
{
    void *blocks[1200];
    pthread_barrier_t go;
    CHECK(pthread_barrier_init(&go, NULL, 2) == 0);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, hold_in_thread, &go) == 0);
    pthread_barrier_wait(&go);
    for (int i = 0; i < 1000; i++)
        blocks[i] = malloc(48);
    for (int i = 1000; i < 1100; i++)
        blocks[i] = malloc(5000);
    for (int i = 1100; i < 1110; i++)
        blocks[i] = malloc(300000);
    errno = 77;
    if (number != 0)
        CHECK(raise(number) == 0);
    CHECK(errno == 77);
    pthread_barrier_wait(&go);
    pthread_join(thread, NULL);
    if (number != 0)
        for (int i = 0; i < 1110; i++)
            free(blocks[i]);
}

static volatile sig_atomic_t over;

static void alarmed(int number)
{
    (void)number;
    over = 1;
}

/* Allocates and frees in threads while signals come from outside, for a second. */
static void *churn(void *unused)
{
    void *blocks[64] = {0};
    for (unsigned i = 0; !over; i = i * 1103515245 + 12345) {
        unsigned place = i >> 16 & 63;
        free(blocks[place]);
        blocks[place] = malloc((i >> 8 & 0xfff) << (i >> 24 & 7));
    }
    for (int i = 0; i < 64; i++)
        free(blocks[i]);
    return unused;
}

static void storm(int number)
{
    pthread_t threads[3];
    signal(SIGALRM, alarmed);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        for (;;) {
            if (kill(getppid(), number) != 0 || getppid() == 1)
                _exit(0);
            usleep(1000);
        }
    }
    alarm(1);
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&threads[i], NULL, churn, NULL) == 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    CHECK(kill(child, SIGKILL) == 0);
    CHECK(waitpid(child, NULL, 0) == child);
}

static volatile sig_atomic_t got_signal;

static void get_signal(int number)
{
    (void)number;
    got_signal = 1;
}

/* A thread that somebody wants to end is told to tell, where it does not wait. */
static void *go_on(void *steps)
{
    pthread_barrier_wait(steps);
    while (!over)
        ;
    CHECK(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &(int){0}) == 0);
    return steps;
}

static void cancelled(int number)
{
    pthread_barrier_t steps;
    pthread_t thread;
    void *result;
    CHECK(pthread_barrier_init(&steps, NULL, 2) == 0);
    CHECK(pthread_create(&thread, NULL, go_on, &steps) == 0);
    pthread_barrier_wait(&steps);
    CHECK(pthread_cancel(thread) == 0 && pthread_kill(thread, number) == 0);
    /* The signal is taken before the flag is seen: a thread that runs takes it within a tick. */
    usleep(200000);
    over = 1;
    CHECK(pthread_join(thread, &result) == 0 && result == &steps);
}

/* Files take no byte; what is told of memory neither runs a handler nor leaves a signal behind. */
static void full(int number)
{
    struct rlimit none = {0, RLIM_INFINITY};
    sigset_t set, before, waiting;
    CHECK(setrlimit(RLIMIT_FSIZE, &none) == 0);
    if (number == 0)
        return;
    signal(SIGXFSZ, get_signal);
    CHECK(raise(number) == 0);
    CHECK(sigemptyset(&set) == 0 && sigaddset(&set, SIGXFSZ) == 0);
    CHECK(sigprocmask(SIG_BLOCK, &set, &before) == 0 && !sigismember(&before, SIGXFSZ));
    CHECK(raise(number) == 0);
    CHECK(sigpending(&waiting) == 0 && !sigismember(&waiting, SIGXFSZ));
    /* One of the program's own stays. */
    CHECK(raise(SIGXFSZ) == 0 && raise(number) == 0);
    CHECK(sigpending(&waiting) == 0 && sigismember(&waiting, SIGXFSZ));
    CHECK(!got_signal && sigprocmask(SIG_SETMASK, &before, NULL) == 0 && got_signal);
}

/* This program anew, with a standard error of which nobody reads. */
static void unread(char **arguments)
{
    int ends[2];
    CHECK(pipe(ends) == 0 && close(ends[0]) == 0 && dup2(ends[1], 2) == 2);
    arguments[1] = (char[]){"hold"};
    execv("/proc/self/exe", arguments);
}

int main(int count, char **arguments)
{
    CHECK(count >= 2);
    long number = count > 2 ? strtol(arguments[2], NULL, 10) : 0;
    if (strcmp(arguments[1], "limit") == 0)
        limit((size_t)number);
    else if (strcmp(arguments[1], "hold") == 0)
        hold((int)number);
    else if (strcmp(arguments[1], "cancelled") == 0)
        cancelled((int)number);
    else if (strcmp(arguments[1], "full") == 0)
        full((int)number);
    else if (strcmp(arguments[1], "unread") == 0)
        unread(arguments);
    else if (strcmp(arguments[1], "storm") == 0)
        storm((int)number);
    else if (strcmp(arguments[1], "fork") == 0) {
        pid_t child = fork();
        if (child == 0)
            exit(0);
        CHECK(waitpid(child, NULL, 0) == child);
        CHECK(chdir("/") == 0);
    } else
        CHECK(!"a mode");
    return 0;
}
