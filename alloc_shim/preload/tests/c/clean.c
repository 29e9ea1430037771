/* Allocates, frees, resizes, forks and is interrupted, on four threads, without a mistake: the hardened mode has nothing to
   say, and what blocks hold is what was written to them. */
#include "check.h"
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, ROUNDS = 30000, SLOTS = 64 };

static unsigned char *handed[THREADS * SLOTS];

static size_t size_of(unsigned random) {
    return random % 100 == 0 ? random % 400000 : random % 10 == 0 ? random % 20000 : random % 300;
}

static void fill(unsigned char *block, size_t bytes, unsigned char byte) {
    CHECK(malloc_usable_size(block) >= bytes);
    memset(block, byte, bytes);
}

static void verify(const unsigned char *block, size_t bytes, unsigned char byte) {
    for (size_t i = 0; i < bytes; i++) CHECK(block[i] == byte);
}

static void handle(int number) {
    (void)number;
    unsigned char *block = malloc(100), *zero = calloc(3, 50);
    if (block) memset(block, 1, 100);
    if (zero) verify(zero, 150, 0);
    free(block);
    free(zero);
}

static void *work(void *argument) {
    unsigned long me = (unsigned long)argument;
    unsigned random = (unsigned)me + 1;
    unsigned char *blocks[SLOTS] = {0};
    size_t sizes[SLOTS] = {0};
    for (int round = 0; round < ROUNDS; round++) {
        random = random * 1664525 + 1013904223;
        unsigned place = random >> 8 & (SLOTS - 1), turn = random >> 20 & 7;
        unsigned char byte = (unsigned char)(place + me);
        size_t bytes = size_of(random >> 4);
        if (blocks[place] == NULL) {
            blocks[place] = turn == 0 ? calloc(1, bytes) : turn == 1 ? memalign(256, bytes) : malloc(bytes);
            CHECK(blocks[place] != NULL);
            if (turn == 0) verify(blocks[place], bytes, 0);
            fill(blocks[place], sizes[place] = bytes, byte);
        } else if (turn < 2) {
            unsigned char *moved = realloc(blocks[place], bytes + 1);
            CHECK(moved != NULL);
            verify(moved, sizes[place] < bytes ? sizes[place] : bytes, byte);
            fill(blocks[place] = moved, sizes[place] = bytes, byte);
        } else if (turn == 2) {
            /* To another thread. */
            verify(blocks[place], sizes[place], byte);
            free(__atomic_exchange_n(&handed[random % (THREADS * SLOTS)], blocks[place], __ATOMIC_ACQ_REL));
            blocks[place] = NULL;
        } else {
            verify(blocks[place], sizes[place], byte);
            free(blocks[place]);
            blocks[place] = NULL;
        }
        if (round % 5000 == 4999 && me == 0) {
            pid_t child = fork();
            CHECK(child >= 0);
            if (child == 0) {
                for (int i = 0; i < SLOTS; i++) free(blocks[i]);
                for (int i = 0; i < 20000; i++) free(malloc(200));
                exit(0);
            }
            int status;
            CHECK(waitpid(child, &status, 0) == child && status == 0);
        }
    }
    for (int i = 0; i < SLOTS; i++) free(blocks[i]);
    return NULL;
}

int main(void) {
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    struct itimerval often = {{0, 300}, {0, 300}};
    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
    for (int turn = 0; turn < 3; turn++) {
        pthread_t threads[THREADS];
        for (unsigned long i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
        for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    }
    struct itimerval never = {{0, 0}, {0, 0}};
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
    for (int i = 0; i < THREADS * SLOTS; i++) free(handed[i]);
    malloc_trim(0);
    return 0;
}
