/* Fork handlers that use malloc, registered before and after its first use, while other threads
 * allocate. Enough of them that the C library's own list of handlers grows on the heap.
 */
#include "common.h"

enum { HANDLERS = 120, FORKS = 60, THREADS = 3 };

static struct block *shared;
static unsigned long prepared, in_parent, in_child;
static int stop;

static void work(uint32_t seed) {
    block_free(slot_swap(&shared, block_new(10 + seed % 700, seed)));
    if (seed % 16 == 0) block_free(block_resize(block_new(200000, seed), 600000));
}

static void prepare(void) { work((uint32_t)++prepared); }
static void parent(void) { work((uint32_t)++in_parent); }
static void child(void) { work((uint32_t)++in_child); }

static __attribute__((constructor(101))) void first(void) {
    REQUIRE(pthread_atfork(prepare, parent, child) == 0);
}

static void *churn(void *argument) {
    uint64_t random = (uint64_t)(uintptr_t)argument * 31337;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        struct block *blocks[20];
        for (int i = 0; i < 20; i++) blocks[i] = block_new(random_size(&random), (uint32_t)i);
        for (int i = 0; i < 20; i++) block_free(blocks[i]);
    }
    return NULL;
}

int main(void) {
    for (int i = 1; i < HANDLERS; i++) REQUIRE(pthread_atfork(prepare, parent, child) == 0);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) threads[i] = thread_start(churn, (void *)(uintptr_t)(i + 1));
    for (int i = 0; i < FORKS; i++) {
        pid_t process = fork();
        if (process == 0) {
            alarm(60);
            REQUIRE(in_child == HANDLERS);
            work(1);
            exit(0);
        }
        reap(process);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
    REQUIRE(prepared == (unsigned long)HANDLERS * FORKS);
    REQUIRE(in_parent == prepared && in_child == 0);
    return done();
}
