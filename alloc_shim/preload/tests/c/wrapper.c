// A malloc that asks the next one and keeps the size in a header of its own, as tools that watch memory do.
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER = 16 };

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

void *malloc(size_t size)
{
    static void *(*allocate)(size_t);
    if (!allocate)
        allocate = next("malloc");
    char *block = allocate(size + HEADER);
    if (!block)
        return NULL;
    memcpy(block, &size, sizeof size);
    return block + HEADER;
}

void free(void *pointer)
{
    static void (*release)(void *);
    if (!release)
        release = next("free");
    if (pointer)
        release((char *)pointer - HEADER);
}

void *calloc(size_t count, size_t each)
{
    size_t size;
    if (__builtin_mul_overflow(count, each, &size))
        return NULL;
    void *block = malloc(size);
    return block ? memset(block, 0, size) : NULL;
}

void *realloc(void *pointer, size_t size)
{
    size_t old = 0;
    if (pointer)
        memcpy(&old, (char *)pointer - HEADER, sizeof old);
    void *block = malloc(size);
    if (block && pointer) {
        memcpy(block, pointer, old < size ? old : size);
        free(pointer);
    }
    return block;
}
