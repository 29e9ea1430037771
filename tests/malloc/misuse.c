/* Mistakes that this malloc tells of before it ends the process: one mistake per run. The line that
 * must be told stands beside the name; `%p` is the pointer that the program says it misused, `%b` the block that it says
 * this pointer leads into.
 */
#include "cases.h"
#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>

#define CRIME(id, line) CASE(id)

/* Says which pointer is about to be misused, and hides it from the compiler. */
static void *culprit(void *pointer) {
    printf("culprit %p\n", pointer);
    fflush(stdout);
    return opaque(pointer);
}

/* The same of a pointer `by` bytes into a block. */
static void *inside(void *block, size_t by) {
    printf("block %p ", block);
    return culprit((char *)block + by);
}

static void *copy_of(void *pointer) {
    void *copy = pointer;
    __asm__("" : "+r"(copy));
    return copy;
}

/* Twice */

CRIME(small_twice, "free of %p: double free of a block of 48 bytes") {
    void *block = culprit(malloc(40)), *again = copy_of(block);
    free(block);
    free(again);
}

CRIME(medium_twice, "free of %p: double free of a block of 20480 bytes") {
    void *keep = malloc(20000), *block = culprit(malloc(20000)), *again = copy_of(block);
    free(block);
    free(again);
    free(keep);
}

CRIME(large_twice, "free of %p: double free of a block of 5242880 bytes") {
    void *block = culprit(malloc(5 << 20)), *again = copy_of(block);
    free(block);
    free(again);
}

CRIME(alone_and_twice, "free of %p: double free of a block of 20480 bytes") {
    void *block = culprit(malloc(20000)), *again = copy_of(block);
    free(block);
    free(again);
}

/* Nothing is left of the pages that they were on. */
CRIME(twice_when_all_are_free, "free of %p: double free of a block of 20480 bytes") {
    void *blocks[200];
    for (int i = 0; i < 200; i++) blocks[i] = malloc(20000);
    void *again = culprit(copy_of(blocks[50]));
    for (int i = 0; i < 200; i++) free(blocks[i]);
    free(again);
}

CRIME(inside_when_all_are_free, "free of %p: not allocated here any more: all blocks around it were freed") {
    void *blocks[200];
    for (int i = 0; i < 200; i++) blocks[i] = malloc(20000);
    void *inside = culprit((char *)copy_of(blocks[50]) + 48);
    for (int i = 0; i < 200; i++) free(blocks[i]);
    free(inside);
}

CRIME(twice_with_frees_between, "free of %p: double free of a block of 112 bytes") {
    void *blocks[20];
    for (int i = 0; i < 20; i++) blocks[i] = malloc(100);
    void *again = culprit(copy_of(blocks[7]));
    for (int i = 0; i < 20; i++) free(blocks[i]);
    free(again);
}

CRIME(twice_with_a_neighbour_alive, "free of %p: double free of a block of 64 bytes") {
    void *blocks[3];
    for (int i = 0; i < 3; i++) blocks[i] = malloc(64);
    void *again = culprit(copy_of(blocks[1]));
    free(blocks[1]);
    free(again);
    free(blocks[0]);
}

static void *free_in_thread(void *block) {
    free(block);
    return NULL;
}

CRIME(by_two_threads, "free of %p: double free of a block of 48 bytes") {
    void *keep = malloc(48), *block = culprit(malloc(48)), *again = copy_of(block);
    pthread_join(thread_start(free_in_thread, block), NULL);
    free(again);
    free(keep);
}

CRIME(twice_by_another_thread, "free of %p: double free of a block of 48 bytes") {
    void *keep = malloc(48), *block = culprit(malloc(48)), *again = copy_of(block);
    pthread_join(thread_start(free_in_thread, block), NULL);
    pthread_join(thread_start(free_in_thread, again), NULL);
    free(keep);
}

CRIME(realloc_of_a_freed_block, "realloc of %p: a block of 208 bytes that was freed") {
    void *keep = malloc(200), *block = culprit(malloc(200)), *again = copy_of(block);
    free(block);
    free(realloc(again, 5000));
    free(keep);
}

/* Not a block's start */

CRIME(middle_of_a_small_block, "free of %p: inside the block of 208 bytes at %b") { free(inside(malloc(200), 32)); }

CRIME(odd_pointer, "free of %p: inside the block of 208 bytes at %b") { free(inside(malloc(200), 1)); }

CRIME(middle_of_a_large_block, "free of %p: inside the block of 5242880 bytes at %b") { free(inside(malloc(5 << 20), 1 << 20)); }

CRIME(second_slice_of_a_large_block, "free of %p: inside the block of 5242880 bytes at %b") { free(inside(malloc(5 << 20), 65536 * 3 + 16)); }

CRIME(realloc_of_the_middle, "realloc of %p: inside the block of 320 bytes at %b") { free(realloc(inside(malloc(300), 16), 5000)); }

/* Not allocated here */

CRIME(stack, "free of %p: not allocated here") {
    char here[64] __attribute__((aligned(16)));
    free(culprit(here));
}

CRIME(static_storage, "free of %p: not allocated here") {
    static char here[64] __attribute__((aligned(16)));
    free(culprit(here));
}

CRIME(mapped, "free of %p: not allocated here") {
    free(culprit(mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
}

CRIME(nonsense, "free of %p: not allocated here") { free(culprit((void *)(uintptr_t)0x1234567890abcdef)); }

CRIME(almost_null, "free of %p: not allocated here") { free(culprit((void *)(uintptr_t)8)); }

CRIME(function, "free of %p: not allocated here") { free(culprit((void *)(uintptr_t)&thread_start)); }

CRIME(never_taken_from_the_region, "free of %p: not allocated here") {
    uintptr_t far = (uintptr_t)malloc(100) + ((uintptr_t)1 << 34);
    free(culprit((void *)far));
}

CRIME(realloc_of_the_stack, "realloc of %p: not allocated here") {
    char here[64] __attribute__((aligned(16)));
    free(realloc(culprit(here), 100));
}

CRIME(usable_size_of_the_stack, "malloc_usable_size of %p: not allocated here") {
    char here[64] __attribute__((aligned(16)));
    printf("%zu\n", malloc_usable_size(culprit(here)));
}

/* A block of a library with a malloc of its own, freed by this one. */
CRIME(another_librarys_block, "free of %p: not allocated here") {
    void *library = dlopen(getenv("OWN_MALLOC"), RTLD_NOW);
    REQUIRE(library);
    void *(*allocate)(size_t);
    *(void **)&allocate = dlsym(library, "own_new");
    REQUIRE(allocate);
    free(culprit(allocate(100)));
}

int main(int count, char **arguments) { return run_case(count, arguments); }
