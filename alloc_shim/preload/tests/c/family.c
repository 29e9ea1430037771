/* Every function of the family: what its manual page promises of arguments, errno and blocks. */
#include "check.h"
#include <errno.h>
#include <malloc.h>
#include <stdalign.h>
#include <string.h>

void *reallocf(void *, size_t);
size_t malloc_size(void *);
size_t malloc_good_size(size_t);
void cfree(void *);
void free_sized(void *, size_t);
void free_aligned_sized(void *, size_t, size_t);
void *__libc_malloc(size_t);
void __libc_free(void *);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void *__libc_valloc(size_t);
void *__libc_pvalloc(size_t);
int __posix_memalign(void **, size_t, size_t);

/* Volatile: the compiler would see what is wrong with them. */
static volatile size_t huge = (size_t)PTRDIFF_MAX + 1, most = SIZE_MAX;

static bool at_multiple(void *block, size_t align) { return (uintptr_t)block % align == 0; }

static void no_memory(void) {
    errno = 0, CHECK(malloc(huge) == NULL && errno == ENOMEM);
    errno = 0, CHECK(calloc(most / 2, 3) == NULL && errno == ENOMEM);
    errno = 0, CHECK(aligned_alloc(64, huge) == NULL && errno == ENOMEM);
    errno = 0, CHECK(memalign(64, most) == NULL && errno == ENOMEM);
    errno = 0, CHECK(valloc(most) == NULL && errno == ENOMEM);
    errno = 0, CHECK(pvalloc(most) == NULL && errno == ENOMEM);
    errno = 0, CHECK(pvalloc(most - 4096) == NULL && errno == ENOMEM);
    char *block = malloc(10);
    strcpy(block, "untouched");
    errno = 0, CHECK(realloc(block, huge) == NULL && errno == ENOMEM);
    errno = 0, CHECK(reallocarray(block, most / 2, 3) == NULL && errno == ENOMEM);
    CHECK(strcmp(block, "untouched") == 0);
    errno = 0, CHECK(reallocf(block, huge) == NULL && errno == ENOMEM);
}

static void alignments(void) {
    void *mark = &mark, *block = mark;
    errno = 7;
    CHECK(posix_memalign(&block, 0, 8) == EINVAL && posix_memalign(&block, 4, 8) == EINVAL);
    CHECK(posix_memalign(&block, 24, 8) == EINVAL && __posix_memalign(&block, 24, 8) == EINVAL);
    CHECK(block == mark && errno == 7);
    CHECK(posix_memalign(&block, 64, huge) == ENOMEM && block == mark && errno == ENOMEM);
    errno = 7;
    errno = 0, CHECK(aligned_alloc(0, 8) == NULL && errno == EINVAL);
    errno = 0, CHECK(aligned_alloc(24, 8) == NULL && errno == EINVAL);
    errno = 0, CHECK(memalign(most / 2 + 2, 8) == NULL && errno == EINVAL);
    block = memalign(24, 8), CHECK(at_multiple(block, 32)), free(block);
    block = memalign(0, 8), CHECK(block != NULL), free(block);
    for (size_t align = 1; align <= (size_t)4 << 20; align *= 2)
        for (size_t size = 0; size <= 5000; size = size * 3 + 1) {
            void *a = aligned_alloc(align, size), *b = memalign(align, size), *c = __libc_memalign(align, size);
            CHECK(a && b && c && at_multiple(a, align) && at_multiple(b, align) && at_multiple(c, align));
            CHECK(a != b && malloc_usable_size(a) >= size);
            memset(a, 1, malloc_usable_size(a));
            free_aligned_sized(a, align, size), free(b), free(c);
            if (align >= sizeof(void *)) {
                CHECK(posix_memalign(&block, align, size) == 0 && at_multiple(block, align)), free(block);
                CHECK(__posix_memalign(&block, align, size) == 0 && at_multiple(block, align)), free(block);
            }
        }
    void *v[] = {valloc(5), pvalloc(5), __libc_valloc(5), __libc_pvalloc(5), pvalloc(0)};
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) CHECK(v[i] && at_multiple(v[i], 4096));
    CHECK(malloc_usable_size(v[1]) >= 4096 && malloc_usable_size(v[3]) >= 4096);
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) free(v[i]);
}

static void blocks(void) {
    for (size_t size = 0; size < 70000; size = size * 5 / 4 + 1) {
        char *block = malloc(size);
        CHECK(block && at_multiple(block, alignof(max_align_t)) && malloc_usable_size(block) >= size);
        CHECK(malloc_size(block) == malloc_usable_size(block) && malloc_good_size(size) >= size);
        CHECK(malloc_good_size(size) == malloc_usable_size(block));
        memset(block, 7, malloc_usable_size(block));
        free_sized(block, size);
        char *zero = calloc(size, 3);
        for (size_t i = 0; i < size * 3; i++) CHECK(zero[i] == 0);
        zero = reallocarray(zero, size + 1, 4);
        CHECK(zero && malloc_usable_size(zero) >= (size + 1) * 4);
        cfree(zero);
    }
    void *a = malloc(0), *b = malloc(0);
    CHECK(a && b && a != b && malloc_usable_size(NULL) == 0 && malloc_size(NULL) == 0);
    errno = 7;
    free(NULL), cfree(NULL), free_sized(NULL, 0), free_aligned_sized(NULL, 0, 0), free(a), __libc_free(b);
    CHECK(errno == 7);
    CHECK(realloc(malloc(5), 0) == NULL && reallocf(malloc(5), 0) == NULL);
    char *moved = realloc(NULL, 6);
    strcpy(moved, "moved");
    moved = reallocf(__libc_realloc(moved, 100000), 200000);
    CHECK(strcmp(moved, "moved") == 0), free(moved);
    a = __libc_malloc(5), b = __libc_calloc(5, 5);
    CHECK(in_region(a) && in_region(b)), free(a), free(b);
    char *text = strdup("libc allocates here too");
    CHECK(in_region(text)), free(text);
}

static void introspection(void) {
    char *held = malloc(1 << 20), *info = NULL;
    size_t length = 0;
    memset(held, 1, 1 << 20);
    struct mallinfo2 figures = mallinfo2();
    CHECK(figures.uordblks >= 1 << 20 && figures.arena >= figures.uordblks);
    CHECK(figures.fordblks == figures.arena - figures.uordblks);
    FILE *file = open_memstream(&info, &length);
    CHECK(malloc_info(1, file) == EINVAL && malloc_info(0, file) == 0 && fclose(file) == 0);
    CHECK(strncmp(info, "<malloc version=\"1\">\n<heap nr=\"0\">\n", 35) == 0);
    CHECK(strcmp(info + length - 10, "</malloc>\n") == 0);
    CHECK(strstr(info, "<system type=\"current\" size=\"") && strstr(info, "<aspace type=\"total\" size=\""));
    free(info);
    CHECK(mallopt(M_MMAP_THRESHOLD, 1 << 20) == 1 && mallopt(M_PERTURB, 7) == 1 && mallopt(12345, 1) == 0);
    char *filled = malloc(1000);
    for (int i = 0; i < 1000; i++) CHECK(filled[i] == (char)~7);
    free(filled);
    CHECK(mallopt(M_PERTURB, 0) == 1 && mallopt(M_CHECK_ACTION, 3) == 1 && mallopt(M_MXFAST, 161) == 0);
    CHECK(mallopt(M_MXFAST, 160) == 1 && mallopt(M_MMAP_THRESHOLD, -1) == 0);
    CHECK(malloc_trim(0) == 0 || malloc_trim(0) == 0);
    malloc_stats();
    free(held);
    CHECK(malloc_trim(0) == 1 && malloc_trim(0) == 0);
}

int main(void) {
    no_memory();
    alignments();
    blocks();
    introspection();
    return 0;
}
