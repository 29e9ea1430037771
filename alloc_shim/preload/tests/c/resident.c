/* How much of the allocator's file a process has that has allocated in the usual ways, in KiB. */

#include "check.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 200 };

static void *blocks[BLOCKS];

static void *allocate(void *unused) {
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t bytes = 1 + i * i * 10;
        void *block = i % 3 == 0 ? malloc(bytes) : i % 3 == 1 ? calloc(bytes, 1) : aligned_alloc(64, bytes);
        CHECK(block != NULL);
        memset(block, 1, bytes);
        if (i % 2 == 0)
            block = realloc(block, bytes * 2);
        free(blocks[i]);
        blocks[i] = block;
    }
    return unused;
}

int main(void) {
    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        allocate(NULL);
        CHECK(pthread_create(&thread, NULL, allocate, NULL) == 0 && pthread_join(thread, NULL) == 0);
    }
    char line[1024];
    long all = 0, kib = 0;
    int ours = 0;
    FILE *maps = fopen("/proc/self/smaps", "r");
    CHECK(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL) {
        if (strstr(line, " r-xp ") != NULL || strstr(line, " r--p ") != NULL || strstr(line, " rw-p ") != NULL)
            ours = strstr(line, "/libbowline_malloc.so") != NULL;
        else if (ours && sscanf(line, "Rss: %ld kB", &kib) == 1)
            all += kib;
    }
    fclose(maps);
    printf("%ld\n", all);
    return 0;
}
