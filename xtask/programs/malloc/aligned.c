/* Aligned blocks, from a vector register's to a page's, beside plain ones. */

#include "bench.h"

enum { SLOTS = 40000, STEPS = 4000000 };

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
        size_t align = (size_t)16 << random_below(&random, i % 64 == 0 ? 9 : 4);
        size_t bytes = 15 + random_size(&random, 6);
        void *block = NULL;
        require(posix_memalign(&block, align, bytes) == 0, "no memory");
        require((uintptr_t)block % align == 0, "an alignment");
        mark(block, bytes, at);
        slots[at].block = block;
        slots[at].bytes = bytes;
    }
    return told(sum);
}
