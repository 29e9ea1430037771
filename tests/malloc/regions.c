/* What a foreign call can find out about the process's malloc. */
#include "maps.h"
#include <dlfcn.h>

/* Reservations of a gigabyte and more; a collector has some as well. */
int regions(void) { return (int)count_regions(); }

/* Whether the C library's blocks, a library's blocks and one of another thread lie in the region. */
struct region {
    uint32_t version, bytes;
    _Bool (*contains)(const void *);
};

static void *allocate(void *size) { return malloc((size_t)size); }

int all_in_the_region(void) {
    const struct region *region = (const struct region *)dlsym(RTLD_DEFAULT, "bowline_region_v1");
    if (!region || region->version != 1) return -1;
    void *block = malloc(100), *other = NULL;
    char *text = strdup("text");
    REQUIRE(pthread_join(thread_start(allocate, (void *)5000), &other) == 0);
    int all = region->contains(block) && region->contains(text) && region->contains(other);
    free(block);
    free(text);
    free(other);
    return all;
}
