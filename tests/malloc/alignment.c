/* What the functions that align promise, for every alignment and many sizes: checks as in contract.c.
 */
#include "contract.h"

/* A block of this alignment and size: in order, writable, movable, freed. */
static void use_aligned(void *pointer, size_t alignment, size_t size) {
    REQUIRE(pointer && aligned(pointer, alignment) && aligned(pointer, 16));
    size_t usable = malloc_usable_size(pointer);
    REQUIRE(usable >= size);
    fill(pointer, usable, 31);
    if (size % 3 == 0) {
        pointer = realloc(pointer, size + 5000);
        REQUIRE(pointer && filled(pointer, size & ~(size_t)7, 31));
    } else {
        REQUIRE(filled(pointer, usable, 31));
    }
    free(pointer);
}

CHECK(every_alignment_and_small_size) {
    for (size_t alignment = 1; alignment <= 4096; alignment *= 2)
        for (size_t size = 1; size <= 600; size++) {
            use_aligned(memalign(alignment, size), alignment, size);
            use_aligned(aligned_alloc(alignment, size), alignment, size);
            void *block = NULL;
            if (alignment < sizeof(void *)) continue;
            REQUIRE(posix_memalign(&block, alignment, size) == 0);
            use_aligned(block, alignment, size);
        }
}

CHECK(every_alignment_and_many_at_once) {
    enum { MANY = 24 };
    for (size_t alignment = 8; alignment <= (size_t)4 << 20; alignment *= 2)
        for (int i = 0; i < ASKED; i++) {
            void *blocks[MANY];
            size_t edge = asked[i] < 5000 ? asked[i] : 5000;
            for (int k = 0; k < MANY; k++) {
                REQUIRE(posix_memalign(&blocks[k], alignment, asked[i]) == 0);
                REQUIRE(blocks[k] && aligned(blocks[k], alignment));
                fill(blocks[k], edge, (uint32_t)k);
                fill((char *)blocks[k] + asked[i] - edge, edge, (uint32_t)k);
            }
            for (int k = 0; k < MANY; k++) {
                REQUIRE(asked[i] < 2 * edge || filled(blocks[k], edge, (uint32_t)k));
                REQUIRE(filled((char *)blocks[k] + asked[i] - edge, edge, (uint32_t)k));
                free(blocks[k]);
            }
        }
}

CHECK(large_alignments) {
    for (size_t alignment = 1 << 16; alignment <= (size_t)1 << 30; alignment *= 2) {
        use_aligned(memalign(alignment, 1), alignment, 1);
        use_aligned(aligned_alloc(alignment, 300001), alignment, 300001);
    }
}

CHECK(posix_memalign_refuses_bad_alignments) {
    const size_t bad[] = {0, 1, 2, 4, 3, 12, 24, 48, 100, Max, ((size_t)1 << 63) + 8};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char here;
        void *pointer = &here;
        errno = 81;
        REQUIRE(posix_memalign(&pointer, bad[i], 10) == EINVAL);
        REQUIRE(pointer == &here && errno == 81);
    }
}

CHECK(posix_memalign_that_fails_keeps_the_pointer) {
    char here;
    void *pointer = &here;
    REQUIRE(posix_memalign(&pointer, 64, Huge) == ENOMEM && pointer == &here);
    REQUIRE(posix_memalign(&pointer, (size_t)1 << 62, 1) == ENOMEM && pointer == &here);
}

CHECK(aligned_alloc_wants_powers_of_two) {
    const size_t bad[] = {0, 3, 24, 100};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        errno = 0;
        REQUIRE(aligned_alloc(bad[i], 100) == NULL && errno == EINVAL);
    }
    use_aligned(aligned_alloc(64, 100), 64, 100); /* no multiple of the alignment */
}

CHECK(memalign_rounds_alignments_up) {
    use_aligned(memalign(0, 100), 1, 100);
    use_aligned(memalign(24, 100), 32, 100);
    use_aligned(memalign(1000, 100), 1024, 100);
    errno = 0;
    REQUIRE(memalign(((size_t)1 << 63) + 1, 100) == NULL && errno == EINVAL);
}

CHECK(valloc_and_pvalloc_know_pages) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < ASKED; i++) {
        use_aligned(valloc(asked[i]), page, asked[i]);
        void *rounded = pvalloc(asked[i]);
        REQUIRE(malloc_usable_size(rounded) >= (asked[i] + page - 1) / page * page);
        use_aligned(rounded, page, asked[i]);
    }
}

int main(int count, char **arguments) { return run_case(count, arguments); }
