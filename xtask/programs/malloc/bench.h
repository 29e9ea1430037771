/* What the programs of the malloc set share: numbers that are the same in every run, a sum that shows that the work
   was done, and an end when it was not. Works in C and in C++. */

#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* xorshift64* (Vigna, 2016). */
typedef struct {
    uint64_t state;
} Random;

static inline uint64_t random_next(Random *r) {
    r->state ^= r->state >> 12;
    r->state ^= r->state << 25;
    r->state ^= r->state >> 27;
    return r->state * 0x2545f4914f6cdd1dULL;
}

static inline size_t random_below(Random *r, size_t n) {
    return (size_t)((random_next(r) >> 32) * n >> 32);
}

/* A size as programs ask for: most are small, few are large. At most 16 << SHIFT. */
static inline size_t random_size(Random *r, unsigned shift) {
    unsigned zeros = (unsigned)__builtin_ctzll(random_next(r) | 1ULL << shift);
    return 1 + random_below(r, (size_t)16 << zeros);
}

static inline void require(int right, const char *what) {
    if (!right) {
        fprintf(stderr, "wrong: %s\n", what);
        exit(1);
    }
}

/* Marks a block at both ends. */
static inline void mark(void *block, size_t bytes, uint64_t with) {
    unsigned char *first = (unsigned char *)block;
    require(block != NULL, "no memory");
    first[bytes - 1] = (unsigned char)(with >> 8);
    first[0] = (unsigned char)with;
}

/* Gives the mark back, and requires that it is still the one of `mark`. */
static inline uint64_t marked(const void *block, size_t bytes, uint64_t with) {
    const unsigned char *first = (const unsigned char *)block;
    require(first[0] == (unsigned char)with, "the first byte of a block");
    require(bytes == 1 || first[bytes - 1] == (unsigned char)(with >> 8), "the last byte of a block");
    return with & 0xff;
}

static inline int told(uint64_t sum) {
    printf("checksum=%llu\n", (unsigned long long)(sum & 0xffffffff));
    return 0;
}

#endif
