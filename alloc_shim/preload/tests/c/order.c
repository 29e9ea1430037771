/* Runs before main, at forks, at thread ends and after main: the allocator is there at each. */
#include "check.h"
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char *early;
static int forks;

/* Other handlers allocate: before the fork before the allocator's run, after it after them. */
static void allocate(void) {
    void *blocks[600];
    for (int i = 0; i < 600; i++) blocks[i] = malloc((size_t)i * 200), CHECK(in_region(blocks[i]));
    for (int i = 0; i < 600; i++) free(blocks[i]);
    forks++;
}

__attribute__((constructor(102))) static void before_main(void) {
    early = strdup("before main");
    CHECK(pthread_atfork(allocate, allocate, allocate) == 0);
}

static pthread_key_t keys[3];
static int ends;

/* Keys whose destructors free and allocate, again in the next round. */
static void key_end(void *block) {
    CHECK(in_region(block));
    free(block);
    void *again = malloc(5000);
    CHECK(in_region(again));
    if (__atomic_add_fetch(&ends, 1, __ATOMIC_RELAXED) % 2)
        CHECK(pthread_setspecific(keys[0], again) == 0);
    else
        free(again);
}

static void *thread(void *argument) {
    for (int i = 0; i < 3; i++) CHECK(pthread_setspecific(keys[i], malloc(100)) == 0);
    char *text = strdup("handed to another thread");
    free(argument);
    return text;
}

static void after_main(void) {
    char *late = strdup("after main");
    CHECK(in_region(late) && strcmp(early, "before main") == 0);
    free(late), free(early);
}

__attribute__((destructor)) static void at_the_end(void) {
    free(strdup("in a destructor"));
}

int main(void) {
    CHECK(in_region(early));
    for (int i = 0; i < 3; i++) CHECK(pthread_key_create(&keys[i], key_end) == 0);
    for (int i = 0; i < 200; i++) {
        pthread_t id;
        void *text;
        CHECK(pthread_create(&id, NULL, thread, malloc(50)) == 0 && pthread_join(id, &text) == 0);
        CHECK(strcmp(text, "handed to another thread") == 0);
        free(text);
    }
    CHECK(ends >= 600);
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        if (child == 0) {
            allocate();
            _exit(strcmp(early, "before main") != 0);
        }
        int status;
        CHECK(waitpid(child, &status, 0) == child && status == 0);
    }
    CHECK(forks == 40);
    atexit(after_main);
    return 0;
}
