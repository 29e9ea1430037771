/* Memory goes back to the system when a phase of a program ends. One phase per run:
 *
 *   threads    64 threads allocate and die, the main thread frees what they left
 *   small      small blocks of one thread
 *   large      blocks of 1 MiB
 *   mixed      all sizes, freed in random order by four threads that did not allocate them
 *   sparse     the same, but one block in a hundred stays if it is small
 *   trim       small blocks, then malloc_trim and nothing else
 *   asleep     eight threads allocate and sleep, the main thread frees all of it and calls malloc_trim
 *   unasked    the same, and the main thread goes on with other sizes in place of malloc_trim
 *   crowd      a thousand threads sleep, each with thirty small blocks of as many sizes
 *   steady     a gigabyte through a window of 32 MiB, which never needs much more
 *
 * Each prints what was resident at the peak and at the end.
 */
#include "common.h"
#include <malloc.h>

enum { DYING = 64, MIB = 1 << 20 };

/* The books of a phase lie outside the malloc under test. */
static struct block **blocks;
static size_t count, start, peak;

static void open_books(void) {
    size_t bytes = sizeof *blocks << 22;
    void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    REQUIRE(map != MAP_FAILED);
    blocks = (struct block **)map;
}

static size_t allocate(size_t bytes, int small_only) {
    uint64_t random = 4711;
    size_t sum = 0;
    while (sum < bytes) {
        size_t size = random_size(&random);
        if (small_only) size %= 1000;
        size_t at = __atomic_fetch_add(&count, 1, __ATOMIC_RELAXED);
        REQUIRE(at < 1 << 22);
        blocks[at] = block_new(size, (uint32_t)at);
        sum += size;
    }
    return sum;
}

/* The books themselves are resident too: they are given back before anything is compared. */
static void close_books(void) { REQUIRE(madvise(blocks, sizeof *blocks << 22, MADV_DONTNEED) == 0); }

static void report(size_t bound) {
    close_books();
    size_t end = resident_after(start + bound);
    say_number(2, "resident at the start", start);
    say_number(2, "resident at the peak", peak);
    say_number(2, "resident at the end", end);
    REQUIRE(end <= start + bound);
}

static void *dying(void *argument) {
    allocate(4 * MIB, 0);
    return argument;
}

static void threads(void) {
    pthread_t threads[DYING];
    for (int i = 0; i < DYING; i++) threads[i] = thread_start(dying, NULL);
    for (int i = 0; i < DYING; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
    peak = resident();
    REQUIRE(peak > start + (size_t)DYING * 4 * MIB);
    for (size_t at = 0; at < count; at++) block_free(blocks[at]);
    report(32 * MIB);
}

static void small(void) {
    allocate(128 * MIB, 1);
    peak = resident();
    REQUIRE(peak > start + 128 * MIB);
    for (size_t at = 0; at < count; at++) block_free(blocks[at]);
    report(24 * MIB);
}

static void large(void) {
    for (; count < 200; count++) blocks[count] = block_new(MIB, (uint32_t)count);
    peak = resident();
    REQUIRE(peak > start + 200 * MIB);
    for (size_t at = 0; at < count; at++) block_free(blocks[at]);
    report(24 * MIB);
}

static void *take_and_free(void *argument) {
    uint64_t random = (uint64_t)(uintptr_t)argument * 1299709;
    for (size_t i = 0; i < count; i++) block_free(slot_swap(&blocks[next_random(&random) % count], NULL));
    return NULL;
}

static void free_by_others(void) {
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) threads[i] = thread_start(take_and_free, (void *)(uintptr_t)(i + 1));
    for (int i = 0; i < 4; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
    for (size_t at = 0; at < count; at++) block_free(blocks[at]);
}

static void mixed(void) {
    allocate(128 * MIB, 0);
    peak = resident();
    REQUIRE(peak > start + 128 * MIB);
    free_by_others();
    report(32 * MIB);
}

static void sparse(void) {
    enum { KEPT = 1000 };
    allocate(128 * MIB, 0);
    peak = resident();
    struct block *kept[KEPT] = {NULL};
    size_t number = 0;
    for (size_t at = 0; at < count && number < KEPT; at += 100)
        if (blocks[at]->size < 1000) kept[number++] = slot_swap(&blocks[at], NULL);
    REQUIRE(number > 100);
    free_by_others();
    report(56 * MIB);
    for (size_t at = 0; at < number; at++) block_free(kept[at]);
}

static void trim(void) {
    allocate(64 * MIB, 1);
    peak = resident();
    for (size_t at = 0; at < count; at++) block_free(blocks[at]);
    close_books();
    (void)malloc_trim(0);
    size_t end = resident();
    say_number(2, "resident at the peak", peak);
    say_number(2, "resident after malloc_trim", end);
    REQUIRE(peak > start + 64 * MIB && end < start + 16 * MIB);
}

static void steady(void) {
    uint64_t random = 12345;
    size_t live = 0, through = 0, oldest = 0;
    while (through < (size_t)1024 * MIB) {
        size_t size = random_size(&random);
        struct block *block = block_new(size, (uint32_t)count);
        blocks[count++ % (1 << 22)] = block;
        live += size;
        through += size;
        for (; live > (size_t)32 * MIB; oldest++) {
            live -= blocks[oldest % (1 << 22)]->size;
            block_free(blocks[oldest % (1 << 22)]);
        }
        if (count % 4096 == 0 && resident() > peak) peak = resident();
    }
    say_number(2, "resident at the peak", peak);
    REQUIRE(peak > start + 32 * MIB && peak < start + 96 * MIB);
}

/* Threads that sleep when they have done `work`, until `wake`. */
static pthread_barrier_t asleep, awake;

static void sleep_until_woken(void) {
    (void)pthread_barrier_wait(&asleep);
    (void)pthread_barrier_wait(&awake);
}

static void put_to_sleep(pthread_t *threads, unsigned number, void *(*work)(void *)) {
    REQUIRE(pthread_barrier_init(&asleep, NULL, number + 1) == 0);
    REQUIRE(pthread_barrier_init(&awake, NULL, number + 1) == 0);
    for (unsigned i = 0; i < number; i++) threads[i] = thread_start(work, NULL);
    (void)pthread_barrier_wait(&asleep);
}

static void wake(pthread_t *threads, unsigned number) {
    (void)pthread_barrier_wait(&awake);
    for (unsigned i = 0; i < number; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
}

static void *allocate_and_sleep(void *argument) {
    allocate(16 * MIB, 1);
    sleep_until_woken();
    block_free(block_new(100, 2));
    return argument;
}

static void free_of_sleepers(int ask) {
    enum { SLEEPERS = 8 };
    pthread_t threads[SLEEPERS];
    put_to_sleep(threads, SLEEPERS, allocate_and_sleep);
    peak = resident();
    REQUIRE(peak > start + (size_t)SLEEPERS * 16 * MIB);
    for (size_t at = 0; at < count; at++) block_free(blocks[at]);
    close_books();
    if (ask) (void)malloc_trim(0);
    size_t bound = start + (ask ? 16 : 40) * (size_t)MIB;
    for (size_t round = 0; !ask && round < 400 && resident() > bound; round++) {
        struct block *some[64];
        for (size_t i = 0; i < 64; i++) some[i] = block_new(2000 + 100 * (round % 100) + i, 3);
        for (size_t i = 0; i < 64; i++) block_free(some[i]);
        REQUIRE(usleep(10000) == 0);
    }
    size_t end = resident();
    say_number(2, "resident at the peak", peak);
    say_number(2, "resident at the end", end);
    REQUIRE(end <= bound);
    wake(threads, SLEEPERS);
}

static void sleepers(void) { free_of_sleepers(1); }

static void unasked(void) { free_of_sleepers(0); }

static void *take_a_little_and_sleep(void *argument) {
    enum { SIZES = 30 };
    struct block *some[SIZES];
    for (size_t i = 0; i < SIZES; i++) some[i] = block_new(24 + 40 * i, 4);
    sleep_until_woken();
    for (size_t i = 0; i < SIZES; i++) block_free(some[i]);
    return argument;
}

static void crowd(void) {
    enum { CROWD = 1000 };
    static pthread_t threads[CROWD];
    put_to_sleep(threads, CROWD, take_a_little_and_sleep);
    size_t each = (resident() - start) / CROWD;
    say_number(2, "resident for each thread", each);
    REQUIRE(each < 60 << 10);
    wake(threads, CROWD);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
    } phases[] = {{"threads", threads}, {"small", small},   {"large", large},  {"mixed", mixed},
                  {"sparse", sparse},   {"trim", trim},     {"steady", steady},
                  {"asleep", sleepers}, {"unasked", unasked}, {"crowd", crowd}};
    REQUIRE(argc == 2);
    open_books();
    block_free(block_new(100, 1));
    start = resident();
    for (size_t i = 0; i < sizeof phases / sizeof *phases; i++)
        if (strcmp(phases[i].name, argv[1]) == 0) {
            phases[i].run();
            return done();
        }
    say(2, "no such phase\n");
    return 2;
}
