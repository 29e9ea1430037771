/* A hundred thousand threads, one after the other: what they leave behind does not grow. Every third takes memory, every third
 * only frees what another has taken, and every third takes its first block when libc runs destructors for the last time.
 */
#include "common.h"

enum { THREADS = 100000, ROUNDS = 4, SLOTS = 64 };

static struct block *slots[SLOTS];
static pthread_key_t key;

static void *takes(void *argument) {
    size_t number = (size_t)(uintptr_t)argument;
    struct block *block = block_new(number % 3000, (uint32_t)number);
    block_free(slot_swap(&slots[number % SLOTS], block_resize(block, number % 5000)));
    return NULL;
}

static void *only_frees(void *argument) {
    for (size_t i = 0; i < SLOTS; i += 3) block_free(slot_swap(&slots[((size_t)(uintptr_t)argument + i) % SLOTS], NULL));
    return NULL;
}

static void destroy(void *round) {
    if (++*(int *)round < ROUNDS) {
        REQUIRE(pthread_setspecific(key, round) == 0);
        return;
    }
    block_free(block_new(1000, 1));
}

static void *takes_at_last(void *round) {
    REQUIRE(pthread_setspecific(key, round) == 0);
    return NULL;
}

int main(void) {
    REQUIRE(pthread_key_create(&key, destroy) == 0);
    size_t early = 0;
    for (size_t i = 0; i < THREADS; i++) {
        int round = 0;
        void *number = (void *)(uintptr_t)i;
        pthread_t thread = i % 3 == 0   ? thread_start(takes, number)
                           : i % 3 == 1 ? thread_start(only_frees, number)
                                        : thread_start(takes_at_last, &round);
        REQUIRE(pthread_join(thread, NULL) == 0);
        REQUIRE(i % 3 != 2 || round == ROUNDS);
        if (i == THREADS / 10) early = resident();
    }
    size_t late = resident();
    say_number(2, "resident after a tenth of the threads", early);
    say_number(2, "resident after all", late);
    REQUIRE(late < early + (2u << 20));
    for (size_t at = 0; at < SLOTS; at++) block_free(slot_swap(&slots[at], NULL));
    return done();
}
