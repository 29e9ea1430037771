/* Threads that start, do a little work and end, a few at a time. */

#include "bench.h"
#include <pthread.h>

enum { ROUNDS = 3000, THREADS = 4, BLOCKS = 60 };

static void *work(void *of) {
    uint64_t *sum = of;
    Random random = {*sum + 1};
    void *blocks[BLOCKS];
    size_t sizes[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        sizes[i] = random_size(&random, 7);
        blocks[i] = malloc(sizes[i]);
        mark(blocks[i], sizes[i], i);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        *sum += marked(blocks[i], sizes[i], i);
        free(blocks[i]);
    }
    return NULL;
}

int main(void) {
    uint64_t sums[THREADS] = {0};
    uint64_t sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++)
            require(pthread_create(&threads[i], NULL, work, &sums[i]) == 0, "a thread");
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < THREADS; i++)
        sum += sums[i];
    return told(sum);
}
