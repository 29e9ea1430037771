/* Blocks that one thread allocates and another frees: producers that never free, a thread that
 * never allocates. 1.5 GB go through; what is resident stays near what is under way.
 */
#include "common.h"
#include <sched.h>

enum { PRODUCERS = 3, QUEUE = 1024, BLOCKS = 400000 };

static struct block *queue[QUEUE];
static int finished;
static size_t most;

static void *produce(void *argument) {
    uint64_t random = (uint64_t)(uintptr_t)argument * 65537;
    for (int i = 0; i < BLOCKS; i++) {
        struct block *block = block_new(random_size(&random) % 20000, (uint32_t)i);
        size_t at = next_random(&random) % QUEUE;
        for (struct block *none = NULL;
             !__atomic_compare_exchange_n(&queue[at], &none, block, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
             none = NULL) {
            if (++at % 64 == 0) sched_yield();
            at %= QUEUE;
        }
    }
    __atomic_add_fetch(&finished, 1, __ATOMIC_RELEASE);
    return NULL;
}

static void *consume(void *argument) {
    unsigned long freed = 0;
    while (freed < (unsigned long)PRODUCERS * BLOCKS) {
        unsigned long before = freed;
        for (size_t at = 0; at < QUEUE; at++) {
            struct block *block = slot_swap(&queue[at], NULL);
            if (block) freed++;
            block_free(block);
        }
        if (freed / 50000 != before / 50000 && resident() > most) most = resident();
        if (freed == before) sched_yield();
    }
    return argument;
}

int main(void) {
    size_t start = resident();
    pthread_t consumer = thread_start(consume, NULL), producers[PRODUCERS];
    for (int i = 0; i < PRODUCERS; i++) producers[i] = thread_start(produce, (void *)(uintptr_t)(i + 1));
    for (int i = 0; i < PRODUCERS; i++) REQUIRE(pthread_join(producers[i], NULL) == 0);
    REQUIRE(pthread_join(consumer, NULL) == 0);
    REQUIRE(finished == PRODUCERS);
    say_number(2, "resident at the start", start);
    say_number(2, "resident at most", most);
    REQUIRE(most > 0 && most < start + (64u << 20));
    return done();
}
