/* A program that is its own malloc, for itself, the C library and every other library. A preloaded
 * malloc lost and must stay out of the way: it reserves nothing and serves nobody.
 */
#include "maps.h"
#include <malloc.h>

enum { POOL = 64 << 20 };

static char pool[POOL] __attribute__((aligned(16)));
static size_t used;
static unsigned long allocated, freed;

static int mine(const void *pointer) { return (const char *)pointer >= pool && (const char *)pointer < pool + POOL; }

void *malloc(size_t size) {
    size_t at = __atomic_fetch_add(&used, ((size + 15) & ~(size_t)15) + 16, __ATOMIC_RELAXED);
    if (size > POOL || at + size + 16 > POOL) return NULL;
    __atomic_add_fetch(&allocated, 1, __ATOMIC_RELAXED);
    memcpy(pool + at, &size, sizeof size);
    return pool + at + 16;
}

size_t malloc_usable_size(void *block) {
    size_t size = 0;
    if (block) memcpy(&size, (char *)block - 16, sizeof size);
    return size;
}

void free(void *block) {
    if (!block) return;
    if (!mine(block)) {
        say(2, "a block of another malloc's\n");
        abort();
    }
    __atomic_add_fetch(&freed, 1, __ATOMIC_RELAXED);
}

void *calloc(size_t count, size_t size) { return malloc(count * size); }

void *realloc(void *old, size_t size) {
    void *block = malloc(size);
    if (!old || !block) return block;
    size_t kept = malloc_usable_size(old);
    memcpy(block, old, kept < size ? kept : size);
    free(old);
    return block;
}

void *memalign(size_t alignment, size_t size) {
    (void)alignment;
    return malloc(size);
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **block, size_t alignment, size_t size) {
    return (*block = memalign(alignment, size)) ? 0 : ENOMEM;
}

static void *work(void *argument) {
    free(malloc(100));
    return argument;
}

int main(void) {
    char *text = strdup("text");
    REQUIRE(mine(text));
    free(text);
    REQUIRE(count_regions() == 0);
    for (int i = 0; i < 10; i++) REQUIRE(pthread_join(thread_start(work, NULL), NULL) == 0);
    pid_t child = fork();
    if (child == 0) exit(0);
    reap(child);
    REQUIRE(allocated > 10 && freed > 10 && count_regions() == 0);
    return done();
}
