/* C functions that jump past callbacks. */
#include <pthread.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

typedef int64_t (*procedure)(int64_t);

static jmp_buf places[16];

/* Calls f(n), which may jump back here: then it overwrites the stack below and returns -7. */
int64_t jump_place(procedure f, int64_t n)
{
    if (setjmp(places[n]) != 0) {
        volatile char below[16384];
        memset((void *)below, 0x5a, sizeof below);
        return -7;
    }
    return f(n);
}

/* As before, but calls f(15) after the jump. */
int64_t jump_and_call(procedure f, int64_t n)
{
    if (setjmp(places[n]) != 0) {
        volatile char below[16384];
        memset((void *)below, 0x5a, sizeof below);
        return f(15);
    }
    return f(n);
}

/* Jumps to the place of that number, after a call of f. */
void jump_to(procedure f, int64_t n)
{
    f(n);
    longjmp(places[n], 1);
}

void jump_at_once(int64_t n) { longjmp(places[n], 1); }

/* Calls f(9) on a thread, which may jump back, and then f(0), if the thread does not end before. */
static procedure thread_calls;
static int64_t thread_got;
static void *thread_jumps(void *ends)
{
    thread_got = setjmp(places[9]) == 0 ? thread_calls(9) : -7;
    if (ends == NULL)
        thread_got += thread_calls(0);
    return NULL;
}
static int64_t on_thread(procedure f, void *ends)
{
    pthread_t thread;
    thread_calls = f;
    if (pthread_create(&thread, NULL, thread_jumps, ends) != 0)
        return -2;
    pthread_join(thread, NULL);
    return thread_got;
}
int64_t jump_on_thread(procedure f) { return on_thread(f, NULL); }
int64_t jump_on_thread_that_ends(procedure f) { return on_thread(f, &thread_got); }
