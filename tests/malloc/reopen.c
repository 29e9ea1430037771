/* Opens, uses and closes a library over and over, in two threads, while a third allocates. Blocks
 * outlive the library that asked for them.
 */
#include "common.h"
#include <dlfcn.h>

enum { THREADS = 2, TURNS = 300 };

static const char *path;
static int stop;

static void *reopen(void *argument) {
    uint64_t random = (uint64_t)(uintptr_t)argument * 271;
    for (int i = 0; i < TURNS; i++) {
        void *library = dlopen(path, i % 2 ? RTLD_NOW : RTLD_LAZY | RTLD_GLOBAL);
        REQUIRE(library);
        void *(*allocate)(size_t);
        *(void **)&allocate = dlsym(library, "plugin_malloc");
        REQUIRE(allocate);
        size_t size = random_size(&random);
        void *block = allocate(size);
        REQUIRE(block);
        fill(block, size, 3);
        /* A name that is not there: the message lies in memory of the C library's. */
        REQUIRE(!dlsym(library, "no_such_name") && dlerror());
        REQUIRE(dlclose(library) == 0);
        REQUIRE(filled(block, size, 3));
        free(block);
    }
    return NULL;
}

static void *churn(void *argument) {
    uint64_t random = 17;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) block_free(block_new(random_size(&random), 3));
    return argument;
}

int main(int count, char **arguments) {
    REQUIRE(count == 2);
    path = arguments[1];
    pthread_t threads[THREADS], other = thread_start(churn, NULL);
    for (int i = 0; i < THREADS; i++) threads[i] = thread_start(reopen, (void *)(uintptr_t)(i + 1));
    for (int i = 0; i < THREADS; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    REQUIRE(pthread_join(other, NULL) == 0);
    return done();
}
