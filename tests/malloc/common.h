/* What the programs share: failing with a place, blocks whose contents are known, memory in use.
 *
 * Nothing here allocates, so that a program's calls of malloc are those that it writes down.
 * The header is C11 and C++17, and knows of no malloc but the standard's.
 */
#ifndef COMMON_H
#define COMMON_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))

static UNUSED void say(int fd, const char *text) {
    ssize_t written = write(fd, text, strlen(text));
    (void)written;
}

/* One line "LABEL NUMBER" on an output. */
static UNUSED void say_number(int fd, const char *label, unsigned long number) {
    char digits[24];
    char *start = digits + sizeof digits;
    *--start = '\0';
    *--start = '\n';
    do
        *--start = (char)('0' + number % 10);
    while (number /= 10);
    char line[256];
    size_t length = strlen(label), tail = strlen(start);
    if (length > sizeof line - 32) length = sizeof line - 32;
    memcpy(line, label, length);
    line[length] = ' ';
    memcpy(line + length + 1, start, tail + 1);
    say(fd, line);
}

static void fail_at(const char *file, int line, const char *what) __attribute__((noreturn, unused));

#define REQUIRE(condition)                                 \
    do {                                                   \
        if (!(condition)) fail_at(__FILE__, __LINE__, #condition); \
    } while (0)

static void fail_at(const char *file, int line, const char *what) {
    int saved = errno;
    say(2, "does not hold: ");
    say(2, what);
    say(2, "\n");
    say_number(2, file, (unsigned long)line);
    say_number(2, "errno", (unsigned long)saved);
    _exit(1);
}

/* Keeps the compiler from knowing what a pointer points to, or that it was freed. */
static UNUSED void *opaque(void *pointer) {
    __asm__ volatile("" : "+r"(pointer) : : "memory");
    return pointer;
}

static UNUSED uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * 0x2545f4914f6cdd1dull;
}

/* Mostly small, sometimes large: sizes as programs ask for them. */
static UNUSED size_t random_size(uint64_t *state) {
    uint64_t bits = next_random(state);
    unsigned kind = (unsigned)(bits & 63);
    bits >>= 8;
    if (kind < 48) return 1 + bits % 256;
    if (kind < 60) return 1 + bits % 4096;
    if (kind < 63) return 1 + bits % 65536;
    return 1 + bits % 400000;
}

/* A block that knows its size and what it must contain. */
struct block {
    uint32_t size; /* bytes after this head */
    uint32_t seed;
};

static UNUSED uint64_t pattern_word(uint32_t seed, size_t index) {
    return ((uint64_t)seed << 32 | (uint32_t)index) * 0x9e3779b97f4a7c15ull;
}

static UNUSED void fill(void *to, size_t size, uint32_t seed) {
    unsigned char *bytes = (unsigned char *)to;
    size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        uint64_t word = pattern_word(seed, at);
        memcpy(bytes + at, &word, 8);
    }
    uint64_t word = pattern_word(seed, at);
    memcpy(bytes + at, &word, size - at);
}

static UNUSED int filled(const void *from, size_t size, uint32_t seed) {
    const unsigned char *bytes = (const unsigned char *)from;
    size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        uint64_t word = pattern_word(seed, at);
        if (memcmp(bytes + at, &word, 8) != 0) return 0;
    }
    uint64_t word = pattern_word(seed, at);
    return memcmp(bytes + at, &word, size - at) == 0;
}

static UNUSED struct block *block_new(size_t size, uint32_t seed) {
    struct block *block = (struct block *)malloc(sizeof *block + size);
    REQUIRE(block != NULL);
    REQUIRE((uintptr_t)block % (sizeof *block + size < 16 ? 8 : 16) == 0);
    block->size = (uint32_t)size;
    block->seed = seed;
    fill(block + 1, size, seed);
    return block;
}

static UNUSED void block_check(const struct block *block) {
    REQUIRE(filled(block + 1, block->size, block->seed));
}

static UNUSED struct block *block_resize(struct block *block, size_t size) {
    block_check(block);
    size_t kept = block->size < size ? block->size : size;
    struct block *moved = (struct block *)realloc(block, sizeof *block + size);
    REQUIRE(moved != NULL);
    /* The last kept word may have been cut: look at whole words only. */
    REQUIRE(filled(moved + 1, kept & ~(size_t)7, moved->seed));
    moved->size = (uint32_t)size;
    fill(moved + 1, size, moved->seed);
    return moved;
}

static UNUSED void block_free(struct block *block) {
    if (!block) return;
    block_check(block);
    block->seed = ~block->seed; /* whoever frees it twice fails the check */
    free(block);
}

/* Places that threads, signal handlers and child processes take blocks from and put blocks into. */
static UNUSED struct block *slot_swap(struct block **slot, struct block *block) {
    return __atomic_exchange_n(slot, block, __ATOMIC_ACQ_REL);
}

/* One number of /proc/self/statm, in bytes: 0 the address space, 1 what is resident. */
static UNUSED size_t memory(int field) {
    char text[256];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    REQUIRE(fd >= 0);
    ssize_t length = read(fd, text, sizeof text - 1);
    REQUIRE(length > 0);
    close(fd);
    text[length] = '\0';
    const char *at = text;
    while (field--) at = strchr(at, ' ') + 1;
    size_t pages = 0;
    for (; *at >= '0' && *at <= '9'; at++) pages = pages * 10 + (size_t)(*at - '0');
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static UNUSED size_t resident(void) { return memory(1); }

static UNUSED void sleep_ms(long milliseconds) {
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    while (nanosleep(&time, &time) != 0 && errno == EINTR) {
    }
}

static UNUSED double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* What is resident after a phase ended: the program goes on lightly, as programs do, until memory
 * is back within `bound` or two seconds are over. */
static UNUSED size_t resident_after(size_t bound) {
    double end = now() + 2;
    uint64_t random = 88172645463325252ull;
    while (resident() > bound && now() < end) {
        for (int i = 0; i < 16; i++) {
            struct block *small = block_new(random_size(&random), 1);
            struct block *large = block_new(300000, 2);
            block_free(small);
            block_free(large);
        }
        sleep_ms(20);
    }
    return resident();
}

static UNUSED pthread_t thread_start(void *(*body)(void *), void *argument) {
    pthread_t thread;
    int error = pthread_create(&thread, NULL, body, argument);
    errno = error;
    REQUIRE(error == 0);
    return thread;
}

/* Waits for a child, which must have ended with status 0. */
static UNUSED void reap(pid_t child) {
    REQUIRE(child > 0);
    int status;
    pid_t reaped;
    do
        reaped = waitpid(child, &status, 0);
    while (reaped < 0 && errno == EINTR);
    REQUIRE(reaped == child);
    if (WIFSIGNALED(status)) say_number(2, "a child died of signal", (unsigned long)WTERMSIG(status));
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The last thing that a program does: who dies early has not said it. */
static UNUSED int done(void) {
    say(1, "done\n");
    return 0;
}

#endif
