/* C functions that call back on threads of their own. */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

typedef int64_t (*procedure)(int64_t);

struct job { procedure f; int64_t n; int64_t result; int times; };

static void *work(void *at)
{
    struct job *job = at;
    for (int i = 0; i < job->times; i++)
        job->result += job->f(job->n);
    return NULL;
}

/* f(n) on a thread with a stack of `stack` bytes, or the usual one for 0. */
int64_t on_thread_with(procedure f, int64_t n, size_t stack)
{
    struct job job = { f, n, 0, 1 };
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    if (stack != 0 && pthread_attr_setstacksize(&attributes, stack) != 0)
        return -3;
    if (pthread_create(&thread, &attributes, work, &job) != 0)
        return -2;
    pthread_attr_destroy(&attributes);
    pthread_join(thread, NULL);
    return job.result;
}

/* f(i) `times` times on each of n threads at once, and meanwhile f(0) as often on this one. */
int64_t storm(procedure f, int n, int times)
{
    struct job *jobs = calloc((size_t)n, sizeof *jobs);
    pthread_t *threads = calloc((size_t)n, sizeof *threads);
    int64_t sum = 0;
    for (int i = 0; i < n; i++) {
        jobs[i] = (struct job){ f, i + 1, 0, times };
        if (pthread_create(&threads[i], NULL, work, &jobs[i]) != 0)
            abort();
    }
    for (int i = 0; i < times; i++)
        sum += f(0);
    for (int i = 0; i < n; i++) {
        pthread_join(threads[i], NULL);
        sum += jobs[i].result;
    }
    free(jobs);
    free(threads);
    return sum;
}

/* f(1) on this thread while g(2) is called on another. */
int64_t beside(procedure f, procedure g)
{
    struct job job = { g, 2, 0, 1 };
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, &job) != 0)
        return -2;
    int64_t mine = f(1);
    pthread_join(thread, NULL);
    return 100 * mine + job.result;
}

/* f(1) on this thread, and then g(2) on another. */
int64_t first_here(procedure f, procedure g)
{
    int64_t mine = f(1);
    return 100 * mine + on_thread_with(g, 2, 0);
}

/* A thread that keeps f and calls it when it is told to. */
static procedure kept;
static pthread_t keeper;
static int to_keeper[2];
static int64_t keeper_got;

static void *keep(void *unused)
{
    char c;
    (void)unused;
    while (read(to_keeper[0], &c, 1) == 1 && c == 'c')
        keeper_got = kept(7);
    return NULL;
}
int keeper_begins(procedure f)
{
    kept = f;
    return pipe(to_keeper) == 0 && pthread_create(&keeper, NULL, keep, NULL) == 0 ? 0 : -1;
}
int64_t keeper_ends(void)
{
    if (write(to_keeper[1], "c", 1) != 1 || write(to_keeper[1], "e", 1) != 1)
        return -1;
    pthread_join(keeper, NULL);
    return keeper_got;
}
