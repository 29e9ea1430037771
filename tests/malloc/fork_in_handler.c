/* Forks in signal handlers that have interrupted malloc and free, in a process of one thread and in one of several.
 * The child goes on in the handler, where it may be given little but gets something, or returns from it into what was
 * interrupted; then it allocates, frees what it inherited, and starts a thread. POSIX promises none of this.
 */
#include "common.h"
#include <sys/time.h>

enum { FORKS = 100, THREADS = 2, SLOTS = 64 };

static char *slots[SLOTS];
static volatile sig_atomic_t in_malloc, inside, forks, in_child;
static int stop;

static void *use_thread(void *unused) {
    (void)unused;
    for (int i = 0; i < 5; i++) block_free(block_new(100 + 30000 * (size_t)i, 7));
    return NULL;
}

static void use(void) {
    for (int i = 0; i < 20; i++) block_free(block_new(10 + 999 * (size_t)i, 5));
    free(malloc(5 << 20));
}

/* What fits into the reserve for handlers. */
static void use_little(void) {
    for (int i = 0; i < 20; i++) block_free(block_new(10 + 99 * (size_t)i, 5));
    block_free(block_new(100000, 6));
}

static void child_ends(void) {
    use();
    REQUIRE(pthread_join(thread_start(use_thread, NULL), NULL) == 0);
    _exit(0);
}

static void handler(int number) {
    (void)number;
    if (in_child || forks >= FORKS) return;
    int saved = errno;
    inside += in_malloc;
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        in_child = 1;
        alarm(60);
        use_little();
        if (forks % 2) _exit(0);
        errno = saved;
        return;
    }
    forks++;
    int status;
    REQUIRE(waitpid(child, &status, 0) == child);
    if (status != 0) say_number(2, "status of child", (unsigned long)status);
    REQUIRE(status == 0);
    errno = saved;
}

/* Mostly inside malloc and free: what is taken is hardly touched. */
static void work(uint64_t *random) {
    for (int i = 0; i < 100 && !in_child; i++) {
        size_t at = next_random(random) % SLOTS;
        size_t size = i % 4 ? random_size(random) : 70000 + next_random(random) % 2000000;
        in_malloc = 1;
        free(slots[at]);
        slots[at] = NULL;
        char *block = (char *)malloc(size);
        in_malloc = 0;
        REQUIRE(block != NULL);
        block[0] = block[size - 1] = 1;
        slots[at] = block;
    }
    if (!in_child) return;
    for (int i = 0; i < SLOTS; i++) free(slots[i]);
    child_ends();
}

static void *churn(void *argument) {
    uint64_t random = (uint64_t)(uintptr_t)argument * 4099;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        struct block *block = block_new(random_size(&random), 3);
        block_free(block_resize(block, random_size(&random)));
    }
    return NULL;
}

static void interrupted(uint64_t *random) {
    forks = 0;
    struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
    REQUIRE(setitimer(ITIMER_PROF, &often, NULL) == 0);
    while (forks < FORKS) work(random);
    REQUIRE(setitimer(ITIMER_PROF, &never, NULL) == 0);
}

int main(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    REQUIRE(sigaction(SIGPROF, &action, NULL) == 0);
    uint64_t random = 99;
    interrupted(&random);
    /* The other threads get no signals. */
    sigset_t all, before;
    sigfillset(&all);
    REQUIRE(pthread_sigmask(SIG_BLOCK, &all, &before) == 0);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) threads[i] = thread_start(churn, (void *)(uintptr_t)(i + 1));
    REQUIRE(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    interrupted(&random);
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
    say_number(2, "forks inside malloc", (unsigned long)inside);
    REQUIRE(inside > 0);
    return done();
}
