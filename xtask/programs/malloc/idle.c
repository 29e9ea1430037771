/* A phase of much memory, then little to do for a second: what the process still has afterwards is told as `left`, in KiB. */

#include "bench.h"
#include <time.h>
#include <unistd.h>

enum { BLOCKS = 1200000, TICKS = 100 };

static void *blocks[BLOCKS];

static long resident(void) {
    long whole = 0, here = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    require(file != NULL && fscanf(file, "%ld %ld", &whole, &here) == 2, "/proc/self/statm");
    fclose(file);
    return here * (sysconf(_SC_PAGESIZE) / 1024);
}

int main(void) {
    Random random = {1};
    uint64_t sum = 0;
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t bytes = 16 + random_size(&random, 6);
        blocks[i] = malloc(bytes);
        mark(blocks[i], bytes, i);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        sum += marked(blocks[i], 1, i);
        free(blocks[i]);
    }
    for (int tick = 0; tick < TICKS; tick++) {
        struct timespec moment = {0, 10000000};
        nanosleep(&moment, NULL);
        void *block = malloc(100000);
        mark(block, 100000, 1);
        free(block);
    }
    printf("left=%ld\n", resident());
    return told(sum);
}
