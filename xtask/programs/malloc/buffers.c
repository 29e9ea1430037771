/* Buffers of a few KiB, as of files and sockets: read into, passed on, given back in the order of coming. */

#include "bench.h"

enum { QUEUE = 256, STEPS = 250000 };

static struct {
    void *block;
    size_t bytes;
} queue[QUEUE];

int main(void) {
    static const size_t sizes[] = {4096, 8192, 1500, 16384, 2048, 32768, 65536};
    Random random = {1};
    uint64_t sum = 0;
    for (size_t i = 0; i < STEPS; i++) {
        size_t at = i % QUEUE;
        if (queue[at].block != NULL) {
            sum += marked(queue[at].block, queue[at].bytes, at);
            free(queue[at].block);
        }
        queue[at].bytes = sizes[random_below(&random, sizeof sizes / sizeof *sizes)] + i % 100;
        queue[at].block = malloc(queue[at].bytes);
        require(queue[at].block != NULL, "no memory");
        memset(queue[at].block, (int)i, queue[at].bytes);
        mark(queue[at].block, queue[at].bytes, at);
    }
    return told(sum);
}
