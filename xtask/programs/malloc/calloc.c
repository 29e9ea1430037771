/* Cleared memory of many sizes, which must be clear also where it was used before. */

#include "bench.h"

enum { SLOTS = 5000, STEPS = 2500000 };

static struct {
    unsigned char *block;
    size_t bytes;
} slots[SLOTS];

int main(void) {
    Random random = {1};
    uint64_t sum = 0;
    for (int i = 0; i < STEPS; i++) {
        size_t at = random_below(&random, SLOTS);
        free(slots[at].block);
        size_t count = 1 + random_below(&random, 16);
        size_t each = i % 1000 == 0 ? 20000 : random_size(&random, 6);
        unsigned char *block = calloc(count, each);
        require(block != NULL, "no memory");
        size_t bytes = count * each;
        require(block[0] == 0 && block[bytes / 2] == 0 && block[bytes - 1] == 0, "a cleared byte");
        memset(block, 0xff, bytes < 512 ? bytes : 512);
        block[bytes - 1] = 0xff;
        slots[at].block = block;
        slots[at].bytes = bytes;
        sum += bytes;
    }
    return told(sum);
}
