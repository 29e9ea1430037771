/* Uses a freed block in the way that the argument names, after it has said where the block is: the hardened mode finds it. */
#include "check.h"
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void *guilty(void *block) {
    ((char *)block)[5] = 'x';
    return NULL;
}

static void *freeing(void *block) {
    free(block);
    return NULL;
}

static void on_thread(void *(*act)(void *), void *block) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, act, block) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

/* Frees enough for every block that was freed before to leave. */
static void churn(void) {
    for (int i = 0; i < 10000; i++) free(malloc(100));
}

static char *block;

static void late(void) { block[3] = 'x'; }

int main(int count, char **arguments) {
    CHECK(count == 2);
    const char *misuse = arguments[1];
    bool large = strstr(misuse, "large") != NULL;
    block = malloc(large ? 300000 : 40);
    memset(block, 'a', large ? 300000 : 40);
    printf("%p\n", (void *)block);
    fflush(stdout);
    if (strcmp(misuse, "small") == 0 || strcmp(misuse, "large") == 0) {
        free(block);
        block[large ? 1000 : 17] = 'x';
        churn();
        puts("not found by others' frees");
    } else if (strcmp(misuse, "exit") == 0 || strcmp(misuse, "large, exit") == 0) {
        free(block);
        block[large ? 327679 : 47] = 'x';
    } else if (strcmp(misuse, "after exit") == 0) {
        CHECK(atexit(late) == 0);
        free(block);
    } else if (strcmp(misuse, "realloc") == 0) {
        char *moved = realloc(block, 41);
        CHECK(moved != NULL && moved != block && moved[39] == 'a');
        block[8] = 'x';
    } else if (strcmp(misuse, "realloc large") == 0) {
        char *moved = realloc(block, 290000);
        CHECK(moved != NULL && moved != block && moved[289999] == 'a');
        block[8] = 'x';
    } else if (strcmp(misuse, "overflow") == 0 || strcmp(misuse, "overflow, large") == 0) {
        block[large ? 300000 : 40] = '\0';
        free(block);
        puts("not found by free");
    } else if (strcmp(misuse, "overflow, far") == 0) {
        memset(block, 'x', 48);
        free(block);
        puts("not found by free");
    } else if (strcmp(misuse, "overflow, resized") == 0) {
        block[40] = 'x';
        block = realloc(block, 100);
        puts("not found by realloc");
    } else if (strcmp(misuse, "overflow, measured") == 0) {
        size_t malloc_usable_size(void *);
        block[40] = 'x';
        malloc_usable_size(block);
        puts("not found by malloc_usable_size");
    } else if (strcmp(misuse, "listed") == 0 || strcmp(misuse, "listed, link") == 0) {
        free(block);
        churn();
        block[strcmp(misuse, "listed") == 0 ? 30 : 3] ^= 1;
        for (int i = 0; i < 5000; i++) CHECK(malloc(40) != NULL);
        puts("not found by malloc");
    } else if (strcmp(misuse, "thread") == 0) {
        free(block);
        on_thread(guilty, block);
    } else if (strcmp(misuse, "freed by a thread") == 0) {
        on_thread(freeing, block);
        block[5] = 'x';
    } else if (strcmp(misuse, "child") == 0) {
        free(block);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            block[5] = 'x';
            exit(0);
        }
        int status;
        CHECK(waitpid(child, &status, 0) == child);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == 6);
    } else if (strcmp(misuse, "trim") == 0) {
        int malloc_trim(size_t);
        free(block);
        block[5] = 'x';
        malloc_trim(0);
        puts("not found by malloc_trim");
    } else if (strcmp(misuse, "twice") == 0 || strcmp(misuse, "twice, large") == 0) {
        free(block);
        memset(block, 'x', 40);
        free(block);
        puts("not found by the second free");
    } else if (strcmp(misuse, "resized") == 0) {
        free(block);
        block = realloc(block, 100);
        puts("not found by realloc");
    } else {
        CHECK(!"a misuse");
    }
    return 0;
}
