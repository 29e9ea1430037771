/* The size that a block would have is the one that it has. */
#include "check.h"
#include <malloc.h>

size_t malloc_good_size(size_t);

int main(void) {
    for (size_t bytes = 1; bytes < 500000; bytes = bytes * 5 / 4 + 1) {
        void *block = malloc(bytes);
        CHECK(malloc_good_size(bytes) == malloc_usable_size(block));
        free(block);
    }
    return 0;
}
