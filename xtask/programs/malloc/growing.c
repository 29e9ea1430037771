/* Arrays that grow: many small ones in turn, and few that become large, by half or by a fixed step. */

#include "bench.h"

enum { ARRAYS = 400, ROUNDS = 150, LARGE = 24 };

static unsigned char *grown(unsigned char *array, size_t from, size_t to) {
    array = realloc(array, to);
    require(array != NULL, "no memory");
    require(from == 0 || array[from - 1] == (unsigned char)from, "the last byte before growing");
    memset(array + from, 1, to - from);
    array[to - 1] = (unsigned char)to;
    return array;
}

int main(void) {
    uint64_t sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
        unsigned char *arrays[ARRAYS] = {NULL};
        size_t sizes[ARRAYS] = {0};
        for (size_t step = 0; step < 14; step++)
            for (size_t i = 0; i < ARRAYS; i++) {
                size_t to = sizes[i] < 24 ? 24 + i % 17 : sizes[i] + sizes[i] / 2;
                arrays[i] = grown(arrays[i], sizes[i], to);
                sizes[i] = to;
                sum += to;
            }
        for (size_t i = 0; i < ARRAYS; i++)
            free(arrays[i]);
    }
    for (int round = 0; round < LARGE; round++) {
        unsigned char *array = NULL;
        size_t bytes = 0;
        while (bytes < (size_t)12 << 20) {
            size_t to = bytes + (size_t)(round % 2 ? 96 << 10 : 20000);
            array = grown(array, bytes, to);
            bytes = to;
            sum += to;
        }
        free(array);
    }
    return told(sum);
}
