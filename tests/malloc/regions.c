/* What a foreign call can find out about the process's malloc. */
#include "maps.h"
#include <dlfcn.h>
#include <stdio.h>
#include <sys/auxv.h>

/* Reservations of a gigabyte and more; a collector has some as well. */
int regions(void) { return (int)count_regions(); }

struct region {
    uint32_t version, bytes;
    _Bool (*contains)(const void *);
};

static void *allocate(void *size) { return malloc((size_t)size); }

static void *of_a_thread(void) {
    void *block = NULL;
    REQUIRE(pthread_join(thread_start(allocate, (void *)5000), &block) == 0);
    return block;
}

static char *line_of(FILE *stream) {
    char *line = NULL;
    size_t capacity = 0;
    REQUIRE(stream && getline(&line, &capacity, stream) > 0);
    REQUIRE(fclose(stream) == 0);
    return line;
}

static char *of_memstream(void) {
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    REQUIRE(stream && fputs("text", stream) >= 0 && fclose(stream) == 0);
    return text;
}

static char *of_asprintf(void) {
    char *text = NULL;
    REQUIRE(asprintf(&text, "%d", 1) == 1);
    return text;
}

/* Whose block it is that does not lie in the region; null if all do: a library's, another thread's, and those that the
 * C library allocates for its callers and for itself. */
const char *elsewhere(void) {
    const struct region *region = (const struct region *)dlsym(RTLD_DEFAULT, "bowline_region_v1");
    if (!region || region->version != 1) return "no region";
    FILE *stream = fopen("/proc/self/status", "r");
    const struct {
        const char *name;
        void *block;
    } blocks[] = {
        {"malloc", malloc(100)},
        {"a thread", of_a_thread()},
        {"strdup", strdup("text")},
        {"asprintf", of_asprintf()},
        {"realpath", realpath("/proc/..", NULL)},
        {"getline", line_of(fopen("/proc/self/status", "r"))},
        {"open_memstream", of_memstream()},
    };
    const char *found = region->contains(stream) ? NULL : "fopen";
    REQUIRE(stream && fclose(stream) == 0);
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        REQUIRE(blocks[i].block);
        if (!region->contains(blocks[i].block)) found = blocks[i].name;
        free(blocks[i].block);
    }
    return found;
}

/* Whether the function that this process finds by the name is the executable's. */
int is_the_executables(const char *name) {
    static const char here = 0;
    Dl_info found, executable, library;
    void *address = dlsym(RTLD_DEFAULT, name);
    REQUIRE(dladdr((const void *)getauxval(AT_ENTRY), &executable));
    REQUIRE(dladdr(&here, &library) && library.dli_fbase != executable.dli_fbase);
    return address && dladdr(address, &found) && found.dli_fbase == executable.dli_fbase;
}
