/* Blocks that a program and a library it opens give each other: whoever's malloc it is, there is one heap.

   exchange LIBRARY local|deep|apart own|other: how to open it, and whether libc's blocks lie in a region. "apart"
   is a namespace of its own, with another libc: there the library exchanges blocks with its own libc. */
#include "check.h"
#include <malloc.h>
#include <string.h>

static struct {
    void *(*malloc)(size_t);
    void (*free)(void *);
    void *(*realloc)(void *, size_t);
    void *(*aligned)(size_t, size_t);
    char *(*strdup)(const char *);
    void *(*reallocf)(void *, size_t);
    void (*free_sized)(void *, size_t);
} plugin;

static void *find(void *library, const char *name) {
    void *found = dlsym(library, name);
    CHECK(found != NULL);
    return found;
}

static void bind(void *library) {
    *(void **)&plugin.malloc = find(library, "plugin_malloc");
    *(void **)&plugin.free = find(library, "plugin_free");
    *(void **)&plugin.realloc = find(library, "plugin_realloc");
    *(void **)&plugin.aligned = find(library, "plugin_aligned");
    *(void **)&plugin.strdup = find(library, "plugin_strdup");
    *(void **)&plugin.reallocf = find(library, "plugin_reallocf");
    *(void **)&plugin.free_sized = find(library, "plugin_free_sized");
}

/* Address space in KiB: a region that was reserved shows. */
static long address_space(void) {
    FILE *status = fopen("/proc/self/status", "r");
    char line[200];
    long kib = -1;
    while (fgets(line, sizeof line, status))
        if (sscanf(line, "VmSize: %ld", &kib) == 1) break;
    fclose(status);
    return kib;
}

static void inside(void) {
    for (size_t size = 1; size < 3000000; size = size * 3 + 1) {
        char *text = plugin.strdup("from libc to the library");
        text = plugin.reallocf(plugin.realloc(text, size + 30), size + 40);
        CHECK(strcmp(text, "from libc to the library") == 0);
        plugin.free_sized(text, size + 40);
        plugin.free(plugin.aligned(4096, size));
    }
}

static void across(bool own) {
    for (size_t size = 0; size < 3000000; size = size * 3 + 1) {
        char *theirs = plugin.malloc(size), *ours = malloc(size + 5);
        CHECK(in_region(theirs) == own && malloc_usable_size(theirs) >= size);
        strcpy(ours, "ours");
        ours = plugin.realloc(ours, size * 2 + 5);
        CHECK(in_region(ours) == own && strcmp(ours, "ours") == 0);
        free(theirs), plugin.free(ours);
        char *text = plugin.reallocf(strdup("libc's"), size + 10);
        CHECK(in_region(text) == own && strcmp(text, "libc's") == 0);
        free(realloc(text, size + 20));
        free(plugin.aligned(4096, size));
        plugin.free_sized(aligned_alloc(64, size), size);
    }
}

int main(int count, char **arguments) {
    CHECK(count == 4);
    bool own = strcmp(arguments[3], "own") == 0, apart = strcmp(arguments[2], "apart") == 0;
    int mode = strcmp(arguments[2], "deep") == 0 ? RTLD_NOW | RTLD_DEEPBIND : RTLD_NOW;
    char *probe = strdup("probe");
    CHECK(in_region(probe) == own);
    long before = address_space();
    void *library = apart ? dlmopen(LM_ID_NEWLM, arguments[1], RTLD_NOW) : dlopen(arguments[1], mode);
    if (library == NULL) fprintf(stderr, "%s\n", dlerror());
    CHECK(library != NULL);
    bind(library);
    inside();
    if (!apart) {
        across(own);
        /* What lost reserved nothing. */
        CHECK(address_space() - before < 1 << 20);
    }
    free(probe);
    CHECK(dlclose(library) == 0);
    return 0;
}
