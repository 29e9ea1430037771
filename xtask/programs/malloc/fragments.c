/* Fragmentation: in each phase blocks come that are larger than those before, most of which die before the next phase and
   some of which, at random, stay. */

#include "bench.h"

enum { PHASES = 12, BLOCKS = 150000, KEPT = PHASES * BLOCKS / 10 };

static void *kept[KEPT];
static size_t kept_bytes[KEPT];
static void *blocks[BLOCKS];
static size_t sizes[BLOCKS];

int main(void) {
    Random random = {1};
    uint64_t sum = 0;
    size_t count = 0;
    for (size_t phase = 0; phase < PHASES; phase++) {
        for (size_t i = 0; i < BLOCKS; i++) {
            sizes[i] = random_size(&random, 3) + random_below(&random, 16 + phase * 24);
            blocks[i] = malloc(sizes[i]);
            mark(blocks[i], sizes[i], i);
        }
        for (size_t i = 0; i < BLOCKS; i++) {
            sum += marked(blocks[i], sizes[i], i);
            if (count < KEPT && random_below(&random, 10) == 0) {
                kept_bytes[count] = sizes[i];
                mark(blocks[i], sizes[i], count);
                kept[count++] = blocks[i];
            } else {
                free(blocks[i]);
            }
        }
        /* Half of what was kept goes, at random. */
        for (size_t i = 0; i < count / 2; i++) {
            size_t at = random_below(&random, count);
            sum += marked(kept[at], kept_bytes[at], at);
            free(kept[at]);
            count--;
            if (at != count) {
                kept[at] = kept[count];
                kept_bytes[at] = kept_bytes[count];
                mark(kept[at], kept_bytes[at], at);
            }
        }
    }
    for (size_t i = 0; i < count; i++)
        free(kept[i]);
    return told(sum);
}
