/* Large blocks in phases: buffers of 80 KiB to 4 MiB are taken, written, and given back, some at once and some at the end of
   their phase. */

#include "bench.h"

enum { PHASES = 50, BUFFERS = 40, BRIEF = 12 };

static void *written(size_t bytes, uint64_t with) {
    unsigned char *block = malloc(bytes);
    require(block != NULL, "no memory");
    for (size_t at = 0; at < bytes; at += 4096)
        block[at] = (unsigned char)with;
    mark(block, bytes, with);
    return block;
}

int main(void) {
    Random random = {1};
    uint64_t sum = 0;
    for (int phase = 0; phase < PHASES; phase++) {
        void *blocks[BUFFERS];
        size_t sizes[BUFFERS];
        for (size_t i = 0; i < BUFFERS; i++) {
            sizes[i] = ((size_t)80 << 10) << random_below(&random, 4);
            if (i % 16 == 0)
                sizes[i] = (size_t)4 << 20;
            sizes[i] += random_below(&random, 40000);
            blocks[i] = written(sizes[i], i);
            for (size_t k = 0; k < BRIEF; k++) {
                size_t bytes = ((size_t)64 << 10) + random_below(&random, 300000);
                void *brief = written(bytes, k);
                sum += marked(brief, bytes, k);
                free(brief);
            }
        }
        for (size_t i = 0; i < BUFFERS; i++) {
            sum += marked(blocks[i], sizes[i], i);
            free(blocks[i]);
        }
    }
    return told(sum);
}
