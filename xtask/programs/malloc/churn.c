/* Small objects, each of which lives for a random time: in every step one of 150,000 slots is emptied and filled. */

#include "bench.h"

enum { SLOTS = 150000, STEPS = 6000000 };

static struct {
    void *block;
    size_t bytes;
} slots[SLOTS];

int main(void) {
    Random random = {1};
    uint64_t sum = 0;
    for (int i = 0; i < STEPS; i++) {
        size_t at = random_below(&random, SLOTS);
        if (slots[at].block != NULL) {
            sum += marked(slots[at].block, slots[at].bytes, at);
            free(slots[at].block);
        }
        slots[at].bytes = random_size(&random, 5);
        slots[at].block = malloc(slots[at].bytes);
        mark(slots[at].block, slots[at].bytes, at);
    }
    return told(sum);
}
