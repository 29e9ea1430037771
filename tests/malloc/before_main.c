/* Memory taken before main, in constructors of several priorities and by a preloaded library of
 * C++: all of it there in main, and freed in main.
 */
#include "common.h"
#include <dlfcn.h>

static struct block *blocks[4];

static __attribute__((constructor(101))) void first(void) {
    blocks[0] = block_new(24, 100);
    blocks[1] = block_new(5000, 101);
}

static __attribute__((constructor(1000))) void second(void) {
    blocks[0] = block_resize(blocks[0], 100000);
    blocks[2] = block_new(2 << 20, 102);
}

static void *thread(void *argument) {
    block_free(block_new(77, 1));
    return argument;
}

static __attribute__((constructor)) void third(void) {
    block_free(blocks[1]);
    pthread_t early = thread_start(thread, NULL);
    blocks[3] = block_new(1, 103);
    REQUIRE(pthread_join(early, NULL) == 0);
}

int main(void) {
    size_t (*count)(void);
    *(void **)&count = dlsym(RTLD_DEFAULT, "early_count");
    if (count) say_number(1, "early library holds", count());
    block_check(blocks[0]);
    block_free(blocks[0]);
    block_free(blocks[2]);
    block_free(block_resize(blocks[3], 40));
    return done();
}
