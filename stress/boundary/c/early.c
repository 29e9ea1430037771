/* A library that is preloaded and allocates before main, in destructors of a thread, and after main. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *first;
static pthread_key_t key;

static int works(size_t size)
{
    char *block = malloc(size);
    if (block == NULL)
        return 0;
    memset(block, 1, size);
    block = realloc(block, 2 * size);
    free(block);
    return block != NULL;
}

static void say(const char *text) { if (write(1, text, strlen(text)) < 0) abort(); }

__attribute__((constructor)) static void before_main(void)
{
    first = malloc(1000);
    if (works(100) && works(100000))
        say("before main\n");
}

__attribute__((destructor)) static void after_main(void)
{
    free(first);
    if (works(100) && works(100000))
        say("after exit\n");
}

/* Allocates on a thread that ends, in a destructor, for as many rounds as there are. */
static void round_of_destructors(void *at)
{
    int *rounds = at;
    if (!works(100))
        abort();
    if (--*rounds > 0)
        pthread_setspecific(key, rounds);
    else
        free(rounds);
}
static void *ends(void *unused)
{
    int *rounds = malloc(sizeof *rounds);
    *rounds = 3;
    pthread_setspecific(key, rounds);
    return unused;
}
int thread_that_ends(void)
{
    pthread_t thread;
    return pthread_key_create(&key, round_of_destructors) == 0 && pthread_create(&thread, NULL, ends, NULL) == 0 && pthread_join(thread, NULL) == 0;
}
