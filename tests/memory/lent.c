/* Functions that have a string lent while they make C's malloc collect.
 *
 * Each remembers where the string is and what it says, allocates by one function of the C library until that is
 * refused or was done often enough, and then tells whether the bytes still say the same. Last it overwrites the
 * final byte: Scheme sees that in its own string if that is where the string still is. A string that had
 * been moved would leave its old bytes behind, so that reading them proves nothing.
 */
#include "../malloc/common.h"
#include <stdio.h>
#include <sys/types.h>

enum { MARK = '!', MOST_TEXT = 512, MOST_FILES = 1000, NUMBERS = 1 << 18, LINE = 1 << 20 };

/* The only place where the string's address is kept: no stack, no register need have it. */
static struct {
    char *text;
    size_t length;
    char copy[MOST_TEXT];
} lent;

static void borrow(char *text) {
    lent.text = text;
    lent.length = strlen(text);
    REQUIRE(lent.length > 0 && lent.length < sizeof lent.copy);
    memcpy(lent.copy, text, lent.length + 1);
}

static int give_back(void) {
    int intact = memcmp(lent.text, lent.copy, lent.length + 1) == 0;
    lent.text[lent.length - 1] = MARK;
    return intact;
}

/* Blocks in a list that is made of the blocks themselves. */
struct link {
    struct link *next;
};

static struct link *push(struct link *list, void *memory) {
    struct link *link = (struct link *)memory;
    link->next = list;
    return link;
}

static void free_all(struct link *list) {
    while (list) {
        struct link *next = list->next;
        free(list);
        list = next;
    }
}

static struct link *filling;

/* Takes all the memory that large blocks may have. */
void take_all(void) {
    for (void *memory; (memory = malloc(256 << 10));) filling = push(filling, memory);
    REQUIRE(errno == ENOMEM);
}

void give_all_back(void) {
    free_all(filling);
    filling = NULL;
}

static struct link *blocks(int most) {
    struct link *list = NULL;
    void *memory;
    for (int i = 0; i < most && (memory = malloc(3000)); i++) list = push(list, memory);
    return list;
}

int hold_malloc(char *text, int most) {
    borrow(text);
    free_all(blocks(most));
    return give_back();
}

int hold_realloc(char *text, int most) {
    borrow(text);
    char *buffer = NULL;
    size_t size = 0;
    for (int i = 0; i < most; i++) {
        char *larger = (char *)realloc(buffer, size + 20000);
        if (!larger) break;
        buffer = larger;
        memcpy(buffer + size, lent.text, lent.length);
        size += 20000;
    }
    for (size_t at = 0; at < size; at += 20000)
        REQUIRE(memcmp(buffer + at, lent.copy, lent.length) == 0);
    free(buffer);
    return give_back();
}

int hold_strdup(char *text, int most) {
    borrow(text);
    struct link *list = NULL;
    char *copy;
    for (int i = 0; i < most && (copy = strdup(lent.text)); i++) {
        REQUIRE(strcmp(copy, lent.copy) == 0);
        list = push(list, copy);
    }
    free_all(list);
    return give_back();
}

/* The string is the path; a stream has a buffer as soon as it is read. */
int hold_fopen(char *text, int most) {
    static FILE *files[MOST_FILES];
    borrow(text);
    int count = 0;
    while (count < most && count < MOST_FILES && (files[count] = fopen(lent.text, "r"))) {
        REQUIRE(fgetc(files[count]) == 0);
        count++;
    }
    REQUIRE(count == most || errno == ENOMEM);
    while (count) fclose(files[--count]);
    return give_back();
}

/* Reads one long line into buffers that getline makes larger. */
int hold_getline(char *text, int most) {
    static char line[LINE];
    borrow(text);
    memset(line, 'x', sizeof line);
    for (int i = 0; i < most; i++) {
        FILE *stream = fmemopen(line, sizeof line, "r");
        if (!stream) break;
        char *buffer = NULL;
        size_t capacity = 0;
        ssize_t length = getline(&buffer, &capacity, stream);
        REQUIRE(length < 0 ? errno == ENOMEM : memcmp(buffer, line, sizeof line) == 0);
        free(buffer);
        fclose(stream);
    }
    return give_back();
}

static int compare(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* glibc's qsort sorts by way of a buffer as large as the array, or without it. */
int hold_qsort(char *text, int most) {
    static uint32_t numbers[NUMBERS];
    borrow(text);
    for (int i = 0; i < most; i++) {
        uint64_t state = 20070707 + (uint64_t)i;
        for (size_t at = 0; at < NUMBERS; at++) numbers[at] = (uint32_t)next_random(&state);
        qsort(numbers, NUMBERS, sizeof *numbers, compare);
        for (size_t at = 1; at < NUMBERS; at++) REQUIRE(numbers[at - 1] <= numbers[at]);
    }
    return give_back();
}

static void *thread_of_c(void *most) {
    free_all(blocks((int)(intptr_t)most));
    return NULL;
}

/* The malloc of a thread that the runtime does not know, while the thread that was called waits. */
int hold_thread(char *text, int most) {
    pthread_t thread;
    borrow(text);
    REQUIRE(pthread_create(&thread, NULL, thread_of_c, (void *)(intptr_t)most) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    return give_back();
}
