/* 8,000 threads in waves. Each allocates, hands blocks to others, and goes on allocating and
 * freeing in the destructors of its thread-specific values, round after round, after the malloc's
 * own thread exit may have run. What the waves leave behind does not grow.
 */
#include "common.h"

enum { THREADS = 8000, WAVE = 50, SLOTS = 512, KEYS = 3, ROUNDS = 4 };

static struct block *slots[SLOTS];
static pthread_key_t keys[KEYS];
static unsigned long destroyed;

static void swap_some(uint64_t *random, int turns) {
    for (int i = 0; i < turns; i++) {
        size_t at = next_random(random) % SLOTS;
        struct block *fresh = block_new(random_size(random) % 5000, (uint32_t)next_random(random));
        block_free(slot_swap(&slots[at], fresh));
    }
}

/* The value of a key: its block's seed counts the rounds of destructors that are left. */
static void destroy(pthread_key_t key, struct block *value) {
    uint32_t left = value->seed;
    block_free(value);
    uint64_t random = (uint64_t)left * 7919 + (uint64_t)(uintptr_t)value;
    swap_some(&random, 3);
    struct block *zeroed = (struct block *)calloc(1, 3000);
    REQUIRE(zeroed && zeroed->size == 0);
    free(zeroed);
    __atomic_add_fetch(&destroyed, 1, __ATOMIC_RELAXED);
    if (left > 1) REQUIRE(pthread_setspecific(key, block_new(100, left - 1)) == 0);
}

static void destroy0(void *value) { destroy(keys[0], (struct block *)value); }
static void destroy1(void *value) { destroy(keys[1], (struct block *)value); }
static void destroy2(void *value) { destroy(keys[2], (struct block *)value); }

static void *thread(void *argument) {
    uint64_t random = (uint64_t)(uintptr_t)argument * 2654435761u + 1;
    for (int i = 0; i < KEYS; i++) REQUIRE(pthread_setspecific(keys[i], block_new(100, ROUNDS)) == 0);
    struct block *own[20];
    for (int i = 0; i < 20; i++) own[i] = block_new(random_size(&random), (uint32_t)i);
    swap_some(&random, 20);
    for (int i = 0; i < 20; i++) block_free(own[i]);
    return NULL;
}

int main(void) {
    void (*const destructors[KEYS])(void *) = {destroy0, destroy1, destroy2};
    for (int i = 0; i < KEYS; i++) REQUIRE(pthread_key_create(&keys[i], destructors[i]) == 0);
    size_t early = 0;
    for (int wave = 0; wave < THREADS / WAVE; wave++) {
        pthread_t threads[WAVE];
        for (int i = 0; i < WAVE; i++)
            threads[i] = thread_start(thread, (void *)(uintptr_t)(wave * WAVE + i + 1));
        for (int i = 0; i < WAVE; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
        if (wave == THREADS / WAVE / 4) early = resident();
    }
    REQUIRE(destroyed == (unsigned long)THREADS * KEYS * ROUNDS);
    size_t late = resident();
    say_number(2, "resident after a quarter of the threads", early);
    say_number(2, "resident after all", late);
    REQUIRE(late < early + (16u << 20));
    for (size_t at = 0; at < SLOTS; at++) block_free(slot_swap(&slots[at], NULL));
    return done();
}
