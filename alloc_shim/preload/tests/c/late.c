/* Threads whose first allocation comes when they end: in the round of destructors that the argument names. */
#include "check.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_key_t key;
static int first_round;

static void at_end(void *round)
{
    if (*(int *)round < first_round) {
        ++*(int *)round;
        CHECK(pthread_setspecific(key, round) == 0);
        return;
    }
    char *block = malloc(1000);
    CHECK(block);
    memset(block, 1, 1000);
    free(block);
}

/* The round lives on the main thread, which waits. */
static void *body(void *round)
{
    CHECK(pthread_setspecific(key, round) == 0);
    return NULL;
}

int main(int count, char **arguments)
{
    CHECK(count == 2);
    first_round = atoi(arguments[1]);
    CHECK(pthread_key_create(&key, at_end) == 0);
    for (int i = 0; i < 300; i++) {
        int round = 1;
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, body, &round) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
    return 0;
}
