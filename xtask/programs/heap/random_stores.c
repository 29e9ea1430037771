/* Random stores into old vectors on the Boehm collector: the work of the heap's example of this name. */
#include <gc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A number is odd, so that no store looks like a pointer; a pair is two words. */
typedef struct pair {
    intptr_t car, cdr;
} pair;

static uint64_t state = 88172645463325252u;

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void *room(size_t bytes)
{
    void *p = GC_MALLOC(bytes);
    if (p == NULL) {
        fputs("out of memory\n", stderr);
        exit(1);
    }
    return p;
}

static intptr_t fixnum(int64_t n)
{
    return (intptr_t)((uint64_t)n << 1 | 1);
}

static pair *new_pair(int64_t n)
{
    pair *p = room(sizeof *p);
    p->car = fixnum(n);
    p->cdr = fixnum(0);
    return p;
}

static int64_t number(intptr_t word)
{
    if (word == 0)
        return 0;
    return (word & 1 ? word : ((pair *)word)->car) >> 1;
}

static int64_t checksum(intptr_t **all, size_t count, size_t length)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < length; j++)
            sum = sum * 31 + (uint64_t)number(all[i][1 + j]);
    return (int64_t)sum;
}

int main(int argc, char **argv)
{
    const char *kind = argc > 1 ? argv[1] : "pairs";
    size_t bytes = argc > 2 ? strtoull(argv[2], NULL, 10) : 1 << 20;
    int64_t stores = argc > 3 ? atoll(argv[3]) : 10000000;
    int fixnums = strcmp(kind, "fixnums") == 0, old = strcmp(kind, "old") == 0;
    size_t all_bytes = (argc > 4 ? strtoull(argv[4], NULL, 10) : 1) << 20;
    int64_t garbage = argc > 5 ? atoll(argv[5]) : 0;
    size_t count = 1, length = bytes / 8 - 1;
    while (count < all_bytes / bytes)
        count *= 2;
    GC_INIT();
    intptr_t **all = room(count * sizeof *all);
    for (size_t i = 0; i < count; i++)
        all[i] = room(bytes);
    pair *kept = new_pair(1);
    GC_gcollect();
    struct timespec begun, ended;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    for (int64_t i = 0; i < stores; i++) {
        for (int64_t n = 0; n < garbage; n++)
            new_pair(n);
        uint64_t r = next();
        size_t which = (uint32_t)(r >> 32) & (count - 1);
        size_t slot = (r & 0xffffffff) * length >> 32;
        all[which][1 + slot] =
            fixnums ? fixnum(i) : (intptr_t)(old ? kept : new_pair(i));
    }
    clock_gettime(CLOCK_MONOTONIC, &ended);
    double ns = (double)(ended.tv_sec - begun.tv_sec) * 1e9 + (double)(ended.tv_nsec - begun.tv_nsec);
    printf("checksum %lld, %.2f ns a store\n", (long long)checksum(all, count, length),
           ns / (double)(stores > 0 ? stores : 1));
    return 0;
}
