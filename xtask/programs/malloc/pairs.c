/* Blocks that are freed at once or in the opposite order, as a parser's or a compiler's: the fast paths and nothing else. */

#include "bench.h"

enum { ROUNDS = 500000, DEPTH = 40 };

int main(void) {
    uint64_t sum = 0;
    void *stack[DEPTH];
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < DEPTH; i++) {
            stack[i] = malloc(16 + i % 8 * 16);
            mark(stack[i], 16, (uint64_t)i);
            void *brief = malloc(48);
            mark(brief, 48, 7);
            sum += marked(brief, 48, 7);
            free(brief);
        }
        for (int i = DEPTH; i-- > 0;) {
            sum += marked(stack[i], 16, (uint64_t)i);
            free(stack[i]);
        }
    }
    return told(sum);
}
