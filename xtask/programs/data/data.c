/* Loops of C's over a program's list of 1000 elements, and over its procedures. Each gives the nanoseconds of processor time for an
 * element or a call: the least of seven runs. */
#define _GNU_SOURCE
#include "data.h"
#include <stdio.h>
#include <time.h>

#define ELEMENTS 1000
#define TURNS 200

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Runs a block, a turn, which counts in `n` what it has done. */
#define MEASURE(...)                                                                             \
    double least = 0;                                                                            \
    for (int run = 0; run < 7; run++) {                                                          \
        double began = now();                                                                    \
        long n = 0;                                                                              \
        for (int turn = 0; turn < TURNS; turn++) __VA_ARGS__                                     \
        double each = (now() - began) / ((double)TURNS * ELEMENTS);                              \
        if (n != (long)TURNS * ELEMENTS) fprintf(stderr, "%s: %ld: %s\n", __func__, n, bl_last_error()); \
        if (run == 0 || each < least) least = each;                                              \
    }                                                                                            \
    return least;

double by_words(bl_handle list)
{
    MEASURE({
        bl_nogc scope;
        bl_nogc_begin(&scope);
        bl_value rest = bl_raw(&scope, list), first;
        while (uncons_raw(&scope, rest, &first, &rest)) n++;
        bl_nogc_end(&scope);
    })
}

double by_assigning(bl_handle list)
{
    MEASURE({
        bl_handle rest = bl_local(list), first = bl_local(list);
        while (uncons_assign(rest, first, rest)) n++;
        bl_free(first);
        bl_free(rest);
    })
}

double by_handles(bl_handle list)
{
    MEASURE({
        bl_scope scope = bl_scope_open();
        bl_handle rest = list, first;
        while (uncons(rest, &first, &rest)) n++;
        bl_scope_close(scope);
    })
}

double by_procedures(bl_handle list)
{
    MEASURE({
        bl_scope scope = bl_scope_open();
        bl_handle rest = list;
        for (int i = 0; i < ELEMENTS; i++) {
            if (head(rest).bits != 0) n++;
            rest = tail(rest);
        }
        bl_scope_close(scope);
    })
}

double calls_light(void)
{
    MEASURE({
        for (int i = 0; i < ELEMENTS; i++) n += next_light(i) - i;
    })
}

double calls_full(void)
{
    MEASURE({
        for (int i = 0; i < ELEMENTS; i++) n += next_full(i) - i;
    })
}

double calls_back(int (*callback)(int))
{
    MEASURE({
        for (int i = 0; i < ELEMENTS; i++) n += callback(i) - i;
    })
}
