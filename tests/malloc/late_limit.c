/* Limits that a process sets for itself when it runs already: memory ends where they say, with NULL and ENOMEM, and what others
 * need goes on. `late_limit address-space` and `late_limit data`.
 */
#include "common.h"
#include <malloc.h>
#include <sys/resource.h>

enum { MIB = 1 << 20, PIECES = 1 << 12 };

static char *pieces[PIECES];

static void *thread(void *unused) {
    block_free(block_new(1000, 1));
    return unused;
}

static void limit(int which, rlim_t bytes) {
    struct rlimit limits;
    REQUIRE(getrlimit((__rlimit_resource_t)which, &limits) == 0);
    limits.rlim_cur = bytes;
    REQUIRE(setrlimit((__rlimit_resource_t)which, &limits) == 0);
}

/* Takes all there is, at most `most` MiB. */
static void exhaust(size_t least, size_t most) {
    for (int turn = 0; turn < 3; turn++) {
        size_t count = 0;
        while (count < PIECES) {
            errno = 0;
            char *piece = (char *)malloc(MIB);
            if (!piece) break;
            piece[0] = piece[MIB - 1] = 1;
            pieces[count++] = piece;
        }
        say_number(1, "MiB", count);
        REQUIRE(errno == ENOMEM && count >= least && count <= most);
        REQUIRE(malloc((size_t)1 << 40) == NULL && errno == ENOMEM);
        while (count) free(pieces[--count]);
        block_free(block_new(1000, 2));
    }
}

int main(int count, char **arguments) {
    REQUIRE(count == 2);
    struct block *before = block_new(3 * MIB, 3);
    if (strcmp(arguments[1], "data") == 0) {
        limit(RLIMIT_DATA, 256 * MIB);
        exhaust(150, 256);
    } else {
        limit(RLIMIT_AS, 1024 * MIB);
        /* Nobody has told the malloc; it looks when asked to give memory back. */
        malloc_trim(0);
        REQUIRE(pthread_join(thread_start(thread, NULL), NULL) == 0);
        exhaust(200, 1024);
        void *mapped = mmap(NULL, 64 * MIB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        REQUIRE(mapped != MAP_FAILED);
        REQUIRE(pthread_join(thread_start(thread, NULL), NULL) == 0);
    }
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        exhaust(100, 1024);
        _exit(0);
    }
    reap(child);
    block_free(before);
    return done();
}
