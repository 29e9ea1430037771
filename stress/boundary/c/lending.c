/* C that holds what it was lent, while something else happens. */
#include "bowline.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int64_t (*procedure)(int64_t);

enum { BLOCKS = 200 };

/* What the functions below find: whether the text is what it was. */
static char before[256];
static void remember(const char *text) { snprintf(before, sizeof before, "%s", text); }
static int intact(const char *text) { return strcmp(text, before) == 0; }

int hold_malloc(const char *text)
{
    void *blocks[BLOCKS];
    remember(text);
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = malloc(4096);
    for (int i = 0; i < BLOCKS; i++)
        free(blocks[i]);
    return intact(text);
}

int hold_realloc(const char *text)
{
    char *block = NULL;
    remember(text);
    for (size_t size = 1; size <= 1 << 18; size *= 2) {
        block = realloc(block, size);
        block[size - 1] = 1;
    }
    free(block);
    return intact(text);
}

int hold_strdup(const char *text)
{
    enum { COPIES = 10000 };
    static char *copies[COPIES];
    int same = 1;
    remember(text);
    for (int i = 0; i < COPIES; i++)
        copies[i] = strdup(text);
    for (int i = 0; i < COPIES; i++) {
        same &= intact(copies[i]);
        free(copies[i]);
    }
    return same && intact(text);
}

int hold_fopen(const char *text)
{
    FILE *files[20];
    remember(text);
    for (int i = 0; i < 20; i++)
        files[i] = fopen(text, "r");
    for (int i = 0; i < 20; i++)
        if (files[i] == NULL || fclose(files[i]) != 0)
            return 0;
    return intact(text);
}

int hold_getline(const char *text)
{
    FILE *lines = fopen("/proc/self/maps", "r");
    char *line = NULL;
    size_t size = 0;
    remember(text);
    while (getline(&line, &size, lines) > 0) {
        free(line);
        line = NULL;
        size = 0;
    }
    free(line);
    fclose(lines);
    return intact(text);
}

static int up(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
int hold_qsort(const char *text)
{
    enum { COUNT = 100000 };
    int *numbers = malloc(COUNT * sizeof *numbers), sorted = 1;
    remember(text);
    for (int i = 0; i < COUNT; i++)
        numbers[i] = (i * 7919) % COUNT;
    qsort(numbers, COUNT, sizeof *numbers, up); /* with a buffer of its own */
    for (int i = 0; i < COUNT; i++)
        sorted &= numbers[i] == i;
    free(numbers);
    return sorted && intact(text);
}

/* Calls f(n) while it has all kinds of arguments, and says whether they are what and where they were. */
int64_t has_all(const char *text, uint8_t *bytes, size_t size, double x, int64_t *cell, procedure f, int64_t n)
{
    remember(text);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)i;
    *cell = 40;
    int64_t result = f(n);
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != (uint8_t)i)
            return -1;
    *cell += 2;
    return intact(text) && x == 0.5 ? result : -2;
}

/* f(n), if the text says n before and after; -1000 otherwise. */
int64_t through(const char *text, procedure f, int64_t n)
{
    int64_t said = atoll(text), result = f(n);
    return said == n && atoll(text) == n ? result : -1000;
}

/* Keeps the address that it was given, into the middle of a buffer, for `kept_add`. */
static uint8_t *kept;
int64_t keep_middle(uint8_t *middle, procedure f)
{
    kept = middle;
    *middle = 1;
    f(0);
    *kept += 10;
    return *middle;
}
void kept_add(int n) { *kept += (uint8_t)n; }

/* The address of what was lent, and 0 if a callback that collects made a difference. */
uint64_t stays_at(uint8_t *bytes, size_t size, procedure f)
{
    bytes[size - 1] = 77;
    f(0);
    return bytes[size - 1] == 77 ? (uint64_t)(uintptr_t)bytes : 0;
}

/* Whether it is an address to which nothing may be written; whether a string there is empty. */
bool is_null(const void *p) { return p == NULL; }
bool is_empty(const char *text) { return text != NULL && *text == '\0'; }

/* Fails with ENOENT, and allocates behind that. */
int fails_and_allocates(void)
{
    errno = ENOENT;
    for (int i = 0; i < BLOCKS; i++)
        free(malloc(8192));
    return -1;
}

/* Interrupts the thread that has called this, again and again, until `quiet`. */
static pthread_t reader, interrupter;
static volatile int interrupting;
static void nothing(int number) { (void)number; }
static void *interrupt(void *unused)
{
    (void)unused;
    while (interrupting) {
        pthread_kill(reader, SIGUSR2);
        usleep(1000);
    }
    return NULL;
}
int disturb(void)
{
    struct sigaction action = { .sa_handler = nothing };
    sigaction(SIGUSR2, &action, NULL);
    reader = pthread_self();
    interrupting = 1;
    return pthread_create(&interrupter, NULL, interrupt, NULL);
}
int quiet(void)
{
    interrupting = 0;
    return pthread_join(interrupter, NULL);
}

/* C that does not keep to what it was lent. */
static const char *static_address;
void saves(const char *text) { static_address = text; }
int uses_saved(void) { return static_address[1]; }
void saves_nothing(void) {}
void saves_word(bl_handle object)
{
    static bl_value *words;
    bl_nogc scope;
    words = calloc(4, sizeof *words);
    bl_nogc_begin(&scope);
    words[1] = bl_raw(&scope, object);
    bl_nogc_end(&scope);
}
void writes_past(uint8_t *bytes, size_t size) { bytes[size] = 1; }
void writes_past_text(char *text) { text[strlen(text) + 1] = 'x'; }
void writes_to_text(char *text) { text[0] = 'x'; }
