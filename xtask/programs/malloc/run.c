/* run OUT PRELOAD [--beside SCRIPT] COMMAND...: runs a command with a library preloaded, its output written to OUT, and prints
   what it and its children took: `wall=` and `cpu=` in milliseconds, `rss=`, the most memory of one process, in KiB.
   Beside it a script may run, which is not counted. A process that starts another one lends it its own size for a
   moment, so this one is small. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE = 300 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double milliseconds(struct timeval t) {
    return (double)t.tv_sec * 1e3 + (double)t.tv_usec / 1e3;
}

static void output_to(const char *path, int error) {
    int out = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    int in = open("/dev/null", O_RDONLY);
    if (out < 0 || in < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || (error && dup2(out, 2) < 0))
        _exit(126);
}

static pid_t beside(const char *script) {
    pid_t child = fork();
    if (child == 0) {
        output_to("/dev/null", 1);
        execl("/bin/sh", "sh", "-c", script, (char *)NULL);
        _exit(127);
    }
    return child;
}

static pid_t start(const char *out, const char *preload, char **command) {
    pid_t child = fork();
    if (child == 0) {
        output_to(out, 0);
        alarm(PATIENCE);
        setenv("LD_PRELOAD", preload, 1);
        execvp(command[0], command);
        _exit(127);
    }
    return child;
}

int main(int argc, char **argv) {
    char **command = argv + 3;
    pid_t other = 0;
    if (argc >= 6 && strcmp(argv[3], "--beside") == 0) {
        other = beside(argv[4]);
        command = argv + 5;
    } else if (argc < 4) {
        fputs("usage: run OUT PRELOAD [--beside SCRIPT] COMMAND...\n", stderr);
        return 2;
    }
    double from = now();
    pid_t child = start(argv[1], argv[2], command);
    struct rusage used;
    int status = 0, ended = 0;
    if (child < 0 || wait4(child, &status, 0, &used) < 0) {
        perror(command[0]);
        return 1;
    }
    double wall = now() - from;
    if (other > 0)
        waitpid(other, &ended, 0);
    if (status != 0 || ended != 0) {
        fprintf(stderr, "%s: status %d, beside it %d\n", command[0], status, ended);
        return 1;
    }
    printf("wall=%.3f cpu=%.3f rss=%ld\n", wall, milliseconds(used.ru_utime) + milliseconds(used.ru_stime),
           used.ru_maxrss);
    return 0;
}
