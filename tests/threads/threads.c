/* C functions that call back on threads of their own. */
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>

typedef int64_t (*procedure)(int64_t);

struct job { procedure f; int64_t n; int64_t result; int times; };

static void *work(void *at)
{
    struct job *job = at;
    for (int i = 0; i < job->times; i++)
        job->result += job->f(job->n);
    return NULL;
}

static pthread_t begin(struct job *job)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, job) != 0)
        abort();
    return thread;
}

/* f(n) on a thread. */
int64_t on_thread(procedure f, int64_t n)
{
    struct job job = { f, n, 0, 1 };
    pthread_join(begin(&job), NULL);
    return job.result;
}

/* f(1), f(2) … `times` times on n threads at once, and meanwhile f(0) as often on this one. */
int64_t storm(procedure f, int n, int times)
{
    struct job *jobs = calloc((size_t)n, sizeof *jobs);
    pthread_t *threads = calloc((size_t)n, sizeof *threads);
    int64_t sum = 0;
    for (int i = 0; i < n; i++) {
        jobs[i] = (struct job){ f, i + 1, 0, times };
        threads[i] = begin(&jobs[i]);
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
    pthread_t thread = begin(&job);
    int64_t mine = f(1);
    pthread_join(thread, NULL);
    return 100 * mine + job.result;
}

int64_t down(procedure f, int64_t n) { return n == 0 ? 0 : 1 + f(n - 1); }

/* Calls f(n), which may jump back: then the stack below is written over. */
static jmp_buf places[8];
int64_t jump_place(procedure f, int64_t n)
{
    if (setjmp(places[n]) != 0) {
        volatile char below[16384];
        for (size_t i = 0; i < sizeof below; i++)
            below[i] = 0x5a;
        return -7;
    }
    return f(n);
}
void jump_to(const char *text, int64_t n)
{
    if (text != NULL)
        longjmp(places[n], 1);
}

/* Opens and closes this very library, and calls f between and afterwards. */
int64_t close_and_call(const char *path, procedure f, int64_t n)
{
    void *library = dlopen(path, RTLD_NOW);
    int64_t sum = f(n);
    if (library == NULL || dlclose(library) != 0)
        return -1;
    return sum + f(n);
}

/* A thread that calls f(1), f(2) … until it gives 0, whatever the program does meanwhile. */
static procedure kept;
static pthread_t keeper;
static void *keep(void *unused)
{
    (void)unused;
    for (int64_t i = 1; kept(i) != 0; i++)
        ;
    return NULL;
}
int keeper_begins(void *f)
{
    kept = (procedure)f;
    return pthread_create(&keeper, NULL, keep, NULL);
}
int keeper_ends(void) { return pthread_join(keeper, NULL); }
