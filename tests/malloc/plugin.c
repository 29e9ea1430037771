/* A library to be opened and closed: it allocates in its constructor and in its functions and frees
 * in its destructor; it has thread-local storage.
 */
#include "common.h"

static struct block *held;
static __thread unsigned calls;

static __attribute__((constructor)) void opened(void) { held = block_new(20000, 41); }

static __attribute__((destructor)) void closed(void) { block_free(held); }

void *plugin_malloc(size_t size) {
    calls++;
    return malloc(size);
}

void plugin_free(void *pointer) { free(pointer); }

char *plugin_strdup(const char *text) { return strdup(text); }
