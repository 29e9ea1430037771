/* A storm of signals whose handlers allocate, resize and free, while every thread is inside malloc.
 * Handlers interrupt each other; handlers and threads free each other's blocks; every block's
 * contents are checked. POSIX does not promise that this works. This malloc does, with a bound: a
 * handler that interrupted it where it cannot wait may be refused, with NULL and ENOMEM. That is rare
 * or a failure.
 *
 * A deadlock ends in the alarm; that handlers did interrupt malloc is counted and required.
 */
#include "common.h"
#include <sys/time.h>

enum { THREADS = 4, SLOTS = 256, SECONDS = 3, STACK = 64 << 10 };

static struct block *slots[SLOTS];
static pthread_t threads[THREADS];
static int stop, running;
static unsigned turns[THREADS]; /* of each thread's own work */
static unsigned long handled, inside_malloc, nested, refused;
static __thread volatile sig_atomic_t in_malloc; /* glibc says that malloc calls nobody */
static __thread int depth;
static __thread uint64_t handler_random;

static size_t handler_size(uint64_t *random) {
    size_t size = random_size(random);
    return size > 100000 ? size * 4 : size; /* some of them have spans of their own */
}

/* A new block, or `old` resized; what there was if that is refused. */
static struct block *get(struct block *old, size_t size, uint32_t seed) {
    size_t kept = 0;
    if (old) {
        block_check(old);
        kept = (old->size < size ? old->size : size) & ~(size_t)7;
        seed = old->seed;
    }
    struct block *block = (struct block *)realloc(old, sizeof *block + size);
    if (!block) {
        REQUIRE(errno == ENOMEM);
        __atomic_add_fetch(&refused, 1, __ATOMIC_RELAXED);
        errno = 4242;
        return old;
    }
    REQUIRE(filled(block + 1, kept, seed) || kept == 0);
    block->size = (uint32_t)size;
    block->seed = seed;
    fill(block + 1, size, seed);
    return block;
}

static void handler(int number) {
    (void)number;
    int saved = errno;
    errno = 4242;
    __atomic_add_fetch(&handled, 1, __ATOMIC_RELAXED);
    if (in_malloc) __atomic_add_fetch(&inside_malloc, 1, __ATOMIC_RELAXED);
    if (depth++) __atomic_add_fetch(&nested, 1, __ATOMIC_RELAXED);
    uint64_t random = handler_random ^ (uint64_t)(uintptr_t)&random;
    struct block *block = get(NULL, handler_size(&random), (uint32_t)next_random(&random));
    block_free(slot_swap(&slots[next_random(&random) % SLOTS], block));
    block = slot_swap(&slots[next_random(&random) % SLOTS], NULL);
    block = get(block, handler_size(&random), 7);
    struct block *zeroed = (struct block *)calloc(3, 50);
    if (zeroed) REQUIRE(zeroed->size == 0 && zeroed->seed == 0);
    else REQUIRE(errno == ENOMEM);
    free(zeroed);
    if (!zeroed) errno = 4242;
    block_free(block);
    REQUIRE(errno == 4242);
    handler_random = random + 1;
    depth--;
    errno = saved;
}

/* Blocks of one size, enough to empty pages and fill them: much time inside malloc, on its slow
 * paths too. Each is marked, so that one that was given out twice is seen. */
static void brief_blocks(size_t size) {
    enum { MANY = 300 };
    uint64_t *blocks[MANY];
    for (int i = 0; i < MANY; i++) {
        in_malloc = 1;
        blocks[i] = (uint64_t *)malloc(size);
        in_malloc = 0;
        REQUIRE(blocks[i] != NULL);
        *blocks[i] = (uint64_t)(uintptr_t)&blocks[i];
    }
    for (int i = 0; i < MANY; i++) {
        uint64_t *block = blocks[i * 7 % MANY];
        REQUIRE(*block == (uint64_t)(uintptr_t)&blocks[i * 7 % MANY]);
        in_malloc = 1;
        free(block);
        in_malloc = 0;
    }
}

static void *work(void *argument) {
    /* Handlers on a stack of their own: nothing may depend on where the stack is. */
    stack_t alternative = {.ss_sp = malloc(STACK), .ss_flags = 0, .ss_size = STACK};
    if ((uintptr_t)argument % 2) REQUIRE(sigaltstack(&alternative, NULL) == 0);
    uint64_t random = (uint64_t)(uintptr_t)argument * 0x51ed27;
    handler_random = random;
    __atomic_add_fetch(&running, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        size_t at = next_random(&random) % SLOTS;
        size_t first = random_size(&random), second = random_size(&random);
        in_malloc = 1;
        struct block *block = (struct block *)malloc(sizeof *block + first);
        in_malloc = 0;
        REQUIRE(block != NULL);
        block->size = (uint32_t)first;
        block->seed = (uint32_t)next_random(&random);
        fill(block + 1, first, block->seed);
        if (random & 1 << 20) block = block_resize(block, second);
        block = slot_swap(&slots[at], block);
        if (block) block_check(block);
        in_malloc = 1;
        free(block);
        in_malloc = 0;
        brief_blocks(8 + first % 8000);
        __atomic_add_fetch(&turns[(uintptr_t)argument - 1], 1, __ATOMIC_RELAXED);
    }
    /* Stays until nobody can send it signals any more. */
    while (__atomic_load_n(&stop, __ATOMIC_ACQUIRE) < 2) sleep_ms(1);
    stack_t none = {.ss_sp = NULL, .ss_flags = SS_DISABLE, .ss_size = 0};
    REQUIRE(sigaltstack(&none, NULL) == 0);
    free(alternative.ss_sp);
    return NULL;
}

/* A storm that interrupted nobody shows nothing: it goes on until it did, however busy the machine. */
static int enough(void) {
    return __atomic_load_n(&handled, __ATOMIC_RELAXED) > 2000 &&
           __atomic_load_n(&inside_malloc, __ATOMIC_RELAXED) > 200 &&
           __atomic_load_n(&nested, __ATOMIC_RELAXED) > 20;
}

int main(void) {
    alarm(50);
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART | SA_ONSTACK;
    int numbers[] = {SIGPROF, SIGUSR1, SIGUSR2};
    for (int i = 0; i < 3; i++) REQUIRE(sigaction(numbers[i], &action, NULL) == 0);
    for (int i = 0; i < THREADS; i++) threads[i] = thread_start(work, (void *)(uintptr_t)(i + 1));
    while (__atomic_load_n(&running, __ATOMIC_ACQUIRE) < THREADS) sleep_ms(1);
    struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
    REQUIRE(setitimer(ITIMER_PROF, &often, NULL) == 0);
    uint64_t random = 5;
    unsigned seen[THREADS] = {0};
    for (double end = now() + SECONDS; now() < end || !enough();) {
        for (int i = 0; i < THREADS; i++) {
            /* However busy the machine is, a thread gets on with its work between signals: it is
             * inside malloc at every signal anew, and does not live in handlers alone. */
            unsigned reached = __atomic_load_n(&turns[i], __ATOMIC_RELAXED);
            if (reached == seen[i]) continue;
            seen[i] = reached;
            uint64_t choice = next_random(&random) % 3;
            if (choice != 1) REQUIRE(pthread_kill(threads[i], SIGUSR1) == 0);
            if (choice != 0) REQUIRE(pthread_kill(threads[i], SIGUSR2) == 0);
        }
        struct timespec pause = {0, (long)(next_random(&random) % 60000)};
        nanosleep(&pause, NULL);
    }
    REQUIRE(setitimer(ITIMER_PROF, &never, NULL) == 0);
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    sleep_ms(50);
    __atomic_store_n(&stop, 2, __ATOMIC_RELEASE);
    for (int i = 0; i < THREADS; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
    say_number(2, "signals handled", handled);
    say_number(2, "of them inside malloc or free", inside_malloc);
    say_number(2, "of them inside another handler", nested);
    say_number(2, "requests refused", refused);
    REQUIRE(refused * 100 < handled);
    for (size_t at = 0; at < SLOTS; at++) block_free(slot_swap(&slots[at], NULL));
    return done();
}
