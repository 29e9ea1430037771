/* What the C standard, POSIX, the GNU C library and this malloc promise: one check per promise, one
 * check per run. The tests find the names by the lines that begin with CHECK. What is promised of
 * alignment stands in alignment.c.
 */
#include "contract.h"
#include <dlfcn.h>
#include <stdio.h>

/* A name of the malloc's that no header declares. */
static void *symbol(const char *name) {
    void *found = dlsym(RTLD_DEFAULT, name);
    if (!found) {
        say(2, "not there: ");
        say(2, name);
        say(2, "\n");
        _exit(1);
    }
    return found;
}

/* The table by which a program asks for the region; the fields that are used here. */
struct region {
    uint32_t version, bytes;
    _Bool (*contains)(const void *);
    size_t (*live_bytes)(uint32_t class_of_account);
};

static const struct region *region(void) { return (const struct region *)symbol("bowline_region_v1"); }

/* Sizes */

CHECK(malloc_of_zero_is_a_block) {
    void *first = malloc(0), *second = malloc(0);
    REQUIRE(first && second && first != second);
    REQUIRE(aligned(first, 16) && aligned(second, 16));
    free(first);
    free(second);
}

CHECK(every_size_is_aligned_and_writable) {
    enum { MOST = 9000 };
    static char *blocks[MOST];
    for (size_t size = 0; size < MOST; size++) {
        blocks[size] = (char *)malloc(size);
        REQUIRE(blocks[size] && aligned(blocks[size], 16));
        size_t usable = malloc_usable_size(blocks[size]);
        REQUIRE(usable >= size && usable <= size + size / 4 + 64);
        fill(blocks[size], usable, (uint32_t)size);
    }
    for (size_t size = 0; size < MOST; size++) {
        REQUIRE(filled(blocks[size], malloc_usable_size(blocks[size]), (uint32_t)size));
        free(blocks[size]);
    }
}

CHECK(powers_of_two_and_neighbours) {
    for (size_t power = 1; power <= (size_t)256 << 20; power *= 2)
        for (int off = -1; off <= 1; off++) {
            size_t size = power + (size_t)off;
            char *block = (char *)malloc(size);
            REQUIRE(block && aligned(block, 16) && malloc_usable_size(block) >= size);
            if (size) block[0] = block[size - 1] = 'x';
            free(block);
        }
}

static int by_address(const void *one, const void *other) {
    uintptr_t a = *(const uintptr_t *)one, b = *(const uintptr_t *)other;
    return (a > b) - (a < b);
}

CHECK(blocks_do_not_overlap) {
    enum { MANY = 20000 };
    static void *blocks[MANY];
    uint64_t random = 3;
    for (int i = 0; i < MANY; i++) REQUIRE((blocks[i] = malloc(random_size(&random))));
    /* Half of them change, so that holes are used again. */
    for (int i = 0; i < MANY; i += 2) free(blocks[i]);
    for (int i = 0; i < MANY; i += 2) REQUIRE((blocks[i] = malloc(random_size(&random))));
    qsort(blocks, MANY, sizeof *blocks, by_address);
    for (int i = 0; i + 1 < MANY; i++)
        REQUIRE((char *)blocks[i] + malloc_usable_size(blocks[i]) <= (char *)blocks[i + 1]);
    for (int i = 0; i < MANY; i++) free(blocks[i]);
}

CHECK(huge_sizes_fail_with_enomem) {
    const size_t sizes[] = {Huge, Huge + 1, SIZE_MAX, SIZE_MAX - 4096, (size_t)1 << 47, (size_t)1 << 60};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        FAILS(malloc(sizes[i]));
        FAILS(calloc(1, sizes[i]));
        FAILS(realloc(NULL, sizes[i]));
        FAILS(aligned_alloc(64, sizes[i]));
        FAILS(memalign(64, sizes[i]));
        FAILS(valloc(sizes[i]));
        FAILS(pvalloc(sizes[i]));
    }
    block_free(block_new(100, 1));
}

CHECK(a_gigabyte_untouched_is_not_resident) {
    size_t before = resident();
    char *block = (char *)malloc((size_t)1 << 30), *zeroed = (char *)calloc((size_t)1 << 20, 1 << 10);
    REQUIRE(block && zeroed && zeroed[0] == 0 && zeroed[((size_t)1 << 30) - 1] == 0);
    REQUIRE(resident() < before + (8 << 20));
    free(block);
    free(zeroed);
}

CHECK(a_large_block_is_used_again_cheaply) {
    unsigned long before = 0;
    for (int i = 0; i < 2000; i++) {
        if (i == 100) before = memory(0);
        char *block = (char *)malloc(1 << 20);
        REQUIRE(block);
        memset(block, i, 1 << 20);
        REQUIRE(block[12345] == (char)i);
        free(block);
    }
    REQUIRE(memory(0) <= before + (4 << 20) && resident() < 64 << 20);
}

CHECK(usable_size_of_null_is_zero) { REQUIRE(malloc_usable_size(NULL) == 0); }

/* free */

CHECK(free_of_null_does_nothing) {
    errno = 77;
    free(NULL);
    REQUIRE(errno == 77);
}

static void *free_it(void *block) {
    errno = 78;
    free(block);
    REQUIRE(errno == 78);
    return NULL;
}

CHECK(free_keeps_errno) {
    const size_t sizes[] = {1, 100, 5000, 100000, 3 << 20, 100 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void *block = malloc(sizes[i]), *other = malloc(sizes[i]);
        REQUIRE(block && other);
        free_it(block);
        REQUIRE(pthread_join(thread_start(free_it, other), NULL) == 0);
    }
}

CHECK(success_keeps_errno) {
    uint64_t random = 9;
    errno = 79;
    for (int i = 0; i < 20000; i++) {
        void *block = malloc(random_size(&random));
        block = realloc(block, random_size(&random));
        void *zeroed = calloc(2, random_size(&random));
        REQUIRE(block && zeroed && errno == 79);
        free(block);
        free(zeroed);
    }
    REQUIRE(errno == 79);
}

/* realloc */

CHECK(realloc_of_null_allocates) {
    void *block = realloc(NULL, 100);
    REQUIRE(block && malloc_usable_size(block) >= 100);
    free(block);
    REQUIRE((block = realloc(NULL, 0)) != NULL);
    free(block);
}

CHECK(realloc_to_zero_frees) {
    errno = 80;
    for (int i = 0; i < 100000; i++) {
        REQUIRE(realloc(malloc(1000), 0) == NULL);
        REQUIRE(realloc(malloc(1), 0) == NULL);
    }
    for (int i = 0; i < 100; i++) REQUIRE(realloc(malloc(4 << 20), 0) == NULL);
    REQUIRE(errno == 80 && resident() < 48 << 20);
}

CHECK(realloc_keeps_contents) {
    const size_t sizes[] = {1, 15, 16, 17, 100, 1000, 1024, 1025, 4000, 9000, 33000, 65536, 70000, 300000, 1 << 20, 5 << 20};
    enum { COUNT = sizeof sizes / sizeof *sizes };
    for (int from = 0; from < COUNT; from++)
        for (int to = 0; to < COUNT; to++) {
            char *block = (char *)malloc(sizes[from]);
            fill(block, sizes[from], 5);
            block = (char *)realloc(block, sizes[to]);
            REQUIRE(block && aligned(block, 16) && malloc_usable_size(block) >= sizes[to]);
            size_t kept = sizes[from] < sizes[to] ? sizes[from] : sizes[to];
            char *expected = (char *)malloc(sizes[from]);
            fill(expected, sizes[from], 5);
            REQUIRE(memcmp(block, expected, kept) == 0);
            fill(block, sizes[to], 6);
            free(block);
            free(expected);
        }
}

CHECK(realloc_in_small_steps) {
    char *block = NULL;
    for (size_t size = 1; size <= 3 << 20; size += 1 + size / 50) {
        block = (char *)realloc(block, size);
        REQUIRE(block);
        block[size - 1] = (char)size;
        block[0] = 'b';
    }
    for (size_t size = 3 << 20; size > 1; size -= 1 + size / 50) {
        block = (char *)realloc(block, size);
        REQUIRE(block && block[0] == 'b');
    }
    free(block);
}

CHECK(realloc_that_fails_keeps_the_block) {
    const size_t sizes[] = {10, 5000, 3 << 20};
    for (int i = 0; i < 3; i++) {
        struct block *block = block_new(sizes[i], 7);
        FAILS(realloc(block, Huge + 1));
        FAILS(realloc(block, (size_t)1 << 47));
        FAILS(reallocarray(block, Huge, 4));
        block_check(block);
        block_free(block);
    }
}

CHECK(realloc_to_less_gives_memory_back) {
    /* What may stay free, and a MiB for what is in use. */
    size_t most = resident() + (33 << 20);
    char *block = (char *)malloc(200 << 20);
    memset(block, 1, 200 << 20);
    block = (char *)realloc(block, 1000);
    REQUIRE(block && block[999] == 1 && malloc_usable_size(block) < 1 << 20);
    REQUIRE(resident_after(most) <= most);
    free(block);
}

/* calloc and reallocarray */

CHECK(calloc_is_zero_where_memory_was_used) {
    uint64_t random = 21;
    for (int i = 0; i < 3000; i++) {
        size_t size = random_size(&random);
        char *dirty = (char *)malloc(size);
        memset(dirty, 0xff, malloc_usable_size(dirty));
        free(dirty);
        char *zeroed = (char *)calloc(1, size);
        REQUIRE(zeroed && aligned(zeroed, 16));
        for (size_t at = 0; at < size; at++) REQUIRE(zeroed[at] == 0);
        memset(zeroed, 0xfe, size);
        free(zeroed);
    }
}

CHECK(calloc_overflow_fails) {
    FAILS(calloc(Max, 2));
    FAILS(calloc(2, Max));
    FAILS(calloc(Max / 8 + 1, 8));
    FAILS(calloc(Half, Half));
    FAILS(calloc(Max, Max));
}

CHECK(calloc_of_nothing_is_a_block) {
    void *first = calloc(0, 10), *second = calloc(10, 0), *third = calloc(0, Max);
    REQUIRE(first && second && third && first != second && second != third);
    free(first);
    free(second);
    free(third);
}

CHECK(reallocarray_multiplies) {
    char *block = (char *)reallocarray(NULL, 100, 30);
    REQUIRE(block && malloc_usable_size(block) >= 3000);
    memset(block, 'r', 3000);
    block = (char *)reallocarray(block, 1000, 30);
    REQUIRE(block && malloc_usable_size(block) >= 30000 && block[2999] == 'r');
    free(block);
}

CHECK(reallocarray_overflow_fails) {
    FAILS(reallocarray(NULL, Max, 2));
    FAILS(reallocarray(NULL, Half, Half));
}

/* Names that few headers declare */

CHECK(reallocf_frees_on_failure) {
    void *(*reallocf)(void *, size_t);
    *(void **)&reallocf = symbol("reallocf");
    char *block = (char *)reallocf(malloc(10), 5000);
    REQUIRE(block && malloc_usable_size(block) >= 5000);
    free(block);
    for (int i = 0; i < 100; i++) {
        char *large = (char *)malloc(2 << 20);
        memset(large, 1, 2 << 20);
        FAILS(reallocf(large, Huge));
    }
    REQUIRE(resident() < 64 << 20);
}

CHECK(malloc_size_and_good_size) {
    size_t (*size_of)(const void *), (*good)(size_t);
    *(void **)&size_of = symbol("malloc_size");
    *(void **)&good = symbol("malloc_good_size");
    REQUIRE(size_of(NULL) == 0);
    for (size_t size = 1; size < 5 << 20; size += 1 + size / 7) {
        void *block = malloc(size);
        REQUIRE(size_of(block) == malloc_usable_size(block));
        REQUIRE(good(size) >= size && size_of(block) == good(size));
        free(block);
    }
}

CHECK(sized_frees) {
    void (*free_sized)(void *, size_t), (*free_aligned_sized)(void *, size_t, size_t);
    *(void **)&free_sized = symbol("free_sized");
    *(void **)&free_aligned_sized = symbol("free_aligned_sized");
    free_sized(NULL, 10);
    free_aligned_sized(NULL, 16, 10);
    for (int turn = 0; turn < 300; turn++)
        for (int i = 0; i < ASKED; i++) {
            free_sized(malloc(asked[i]), asked[i]);
            free_aligned_sized(aligned_alloc(256, asked[i]), 256, asked[i]);
        }
    REQUIRE(resident() < 64 << 20);
}

CHECK(cfree_frees) {
    void (*cfree)(void *);
    *(void **)&cfree = symbol("cfree");
    cfree(NULL);
    for (int i = 0; i < 100; i++) cfree(memset(malloc(2 << 20), 1, 2 << 20));
    REQUIRE(resident() < 64 << 20);
}

CHECK(underscored_names_are_the_same_heap) {
    void *(*allocate)(size_t), *(*zeroed)(size_t, size_t), *(*move)(void *, size_t), (*release)(void *);
    void *(*align)(size_t, size_t), *(*page)(size_t);
    int (*posix)(void **, size_t, size_t);
    *(void **)&allocate = symbol("__libc_malloc");
    *(void **)&zeroed = symbol("__libc_calloc");
    *(void **)&move = symbol("__libc_realloc");
    *(void **)&release = symbol("__libc_free");
    *(void **)&align = symbol("__libc_memalign");
    *(void **)&page = symbol("__libc_pvalloc");
    *(void **)&posix = symbol("__posix_memalign");
    const struct region *own = region();
    void *blocks[] = {allocate(10), zeroed(10, 10), move(malloc(10), 9000), align(512, 10), page(1), NULL};
    REQUIRE(posix(&blocks[5], 1024, 3) == 0);
    for (int i = 0; i < 6; i++) {
        REQUIRE(own->contains(blocks[i]));
        i % 2 ? release(blocks[i]) : free(blocks[i]);
    }
}

/* Telling about the heap */

CHECK(mallinfo_counts) {
    void *blocks[64];
    struct mallinfo2 before = mallinfo2();
    for (int i = 0; i < 64; i++) blocks[i] = memset(malloc(1 << 20), 1, 1 << 20);
    struct mallinfo2 full = mallinfo2();
    REQUIRE(full.uordblks + full.hblkhd >= before.uordblks + before.hblkhd + (64 << 20));
    for (int i = 0; i < 64; i++) free(blocks[i]);
    struct mallinfo2 after = mallinfo2();
    REQUIRE(after.uordblks + after.hblkhd + (60 << 20) < full.uordblks + full.hblkhd);
}

CHECK(mallinfo_counts_small_blocks) {
    enum { COUNT = 1000, SIZE = 100 };
    void *blocks[COUNT];
    for (int turn = 0; turn < 2; turn++) {
        struct mallinfo2 before = mallinfo2();
        for (int i = 0; i < COUNT; i++) blocks[i] = malloc(SIZE);
        struct mallinfo2 full = mallinfo2();
        REQUIRE(full.uordblks >= before.uordblks + COUNT * SIZE && full.arena >= full.uordblks);
        REQUIRE(full.uordblks < before.uordblks + 4 * COUNT * SIZE);
        for (int i = 0; i < COUNT; i++) free(blocks[i]);
    }
}

CHECK(malloc_info_writes_xml) {
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    REQUIRE(stream && malloc_info(0, stream) == 0 && fclose(stream) == 0);
    REQUIRE(strstr(text, "<malloc version=") && strstr(text, "</malloc>"));
    free(text);
    REQUIRE(malloc_info(1, stdout) == EINVAL);
}

CHECK(mallopt_perturb_fills) {
    REQUIRE(mallopt(M_PERTURB, 0xa5) == 1);
    for (size_t size = 100; size < 1000000; size *= 7) {
        unsigned char *block = (unsigned char *)opaque(malloc(size)), *zeroed = (unsigned char *)calloc(1, size);
        REQUIRE(block && zeroed);
        for (size_t i = 0; i < size; i++) REQUIRE(block[i] == 0x5a && zeroed[i] == 0);
        free(block);
        if (size < 10000) REQUIRE(((unsigned char *)opaque(block))[size / 2] == 0xa5);
        free(zeroed);
    }
    REQUIRE(mallopt(M_PERTURB, 0) == 1);
    block_free(block_new(1000, 2));
}

CHECK(mallopt_and_trim_answer) {
    REQUIRE(mallopt(M_MMAP_THRESHOLD, 1 << 20) == 1);
    int trimmed = malloc_trim(0);
    REQUIRE(trimmed == 0 || trimmed == 1);
    block_free(block_new(1000, 2));
}

static void *tell_and_wait(void *told) {
    int old;
    REQUIRE(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old) == 0);
    REQUIRE(pthread_barrier_wait((pthread_barrier_t *)told) <= 0);
    REQUIRE(pthread_barrier_wait((pthread_barrier_t *)told) <= 0);
    REQUIRE(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old) == 0);
    malloc_stats();
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    malloc_info(0, stream);
    say(2, "a thread may be cancelled here\n");
    return NULL;
}

/* A thread that is to be cancelled first tells all figures, and then goes at the next call that waits. */
CHECK(figures_are_no_place_to_be_cancelled) {
    pthread_barrier_t barrier;
    REQUIRE(pthread_barrier_init(&barrier, NULL, 2) == 0);
    char path[] = "/tmp/bowline-stats-XXXXXX", text[8192];
    int file = mkstemp(path);
    REQUIRE(file >= 0 && unlink(path) == 0);
    int standard = dup(2);
    REQUIRE(standard >= 0 && dup2(file, 2) == 2);
    pthread_t thread = thread_start(tell_and_wait, &barrier);
    REQUIRE(pthread_barrier_wait(&barrier) <= 0 && pthread_cancel(thread) == 0);
    REQUIRE(pthread_barrier_wait(&barrier) <= 0);
    void *result;
    REQUIRE(pthread_join(thread, &result) == 0 && dup2(standard, 2) == 2);
    ssize_t length = pread(file, text, sizeof text - 1, 0);
    REQUIRE(result == PTHREAD_CANCELED && length > 20);
    text[length] = '\0';
    REQUIRE(strstr(text, "max mmap bytes") && !strstr(text, "may be cancelled"));
}

CHECK(malloc_stats_writes_to_stderr) {
    char path[] = "/tmp/bowline-stats-XXXXXX", text[4096];
    int file = mkstemp(path);
    REQUIRE(file >= 0 && unlink(path) == 0);
    int standard = dup(2);
    REQUIRE(standard >= 0 && dup2(file, 2) == 2);
    malloc_stats();
    REQUIRE(dup2(standard, 2) == 2);
    ssize_t length = pread(file, text, sizeof text - 1, 0);
    REQUIRE(length > 20);
}

/* The region */

CHECK(every_block_lies_in_the_region) {
    const struct region *own = region();
    REQUIRE(own->version == 1 && own->bytes >= sizeof *own);
    int here = 0;
    static int there;
    REQUIRE(!own->contains(&here) && !own->contains(&there) && !own->contains(NULL));
    REQUIRE(!own->contains((const void *)(uintptr_t)&every_block_lies_in_the_region));
    for (size_t size = 1; size < (size_t)2 << 30; size *= 3) {
        char *block = (char *)malloc(size);
        REQUIRE(own->contains(block) && own->contains(block + size - 1));
        free(block);
    }
}

CHECK(the_c_library_allocates_in_the_region) {
    const struct region *own = region();
    char *text = strdup("text"), *formatted = NULL, *line = NULL, *written = NULL;
    REQUIRE(own->contains(text));
    REQUIRE(asprintf(&formatted, "%d", 1) == 1 && own->contains(formatted));
    size_t room = 0, size = 0;
    FILE *stream = fopen("/proc/self/status", "r");
    REQUIRE(stream && own->contains(stream));
    REQUIRE(getline(&line, &room, stream) > 0 && own->contains(line));
    fclose(stream);
    stream = open_memstream(&written, &size);
    for (int i = 0; i < 10000; i++) fprintf(stream, "%d ", i);
    fclose(stream);
    REQUIRE(own->contains(written) && size > 40000);
    char *path = realpath("/proc/self/exe", NULL), *folder = getcwd(NULL, 0);
    REQUIRE(own->contains(path) && own->contains(folder));
    free(text);
    free(formatted);
    free(line);
    free(written);
    free(path);
    free(folder);
}

CHECK(the_account_follows_the_blocks) {
    const struct region *own = region();
    enum { COUNT = 32, EACH = 2 << 20 };
    void *blocks[COUNT];
    size_t before = own->live_bytes(0), runtime = own->live_bytes(1);
    for (int i = 0; i < COUNT; i++) REQUIRE((blocks[i] = malloc(EACH)));
    size_t full = own->live_bytes(0);
    REQUIRE(full >= before + COUNT * EACH && full <= before + COUNT * EACH * 9 / 8);
    for (int i = 0; i < COUNT; i++) free(blocks[i]);
    REQUIRE(own->live_bytes(0) <= before + (1 << 20) && own->live_bytes(1) == runtime);
}

/* Threads */

static void *on_a_small_stack(void *argument) {
    uint64_t random = 6;
    for (int i = 0; i < 2000; i++) block_free(block_resize(block_new(random_size(&random), 1), random_size(&random)));
    free(aligned_alloc(1 << 16, 100));
    FAILS(malloc(Huge));
    return argument;
}

CHECK(a_thread_with_a_small_stack) {
    pthread_attr_t attributes;
    pthread_t thread;
    REQUIRE(pthread_attr_init(&attributes) == 0);
    REQUIRE(pthread_attr_setstacksize(&attributes, 16384) == 0);
    REQUIRE(pthread_create(&thread, &attributes, on_a_small_stack, NULL) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
}

static void *cancelled(void *argument) {
    for (;;) {
        block_free(block_new(500, 3));
        pthread_testcancel();
    }
    return argument;
}

CHECK(threads_that_are_cancelled) {
    for (int i = 0; i < 200; i++) {
        pthread_t thread = thread_start(cancelled, NULL);
        REQUIRE(pthread_cancel(thread) == 0 && pthread_join(thread, NULL) == 0);
    }
    REQUIRE(resident() < 64 << 20);
}

CHECK(closed_standard_streams) {
    for (int fd = 0; fd <= 2; fd++)
        if (fd != 1) close(fd);
    FAILS(malloc(Huge));
    block_free(block_new(5 << 20, 3));
}

int main(int count, char **arguments) { return run_case(count, arguments); }
