/* vfork, posix_spawn, system and popen while other threads allocate. A vfork child runs in its
 * parent's memory: nothing that a malloc does at fork may happen there.
 */
#include "common.h"
#include <spawn.h>
#include <stdio.h>

enum { TURNS = 30, THREADS = 3 };

static int stop;

static void *churn(void *argument) {
    uint64_t random = (uint64_t)(uintptr_t)argument * 4099;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        struct block *block = block_new(random_size(&random), 3);
        block_free(block_resize(block, random_size(&random)));
    }
    return NULL;
}

static char *const arguments[] = {(char *)"true", NULL};

static __attribute__((noinline)) pid_t vfork_true(void) {
    pid_t child = vfork();
    if (child == 0) {
        execvp("true", arguments);
        _exit(127);
    }
    return child;
}

int main(void) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) threads[i] = thread_start(churn, (void *)(uintptr_t)(i + 1));
    for (int turn = 0; turn < TURNS; turn++) {
        reap(vfork_true());
        pid_t child;
        REQUIRE(posix_spawnp(&child, "true", NULL, NULL, arguments, environ) == 0);
        reap(child);
        if (turn % 5 == 0) {
            REQUIRE(system("true") == 0);
            FILE *pipe = popen("echo hello", "r");
            char line[16] = "";
            REQUIRE(pipe && fgets(line, sizeof line, pipe) && strcmp(line, "hello\n") == 0);
            REQUIRE(pclose(pipe) == 0);
        }
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
    return done();
}
