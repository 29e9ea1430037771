/* What C may not do with what it is lent, a function for each. */

#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void fill(unsigned char *bytes, size_t count) {
    memset(bytes, 1, count);
}

void put(unsigned char *bytes, int64_t at) {
    bytes[at] = 1;
}

int64_t get(const volatile unsigned char *bytes, int64_t at) {
    return bytes[at];
}

static const char *saved;

void save(const char *text) {
    saved = text;
}

int64_t use(void) {
    return *(const volatile char *)saved;
}

void upcase(char *text) {
    if (*text >= 'a' && *text <= 'z')
        *text -= 'a' - 'A';
}

/* Takes an int64_t where an int is declared. */
void count(int64_t *result) {
    *result = 7;
}

/* What is fine. */

int64_t move_down(unsigned char *to, const unsigned char *from, size_t count) {
    memmove(to, from, count);
    return to[0];
}

int64_t twice(unsigned char *bytes, int64_t (*look)(int64_t)) {
    bytes[0] = 5;
    int64_t seen = look(0);
    return seen + bytes[1];
}

static unsigned char *kept;

void keep(unsigned char *bytes) {
    kept = bytes;
}

void fill_kept(int64_t byte) {
    kept[0] = (unsigned char)byte;
}

void forget(void) {
    kept = NULL;
}

int64_t add(int64_t a, int64_t *b, int32_t *c) {
    *b += a;
    *c = (int32_t)*b;
    return a;
}

/* Jumps back past a callback, out of a function that was lent something. */

static jmp_buf back;

int64_t place(int64_t (*work)(int64_t), int64_t n) {
    if (setjmp(back))
        return -1;
    return work(n);
}

void leave(const char *text, unsigned char *bytes) {
    save(text);
    bytes[0] = 1;
    longjmp(back, 1);
}
