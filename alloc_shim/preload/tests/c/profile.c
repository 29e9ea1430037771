/* Takes and gives memory in functions with known names. The first argument says how. */

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define APART __attribute__((noinline, noclone))
#define KEEP_FRAME(value) __asm__ volatile("" ::"r"(value) : "memory")

static void *held[100000];
static int count;

APART void keep(size_t bytes)
{
    held[count] = malloc(bytes);
    CHECK(held[count++] != NULL);
    KEEP_FRAME(held);
}

APART void pass(size_t bytes)
{
    void *block = malloc(bytes);
    KEEP_FRAME(block);
    free(block);
    KEEP_FRAME(block);
}

APART void keep_zeroed(void)
{
    held[count++] = calloc(10, 100);
    KEEP_FRAME(held);
}

APART void keep_aligned(void)
{
    held[count++] = aligned_alloc(4096, 8192);
    KEEP_FRAME(held);
}

APART void grow(void)
{
    void *block = malloc(10);
    for (size_t bytes = 100; bytes <= 1000000; bytes *= 10)
        block = realloc(block, bytes);
    held[count++] = block;
    KEEP_FRAME(held);
}

APART int deep(int depth)
{
    if (depth == 0)
        keep(77);
    else
        KEEP_FRAME(deep(depth - 1));
    return depth;
}

static void *in_thread(void *unused)
{
    keep(500);
    pass(600);
    return unused;
}

APART void exact(void)
{
    for (int i = 0; i < 100; i++) {
        keep(1000);
        pass(3000);
        pass(300000);
    }
    keep_zeroed();
    keep_aligned();
    grow();
    deep(100);
    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, in_thread, NULL) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
}

/* 64 MB in small blocks are kept and 96 MB pass, three quarters of them where they are freed at once. */
APART void estimated(void)
{
    for (int i = 0; i < 64000; i++) {
        keep(1000);
        pass(1500);
    }
}

int main(int number, char **arguments)
{
    CHECK(number >= 2);
    if (strcmp(arguments[1], "exact") == 0)
        exact();
    else if (strcmp(arguments[1], "estimated") == 0)
        estimated();
    else if (strcmp(arguments[1], "fork") == 0) {
        keep(1000);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            free(held[--count]);
            pass(2000);
            exit(0);
        }
        CHECK(waitpid(child, NULL, 0) == child);
    } else if (strcmp(arguments[1], "signal") == 0) {
        keep(1000);
        CHECK(raise(SIGUSR1) == 0);
        keep(2000);
        CHECK(raise(SIGUSR1) == 0);
    } else
        CHECK(!"a mode");
    return 0;
}
