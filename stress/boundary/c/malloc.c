/* What programs do with malloc: what they may, where a function returns 0, and what they may not. */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Keeps the compiler from knowing what a pointer is. */
static void *some(void *p) { __asm__ volatile("" : "+r"(p)); return p; }

#define REQUIRE(truth) do { if (!(truth)) return __LINE__; } while (0)

int amounts(void)
{
    void *a = malloc(0), *b = malloc(0), *c = realloc(NULL, 100);
    REQUIRE(a != NULL && b != NULL && a != b && c != NULL);
    memset(c, 1, 100);
    REQUIRE(realloc(c, 0) == NULL);
    free(a);
    free(b);
    free(NULL);
    return 0;
}

int overflow(void)
{
    size_t half = SIZE_MAX / 2 + 2;
    errno = 0;
    REQUIRE(calloc((size_t)some((void *)half), 2) == NULL && errno == ENOMEM);
    void *block = malloc(10);
    errno = 0;
    REQUIRE(reallocarray(block, (size_t)some((void *)half), 2) == NULL && errno == ENOMEM);
    free(block);
    return 0;
}

static int aligned(void *p, size_t alignment, size_t size)
{
    int right = p != NULL && (uintptr_t)p % alignment == 0 && malloc_usable_size(p) >= size;
    if (right)
        memset(p, 1, size);
    free(p);
    return right;
}

int alignments(void)
{
    for (size_t alignment = 1; alignment <= 1 << 20; alignment *= 2)
        for (size_t size = 1; size < 100000; size += size / 2 + 1) {
            void *p = NULL;
            REQUIRE(aligned(malloc(size), 16, size));
            REQUIRE(aligned(memalign(alignment, size), alignment, size));
            REQUIRE(aligned(aligned_alloc(alignment, size), alignment, size));
            REQUIRE(aligned(valloc(size), 4096, size));
            REQUIRE(aligned(pvalloc(size), 4096, (size + 4095) / 4096 * 4096));
            int number = posix_memalign(&p, alignment, size);
            REQUIRE(alignment < sizeof(void *) ? number == EINVAL && p == NULL : number == 0 && aligned(p, alignment, size));
        }
    void *p = NULL;
    REQUIRE(posix_memalign(&p, 24, 10) == EINVAL && posix_memalign(&p, 64, PTRDIFF_MAX) == ENOMEM && p == NULL);
    return 0;
}

/* A signal handler that allocates, whatever it has interrupted. */
static volatile int handled, failed, ended;
static pthread_t allocating;
static void handler(int number)
{
    (void)number;
    void *block = malloc(500);
    failed += block == NULL;
    free(block);
    handled++;
}
static void *disturb(void *unused)
{
    (void)unused;
    while (!ended)
        pthread_kill(allocating, SIGUSR1);
    return NULL;
}
int signals(int times)
{
    struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };
    pthread_t thread;
    sigaction(SIGUSR1, &action, NULL);
    allocating = pthread_self();
    pthread_create(&thread, NULL, disturb, NULL);
    while (handled < times)
        for (size_t size = 1; size < 200000; size = size * 3 + 1)
            free(some(malloc(size)));
    ended = 1;
    pthread_join(thread, NULL);
    return failed;
}

/* Mistakes, each of which is the process's last. */
static char mine[64] __attribute__((aligned(16)));
void frees_the_stack(void)
{
    char here[64] __attribute__((aligned(16)));
    free(some(here));
}
void frees_static_storage(void) { free(some(mine)); }
void frees_the_middle(void) { free((char *)some(malloc(200)) + 16); }
void frees_nonsense(void) { free(some((void *)0x1234567890)); }
void frees_twice(void)
{
    void *keep = malloc(40), *block = some(malloc(40)), *again = some(block);
    free(block);
    free(again);
    free(keep);
}
static void *gives(void *block) { free(block); return NULL; }
void frees_what_a_thread_freed(void)
{
    void *keep = malloc(40), *block = some(malloc(40)), *again = some(block);
    pthread_t thread;
    pthread_create(&thread, NULL, gives, block);
    pthread_join(thread, NULL);
    free(again);
    free(keep);
}
void writes_to_freed(void)
{
    char *block = some(malloc(40)), *again = some(block);
    free(block);
    again[17] = 1;
    exit(0);
}

/* A malloc that a library keeps to itself. */
static char pool[1 << 16] __attribute__((aligned(16)));
static size_t used;
static void *own_malloc(size_t size)
{
    char *block = pool + used;
    used += (size + 15) & ~(size_t)15;
    return block;
}
void frees_own_block(void) { free(some(own_malloc(100))); }
