/* What C keeps beyond its time, what it does to memory of structs, and callbacks that it calls late or leaves by a jump. */

#include <bowline.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>

void tick(void) {}

/* Addresses. */

void *variable;
struct { int64_t count; void *address; } table[2];
static void *volatile hidden;
static struct link { int64_t count; void *address; } *links;

void keep(void *address) {
    variable = address;
}

void keep_in_table(void *address) {
    table[1].address = address;
}

void keep_hidden(void *address) {
    hidden = address;
}

void keep_in_block(void *address) {
    links = calloc(2, sizeof *links);
    links[1].address = address;
}

void keep_at(char *address, int64_t offset) {
    variable = address + offset;
}

/* Not for longer than the call. */
void keep_for_now(void *address) {
    keep(address);
    keep_in_block(address);
    variable = NULL;
    free(links);
}

void keep_word(bl_handle handle) {
    bl_nogc scope;
    bl_nogc_begin(&scope);
    variable = (void *)bl_raw(&scope, handle);
    bl_nogc_end(&scope);
}

/* Structs and arrays. */

struct point { int32_t x, y; int64_t z; };

void set_point(struct point *point, int64_t at) {
    point[at].x = 7;
}

void set_elements(int32_t *elements, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        elements[i] = 7;
}

void set_kept_point(int64_t z) {
    ((struct point *)variable)->z = z;
}

/* Callbacks. */

static int64_t (*callback)(int64_t);
static jmp_buf back;

void keep_callback(int64_t (*function)(int64_t)) {
    callback = function;
}

int64_t call_kept(int64_t n) {
    return callback(n);
}

int64_t place(int64_t (*work)(int64_t), int64_t n) {
    if (setjmp(back))
        return -1;
    return work(n);
}

void leave(void) {
    longjmp(back, 1);
}
