/* Procedures of a program, called by the functions of a header that was written for it: from a foreign call, nested, and on
 * threads of C's own. Compiled as C11 and as C++17 with every warning an error. */
#include "calls.h"
#pragma GCC diagnostic error "-Wpedantic"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#ifdef __cplusplus
#define EXPORT extern "C"
#else
#define EXPORT
#endif

#define CHECK(what)                                                                              \
    do {                                                                                         \
        if (!(what)) {                                                                           \
            fprintf(stderr, "%s:%d: %s (%s: %s)\n", __FILE__, __LINE__, #what,                   \
                    bl_status_name(bl_last_status()), bl_last_error());                          \
        }                                                                                        \
    } while (0)

EXPORT bl_handle calls(bl_handle object, void *point)
{
    errno = 5;
    CHECK(add(-3, 5) == 2 && add(INT64_MAX, 0) == INT64_MAX && bl_last_status() == BL_OK);
    CHECK(scale(1.5, 2.0f) == 3.0 && half(3.0f) == 1.5f);
    CHECK(both(true, true) && !both(true, false));
    CHECK(next_day(1) == 2 && next_day(2) == 1 && next_day(77) == 1);
    CHECK(x_of(point) == 7 && where(point) == point && where(NULL) == NULL);
    CHECK(errno == 5);
    nothing();
    CHECK(bl_last_status() == BL_OK);
    note("text of C");
    note(NULL);
    CHECK(fib(15) == 610);
    CHECK(count_said() == 2);
    bl_handle list = collect(-128, 255, -32768, UINT64_MAX, 'c', true);
    bl_handle pair = twice(twice(object));
    bl_handle both_[2] = {list, pair};
    return bl_from_tuple(both_, 2);
}

/* What is raised goes on when C has returned; until then nothing runs. */
EXPORT int calls_fails(int n)
{
    CHECK(fails(n) == 0 && bl_last_status() == BL_E_PENDING && bl_is_pending());
    CHECK(strcmp(bl_last_error(), "bl_procedure_call: the procedure was left otherwise than by return") == 0);
    CHECK(add(1, 1) == 0 && bl_last_status() == BL_E_PENDING);
    CHECK(strcmp(bl_last_error(), "bl_procedure_call: an exit is pending: C must return") == 0);
    return 1;
}

EXPORT int calls_head(bl_handle list) { return head(list); }

EXPORT int calls_stale(void)
{
    bl_handle none = {0};
    CHECK(twice(none).bits == 0 && bl_last_status() == BL_E_PENDING);
    return 1;
}

EXPORT int calls_deeper(int n) { return deeper(n); }

EXPORT int calls_leaf(void)
{
    CHECK(add(1, 1) == 0 && bl_last_status() == BL_E_LEAF);
    return 1;
}

EXPORT int calls_refused(void)
{
    bl_nogc scope;
    CHECK(bl_nogc_begin(&scope) == BL_OK);
    CHECK(add(1, 1) == 0 && bl_last_status() == BL_E_NOGC);
    CHECK(strcmp(bl_last_error(), "bl_procedure_call: a no-GC scope is open, in which no procedure can run") == 0);
    CHECK(bl_nogc_end(&scope) == BL_OK && add(1, 1) == 2);

    uint64_t words[2] = {1, 2}, result = 9;
    bl_procedure changed = {"add", 1, 0}, unknown = {"subtract", 1, 0}, nameless = {NULL, 1, 0};
    CHECK(bl_procedure_call(&changed, words, &result) == BL_E_LAYOUT && result == 9);
    CHECK(strcmp(bl_last_error(), "bl_procedure_call: `add` has other types than its header says: "
                                  "write the header anew by `bowline header`") == 0);
    CHECK(bl_procedure_call(&unknown, words, &result) == BL_E_EXPORT);
    CHECK(strcmp(bl_last_error(),
                 "bl_procedure_call: the program has exported nothing as `subtract` so far") == 0);
    CHECK(bl_procedure_call(&nameless, words, &result) == BL_E_NULL);
    CHECK(bl_procedure_call(NULL, words, &result) == BL_E_NULL && result == 9);
    bl_constructor procedure = {"add", 1, 0};
    CHECK(bl_constructor_find(&procedure) == BL_E_LAYOUT);
    return 0;
}

static void *on_thread(void *data)
{
    int *n = (int *)data, sum = 0;
    errno = 7;
    for (int i = 0; i < 50; i++) sum += (int)add(i, *n);
    CHECK(sum == 1225 + 50 * *n && fib(10) == 55 && errno == 7);
    note("a thread");
    *n = 0;
    return NULL;
}

EXPORT int calls_threads(int count)
{
    pthread_t threads[20];
    int given[20], left = 0;
    for (int i = 0; i < count; i++) {
        given[i] = i + 1;
        pthread_create(&threads[i], NULL, on_thread, &given[i]);
    }
    CHECK(fib(12) == 144);
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        left += given[i];
    }
    return left;
}

/* On a thread of C's own what is raised is told, and a handle has no scope to belong to. */
static void *alone(void *data)
{
    int *status = (int *)data;
    bl_procedure unknown = {"nowhere", 1, 0};
    CHECK(bl_procedure_call(&unknown, NULL, NULL) == BL_E_EXPORT);
    CHECK(fails(9) == 0);
    status[0] = bl_last_status();
    CHECK(head(bl_from_int(1)) == 0);
    status[1] = bl_last_status();
    return NULL;
}

EXPORT int calls_own(void)
{
    int status[2] = {0, 0};
    pthread_t thread;
    pthread_create(&thread, NULL, alone, status);
    pthread_join(thread, NULL);
    CHECK(status[0] == BL_E_PENDING && status[1] == BL_E_PENDING && !bl_is_pending());
    return (int)add(40, 2);
}

EXPORT int calls_back(int (*callback)(int))
{
    int n = callback((int)add(1, 2));
    CHECK((add(n, 1) == n + 1) != bl_is_pending());
    return n;
}

EXPORT int calls_late(void)
{
    int n = late();
    CHECK(n > 0 || bl_last_status() == BL_E_EXPORT);
    return n;
}

static void *collecting(void *data)
{
    int *left = (int *)data;
    for (int i = 0; i < 10; i++) {
        collect_all();
        CHECK(bl_last_status() == BL_OK);
    }
    __atomic_fetch_sub(left, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

/* The list is walked again and again, by handles, as long as threads of C's collect, and it moves. */
EXPORT int64_t calls_walk(bl_handle list, int count)
{
    pthread_t threads[3];
    int left = count;
    int64_t sum, n;
    for (int i = 0; i < count; i++) pthread_create(&threads[i], NULL, collecting, &left);
    do {
        bl_handle rest = bl_local(list), first = bl_local(list);
        for (sum = 0; list_uncons_assign(rest, first, rest); sum += n) {
            n = 0;
            CHECK(bl_to_int(first, &n) == BL_OK);
        }
        CHECK(bl_last_status() == BL_OK && sum == 500500);
        CHECK(bl_free(first) == BL_OK && bl_free(rest) == BL_OK);
    } while (__atomic_load_n(&left, __ATOMIC_SEQ_CST) > 0);
    for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
    return sum;
}
