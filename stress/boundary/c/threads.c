/* C that calls back: later, on threads of its own, past its own frames. */
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

typedef int64_t (*procedure)(int64_t);

/* Calls back at once, and what it keeps. */
static procedure kept;
int64_t call(procedure f, int64_t n) { return f(n); }
void keep(void *f) { kept = (procedure)f; }
int64_t call_kept(int64_t n) { return kept(n); }

/* How often f was called until it said no. */
int64_t ask(procedure f, int64_t times)
{
    int64_t n = 0;
    while (n < times && f(n) == 0)
        n++;
    return n;
}

struct job { procedure f; int64_t n, result; int times; };
static void *work(void *at)
{
    struct job *job = at;
    for (int i = 0; i < job->times; i++)
        job->result += job->f(job->n);
    return NULL;
}
static pthread_t start(struct job *job)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, job) != 0)
        abort();
    return thread;
}

/* The sum of `times` calls of f(n) on a thread. */
int64_t on_thread(procedure f, int64_t n, int times)
{
    struct job job = { f, n, 0, times };
    pthread_join(start(&job), NULL);
    return job.result;
}

/* f(1) on this thread, and f(2) … f(count) each on one of its own, meanwhile. */
int64_t on_threads(procedure f, int count)
{
    struct job *jobs = calloc((size_t)count, sizeof *jobs);
    pthread_t *threads = calloc((size_t)count, sizeof *threads);
    for (int i = 1; i < count; i++) {
        jobs[i] = (struct job){ f, i + 1, 0, 1 };
        threads[i] = start(&jobs[i]);
    }
    int64_t sum = f(1);
    for (int i = 1; i < count; i++) {
        pthread_join(threads[i], NULL);
        sum += jobs[i].result;
    }
    free(jobs);
    free(threads);
    return sum;
}

/* A thread that calls what is kept by f(n), and goes on meanwhile. */
static struct job beside;
static pthread_t beside_thread;
void begin_beside(int64_t n)
{
    beside = (struct job){ kept, n, 0, 1 };
    beside_thread = start(&beside);
}
int64_t end_beside(void)
{
    pthread_join(beside_thread, NULL);
    return beside.result;
}

/* What is kept is called when the process ends. */
static void late(void) { kept(1); }
int call_at_exit(void) { return atexit(late); }

/* Calls f(n), which may jump back here by `jump`. */
static jmp_buf place;
int64_t jump_place(procedure f, int64_t n)
{
    if (setjmp(place) != 0)
        return -7;
    return f(n);
}
void jump(const char *text) { if (text != NULL) longjmp(place, 1); }
static const char *jumped_with;
void jump_saving(const char *text) { jumped_with = text; jump(text); }
int uses_jumped(void) { return *(const volatile char *)jumped_with; }

/* Closes the library that this is in, as often as it can. */
int64_t close_and_call(const char *path, procedure f, int64_t n)
{
    void *library = dlopen(path, RTLD_NOW);
    for (int i = 0; i < 3; i++)
        dlclose(library);
    return f(n);
}

/* A child that runs another program; its status. */
int fork_and_exec(const char *program)
{
    pid_t child = fork();
    int status = 0;
    if (child == 0) {
        execl(program, program, (char *)NULL);
        _exit(127);
    }
    return waitpid(child, &status, 0) == child ? status : -1;
}
