/* A signal handler that exits, wherever in malloc it comes. The argument is the number of microseconds until it does. */
#include "check.h"
#include <signal.h>
#include <sys/time.h>

static void leave(int signal) {
    (void)signal;
    exit(0);
}

int main(int count, char **arguments) {
    CHECK(count == 2 && signal(SIGALRM, leave) != SIG_ERR);
    struct itimerval timer = {{0, 0}, {0, atoi(arguments[1])}};
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
    void *blocks[100] = {NULL};
    for (size_t i = 0;; i++) {
        free(blocks[i % 100]);
        blocks[i % 100] = malloc(i * 7919 % 300000);
    }
}
