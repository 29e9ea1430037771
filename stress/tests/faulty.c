/* A small malloc that is right, and can be compiled to be wrong in one way.
 *
 * Powers of two from 16 bytes on, each block behind a header of 16 bytes; blocks above 1 MiB are
 * mapped. One spinning lock for everything; fork takes it. -DFAULT_NAME compiles one fault in. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define CLASSES 17 /* 16 bytes to 1 MiB */
#define CHUNK (64UL << 20)
#define LIVE 0x11feb10cUL
#define DEAD 0xdeadb10cUL

struct header {
    size_t usable;   /* bytes behind the header */
    uint32_t offset; /* from the start of what was taken to the header */
    uint32_t state;
};

struct block {
    struct block *next;
};

static atomic_flag lock = ATOMIC_FLAG_INIT;
static struct block *lists[CLASSES];
static char *next, *end;
__attribute__((unused)) static atomic_ulong calls, frees;

static void take_lock(void)
{
    while (atomic_flag_test_and_set_explicit(&lock, memory_order_acquire))
        sched_yield();
}

static void drop_lock(void)
{
    atomic_flag_clear_explicit(&lock, memory_order_release);
}

__attribute__((constructor)) static void at_fork(void)
{
#ifdef FAULT_FORK_DEADLOCK
    /* The child finds the lock held, as by a thread that it has not. */
    pthread_atfork(take_lock, drop_lock, NULL);
#else
    pthread_atfork(take_lock, drop_lock, drop_lock);
#endif
}

static int class_of(size_t size)
{
    int class = 0;
    while ((16UL << class) < size)
        class++;
    return class;
}

static void *map(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* Memory of a class that was never used. */
static void *carve(int class)
{
    size_t size = (16UL << class) + sizeof(struct header);
#ifdef FAULT_OVERLAP
    if (++calls % 3000 == 0)
        size -= 32;
#endif
    if ((size_t)(end - next) < size + 64) {
        next = map(CHUNK);
        if (!next) {
            end = NULL;
            return NULL;
        }
        end = next + CHUNK;
    }
    void *p = next;
    next += size;
    return p;
}

/* At least `size` bytes and their header; the header is where this points. */
static struct header *take(size_t size)
{
    struct header *h;
    if (size > PTRDIFF_MAX - 8192) {
#ifndef FAULT_NO_ERRNO
        errno = ENOMEM;
#endif
        return NULL;
    }
    if (size > 16UL << (CLASSES - 1)) {
        size_t all = (size + sizeof *h + 4095) & ~4095UL;
        h = map(all);
        if (h)
            h->usable = all - sizeof *h;
    } else {
        int class = class_of(size);
        take_lock();
        if (lists[class]) {
            h = (struct header *)lists[class] - 1;
            lists[class] = lists[class]->next;
        } else {
            h = carve(class);
        }
#ifdef FAULT_DOUBLE_SERVING
        /* Now and then the block that was served last is served again while it is live. */
        static struct header *last[CLASSES];
        if (++calls % 1500 == 0 && last[class] && last[class]->state == LIVE) {
            if (h) {
                struct block *unused = (struct block *)(h + 1);
                h->state = DEAD;
                unused->next = lists[class];
                lists[class] = unused;
            }
            h = last[class];
        }
        last[class] = h;
#endif
        drop_lock();
        if (h)
            h->usable = 16UL << class;
    }
    if (!h) {
        errno = ENOMEM;
        return NULL;
    }
    h->offset = 0;
    h->state = LIVE;
    return h;
}

void *malloc(size_t size)
{
#ifdef FAULT_CRASH
    if (++calls == 20000)
        *(volatile int *)8 = 0;
#endif
#ifdef FAULT_HANG
    if (++calls > 20000)
        for (;;)
            sched_yield();
#endif
#ifdef FAULT_MISALIGNED
    if (size >= 100 && size < 116) {
        struct header *h = take(size + 8);
        if (!h)
            return NULL;
        struct header copy = *h;
        copy.offset = 8;
        copy.usable -= 8;
        h = (struct header *)((char *)h + 8);
        *h = copy;
        return h + 1;
    }
#endif
    struct header *h = take(size);
    return h ? h + 1 : NULL;
}

void free(void *p)
{
    if (!p)
        return;
    struct header *h = (struct header *)p - 1;
    if (h->state != LIVE)
        __builtin_trap();
    struct header *whole = (struct header *)((char *)h - h->offset);
    size_t usable = h->usable + h->offset;
#ifdef FAULT_FREE_ERRNO
    if (++frees % 500 == 0)
        errno = EINVAL;
#endif
    if (usable > 16UL << (CLASSES - 1)) {
        int before = errno;
        munmap(whole, usable + sizeof *h);
        errno = before;
        return;
    }
    h->state = whole->state = DEAD;
    struct block *block = (struct block *)(whole + 1);
    int class = class_of(usable);
    take_lock();
    block->next = lists[class];
    lists[class] = block;
    drop_lock();
}

void *calloc(size_t count, size_t size)
{
    size_t all;
    if (__builtin_mul_overflow(count, size, &all)) {
#ifndef FAULT_NO_ERRNO
        errno = ENOMEM;
#endif
        return NULL;
    }
    void *p = malloc(all);
#ifdef FAULT_DIRTY_CALLOC
    if (all > 3000 && all < 4000)
        return p;
#endif
    return p ? memset(p, 0, all) : NULL;
}

size_t malloc_usable_size(void *p)
{
    if (!p)
        return 0;
    size_t usable = ((struct header *)p - 1)->usable;
#ifdef FAULT_USABLE_LIES
    if (usable == 2048)
        usable += 24;
#endif
    return usable;
}

void *realloc(void *p, size_t size)
{
    if (!p)
        return malloc(size);
    if (size == 0) {
        free(p);
        return NULL;
    }
    size_t usable = ((struct header *)p - 1)->usable;
    if (size <= usable)
        return p;
    void *fresh = malloc(size);
    if (!fresh)
        return NULL;
#ifdef FAULT_REALLOC_LOSES
    if (usable > 1000)
        usable -= 8;
#endif
    memcpy(fresh, p, usable);
    free(p);
    return fresh;
}

int posix_memalign(void **out, size_t align, size_t size)
{
    if (align < sizeof(void *) || (align & (align - 1)))
        return EINVAL;
    if (align <= 16) {
        void *p = malloc(size);
        if (p)
            *out = p;
        return p ? 0 : ENOMEM;
    }
    size_t all;
    if (__builtin_add_overflow(size, align + sizeof(struct header), &all))
        return ENOMEM;
    struct header *whole = take(all);
    if (!whole)
        return ENOMEM;
    size_t usable = whole->usable;
    uintptr_t start = ((uintptr_t)(whole + 1) + align - 1) & ~(align - 1);
    struct header *h = (struct header *)start - 1;
    uint32_t offset = (uint32_t)((char *)h - (char *)whole);
    h->usable = usable - offset;
    h->offset = offset;
    h->state = LIVE;
    *out = (void *)start;
    return 0;
}

void *aligned_alloc(size_t align, size_t size)
{
    void *p = NULL;
    if (align & (align - 1)) {
        errno = EINVAL;
        return NULL;
    }
    int error = posix_memalign(&p, align < 16 ? 16 : align, size);
    if (error)
        errno = error;
    return p;
}

void *memalign(size_t align, size_t size)
{
    return aligned_alloc(align, size);
}
