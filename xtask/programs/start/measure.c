/* measure RUNS COMMAND...: runs a command RUNS times, its output thrown away. For each run prints the
   microseconds from start to end, those of the processor, the most memory in KiB, and page faults.
   Where the system lets it, the command runs ahead of all other processes. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static long long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static long long microseconds(struct timeval t) {
    return t.tv_sec * 1000000LL + t.tv_usec;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fputs("usage: measure RUNS COMMAND...\n", stderr);
        return 2;
    }
    struct sched_param first = {.sched_priority = 1};
    sched_setscheduler(0, SCHED_FIFO, &first);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    for (int runs = atoi(argv[1]); runs > 0; runs--) {
        pid_t child;
        int status;
        struct rusage used;
        long long start = now();
        if (posix_spawnp(&child, argv[2], &files, NULL, argv + 2, environ) != 0) {
            perror(argv[2]);
            return 1;
        }
        if (wait4(child, &status, 0, &used) < 0 || status != 0) {
            fprintf(stderr, "%s: status %d\n", argv[2], status);
            return 1;
        }
        printf("%lld %lld %ld %ld\n", now() - start,
               microseconds(used.ru_utime) + microseconds(used.ru_stime), used.ru_maxrss,
               used.ru_minflt + used.ru_majflt);
    }
    return 0;
}
