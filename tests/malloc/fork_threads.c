/* Four threads fork 150 times each while all of them are inside malloc. Every child checks what it
 * inherited, frees it, allocates, has threads of its own and exits as programs do.
 *
 * A child that waits for a lock which a lost thread holds dies of its alarm.
 */
#include "common.h"

enum { THREADS = 4, FORKS = 150, SLOTS = 128, CHILD_THREADS = 2 };

static struct block *slots[SLOTS];

static void churn(uint64_t *random, int turns) {
    for (int i = 0; i < turns; i++) {
        size_t at = next_random(random) % SLOTS;
        struct block *fresh = block_new(random_size(random), (uint32_t)next_random(random));
        block_free(slot_swap(&slots[at], fresh));
    }
}

static void *child_thread(void *argument) {
    uint64_t random = (uint64_t)(uintptr_t)argument * 77 + 5;
    churn(&random, 200);
    /* Each thread of the child takes what it can get of the inheritance. */
    for (size_t at = 0; at < SLOTS; at++) block_free(slot_swap(&slots[at], NULL));
    return NULL;
}

static void child(uint64_t random, int turn) {
    alarm(60);
    churn(&random, 50);
    pthread_t threads[CHILD_THREADS];
    for (int i = 0; i < CHILD_THREADS; i++)
        threads[i] = thread_start(child_thread, (void *)(uintptr_t)(i + 1));
    for (int i = 0; i < CHILD_THREADS; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
    for (size_t at = 0; at < SLOTS; at++) block_free(slot_swap(&slots[at], NULL));
    churn(&random, 20);
    /* A grandchild of a child, now and then. */
    if (turn % 16 == 0) {
        pid_t process = fork();
        if (process == 0) {
            alarm(60);
            churn(&random, 50);
            _exit(0);
        }
        reap(process);
    }
    exit(0);
}

static void *parent_thread(void *argument) {
    uint64_t random = (uint64_t)(uintptr_t)argument * 1000003;
    for (int turn = 0; turn < FORKS; turn++) {
        churn(&random, (int)(next_random(&random) % 300));
        pid_t process = fork();
        if (process == 0) child(random, turn);
        churn(&random, 20);
        reap(process);
    }
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(parent_thread, (void *)(uintptr_t)(i + 1));
    for (int i = 0; i < THREADS; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
    for (size_t at = 0; at < SLOTS; at++) block_free(slot_swap(&slots[at], NULL));
    return done();
}
