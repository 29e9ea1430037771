/* A library that allocates in its own name, and answers for its libc. */
#include <stdlib.h>
#include <string.h>

void *reallocf(void *, size_t);
void free_sized(void *, size_t);

void *plugin_malloc(size_t size) { return malloc(size); }
void plugin_free(void *block) { free(block); }
void *plugin_realloc(void *block, size_t size) { return realloc(block, size); }
void *plugin_aligned(size_t align, size_t size) { return aligned_alloc(align, size); }
char *plugin_strdup(const char *text) { return strdup(text); }

/* These names no libc has yet: only a copy of this allocator. */
#ifdef WITH_COPY
void *plugin_reallocf(void *block, size_t size) { return reallocf(block, size); }
void plugin_free_sized(void *block, size_t size) { free_sized(block, size); }
#else
void *plugin_reallocf(void *block, size_t size) { return realloc(block, size); }
void plugin_free_sized(void *block, size_t size) { (void)size, free(block); }
#endif
