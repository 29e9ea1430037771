/* A server, after Larson and Krishnan, "Memory allocation for long-running server applications" (ISMM 1998): threads
   replace random blocks of their connections and hand them to threads that come after them, who free what others
   have allocated. */

#include "bench.h"
#include <pthread.h>

enum { THREADS = 4, GENERATIONS = 20, SLOTS = 20000, STEPS = 150000 };

typedef struct {
    Random random;
    uint64_t sum;
    void *blocks[SLOTS];
    size_t bytes[SLOTS];
} Connections;

static Connections all[THREADS];

static void *serve(void *of) {
    Connections *mine = of;
    for (int i = 0; i < STEPS; i++) {
        size_t at = random_below(&mine->random, SLOTS);
        if (mine->blocks[at] != NULL) {
            mine->sum += marked(mine->blocks[at], mine->bytes[at], at);
            free(mine->blocks[at]);
        }
        mine->bytes[at] = random_size(&mine->random, 6);
        mine->blocks[at] = malloc(mine->bytes[at]);
        mark(mine->blocks[at], mine->bytes[at], at);
    }
    return NULL;
}

int main(void) {
    uint64_t sum = 0;
    for (int i = 0; i < THREADS; i++)
        all[i].random.state = (uint64_t)i + 1;
    for (int generation = 0; generation < GENERATIONS; generation++) {
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++)
            require(pthread_create(&threads[i], NULL, serve, &all[(i + generation) % THREADS]) == 0, "a thread");
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < THREADS; i++)
        sum += all[i].sum;
    return told(sum);
}
