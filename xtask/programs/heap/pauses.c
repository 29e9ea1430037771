/* The load of gc/heap/examples/pauses.rs on the Boehm collector: a table of trees of 15 nodes, steps that allocate 68 of
   them and put a few in the places of random older ones, at a rate. Told are how long steps took and how late they
   ended, in microseconds. Arguments: live MB, counted as there, MB/s, seconds, kept of each step. */
#include <gc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { STEP = 68, CHUNK = 1024, TREE_BYTES = 240, RECORD_BYTES = 248 };

typedef struct node {
    struct node *left;
    struct node *right;
} node;

static uint64_t state = 88172645463325252u;

static size_t below(size_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (size_t)((state >> 32) * n >> 32);
}

static void *got(void *p)
{
    if (p == NULL) {
        fputs("out of memory\n", stderr);
        exit(1);
    }
    return p;
}

static node *make(int depth)
{
    node *tree = got(GC_MALLOC(sizeof *tree));
    if (depth > 0) {
        tree->left = make(depth - 1);
        tree->right = make(depth - 1);
    }
    return tree;
}

static int count(const node *tree)
{
    return tree == NULL ? 0 : 1 + count(tree->left) + count(tree->right);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void wait_for(double seconds)
{
    struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&t, NULL);
}

static int order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double at(const double *sorted, size_t n, double share)
{
    double place = share * (double)n;
    size_t i = (size_t)place;
    i = (double)i < place ? i : i - (i > 0);
    return 1e6 * sorted[i < n ? i : n - 1];
}

static void tell(const char *name, double *times, size_t n)
{
    qsort(times, n, sizeof *times, order);
    printf("%s %zu %.1f %.1f %.1f %.1f\n", name, n, at(times, n, 0.5), at(times, n, 0.99), at(times, n, 0.999),
           at(times, n, 1));
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fputs("usage: pauses LIVE RATE SECONDS KEEP\n", stderr);
        return 2;
    }
    size_t records = (size_t)(atof(argv[1]) * 1048576 / RECORD_BYTES);
    double period = STEP * TREE_BYTES / (atof(argv[2]) * 1048576), seconds = atof(argv[3]);
    int keep = atoi(argv[4]);
    GC_INIT();
    node ***table = got(GC_MALLOC((records / CHUNK + 1) * sizeof *table));
    for (size_t i = 0; i < records; i++) {
        if (i % CHUNK == 0)
            table[i / CHUNK] = got(GC_MALLOC(CHUNK * sizeof **table));
        table[i / CHUNK][i % CHUNK] = make(3);
    }
    size_t most = (size_t)(seconds / period) + 2, steps = 0;
    double *took = got(malloc(most * sizeof *took)), *late = got(malloc(most * sizeof *late));
    double begun = now();
    for (double due = 0; due < seconds && steps < most; due += period, steps++) {
        double began = now() - begun, ready = due;
        if (began + 60e-6 < due) {
            wait_for(due - began);
            ready = began = now() - begun;
        }
        for (int i = 0; i < STEP; i++) {
            node *fresh = make(3);
            size_t place = below(records);
            if (i < keep)
                table[place / CHUNK][place % CHUNK] = fresh;
        }
        size_t place = below(records);
        if (count(table[place / CHUNK][place % CHUNK]) != 15) {
            fputs("a record is damaged\n", stderr);
            return 1;
        }
        double ended = now() - begun;
        took[steps] = ended - began;
        late[steps] = ended > ready ? ended - ready : 0;
    }
    tell("steps", took, steps);
    tell("late", late, steps);
    return 0;
}
