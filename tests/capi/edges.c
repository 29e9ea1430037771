/* Where C may not ask: other threads, leaf calls, under a pending exit, in a no-GC scope. */
#include "trials.h"
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

int failures;

/* Calls everything that needs a foreign call, and checks that each says this. The arguments are good ones. */
static void refused(bl_status status, const char *why)
{
    int64_t n = 7;
    double x = 7;
    bool truth = true;
    size_t size = 7;
    void *at = &failures;
    bl_handle items[1] = {NONE};
    bl_nogc nogc;
    bl_scope scope;
    char text[300];
    scope.bits = 0;
    nogc.call = 1;
    nogc.depth = 1;
#define REFUSED(name, call)                                     \
    do {                                                        \
        errno = EXDEV;                                          \
        CHECK(call);                                            \
        CHECK(errno == EXDEV);                                  \
        snprintf(text, sizeof text, "%s: %s", #name, why);      \
        CHECK_LAST(status, text);                               \
    } while (0)
    REFUSED(bl_local, bl_local(NONE).bits == 0);
    REFUSED(bl_global, bl_global(NONE).bits == 0);
    REFUSED(bl_weak, bl_weak(NONE).bits == 0);
    REFUSED(bl_free, bl_free(NONE) == status);
    REFUSED(bl_scope_open, bl_scope_open().bits == 0);
    REFUSED(bl_scope_close, bl_scope_close(scope) == status);
    REFUSED(bl_scope_close_with, bl_scope_close_with(scope, NONE).bits == 0);
    REFUSED(bl_from_int, bl_from_int(1).bits == 0);
    REFUSED(bl_from_double, bl_from_double(1).bits == 0);
    REFUSED(bl_from_boolean, bl_from_boolean(true).bits == 0);
    REFUSED(bl_from_string, bl_from_string("text").bits == 0);
    REFUSED(bl_from_string_n, bl_from_string_n("text", 4).bits == 0);
    REFUSED(bl_from_bytes, bl_from_bytes("text", 4).bits == 0);
    REFUSED(bl_from_pointer, bl_from_pointer(&n).bits == 0);
    REFUSED(bl_from_tuple, bl_from_tuple(items, 1).bits == 0);
    REFUSED(bl_unspecified, bl_unspecified().bits == 0);
    REFUSED(bl_to_int, bl_to_int(NONE, &n) == status && n == 7);
    REFUSED(bl_to_double, bl_to_double(NONE, &x) == status && x == 7);
    REFUSED(bl_to_boolean, bl_to_boolean(NONE, &truth) == status && truth);
    REFUSED(bl_to_string, bl_to_string(NONE, &size) == NULL && size == 7);
    REFUSED(bl_to_bytes, bl_to_bytes(NONE, &size) == NULL && size == 7);
    REFUSED(bl_to_pointer, bl_to_pointer(NONE, &at) == status && at == (void *)&failures);
    REFUSED(bl_tuple_size, bl_tuple_size(NONE, &size) == status && size == 7);
    REFUSED(bl_to_tuple, bl_to_tuple(NONE, items, 1) == status && items[0].bits == 0);
    REFUSED(bl_tuple_ref, bl_tuple_ref(NONE, 0).bits == 0);
    REFUSED(bl_raise, bl_raise(NONE).bits == 0);
    REFUSED(bl_raise_errno, bl_raise_errno().bits == 0);
    REFUSED(bl_raise_error, bl_raise_error("text").bits == 0);
    REFUSED(bl_nogc_begin, bl_nogc_begin(&nogc) == status);
    REFUSED(bl_nogc_end, bl_nogc_end(&nogc) == status);
    REFUSED(bl_raw, bl_raw(&nogc, NONE) == BL_BROKEN);
    REFUSED(bl_from_raw, bl_from_raw(&nogc, 0).bits == 0);
    CHECK(!bl_is_pending() && bl_version() == (BL_VERSION_MAJOR << 16 | BL_VERSION_MINOR));
    CHECK(strcmp(bl_status_name(status), "BL_OK") != 0);
    CHECK(strcmp(bl_status_name((bl_status)99), "BL_E_?") == 0);
}

static void *elsewhere(void *unused)
{
    CHECK_LAST(BL_OK, "");
    refused(BL_E_THREAD, "the thread is in no foreign call");
    return unused;
}

EXPORT int threads(void)
{
    pthread_t other;
    CHECK(bl_from_int(1).bits != 0);
    CHECK(bl_free(NONE) == BL_E_STALE);
    CHECK(pthread_create(&other, NULL, elsewhere, NULL) == 0 && pthread_join(other, NULL) == 0);
    /* A thread's status is its own. */
    CHECK_LAST(BL_E_STALE, "bl_free: 0x0 is not a handle of this process");
    return failures;
}

EXPORT int leaf(void)
{
    refused(BL_E_LEAF, "the thread is in a leaf call, which may not come back to the runtime");
    return failures;
}

/* Raises `object`; then nothing is made any more. */
EXPORT uint64_t raises(uint64_t object)
{
    int64_t n = 0;
    errno = ENOENT;
    CHECK(!bl_is_pending());
    CHECK(bl_raise(handle(object)).bits == 0 && bl_last_status() == BL_OK);
    CHECK(bl_is_pending() && errno == ENOENT);
    CHECK(bl_from_int(1).bits == 0);
    CHECK_LAST(BL_E_PENDING, "bl_from_int: an exit is pending: C must return");
    CHECK(bl_from_tuple(NULL, 0).bits == 0 && bl_last_status() == BL_E_PENDING);
    CHECK(bl_raise_error("again").bits == 0);
    CHECK_LAST(BL_E_PENDING, "bl_raise_error: an exit is pending: C must return");
    CHECK(bl_raise_errno().bits == 0 && bl_raise(handle(object)).bits == 0);
    /* What is there can be read, and given back. */
    bl_handle other = bl_local(handle(object));
    CHECK(bl_to_int(other, &n) == BL_OK && n == 42 && bl_free(other) == BL_OK);
    return 17;
}

EXPORT uint64_t raises_object(uint64_t object)
{
    return bl_raise(handle(object)).bits;
}

/* What a callback raises is pending, too; the callback returns its default then. */
EXPORT int callback_raises(int (*f)(void))
{
    CHECK(f() == 0 && bl_is_pending());
    CHECK(bl_from_int(1).bits == 0 && bl_last_status() == BL_E_PENDING);
    return 17;
}

EXPORT uint64_t raises_errno(int number)
{
    errno = number;
    return bl_raise_errno().bits;
}

EXPORT uint64_t raises_error(void)
{
    int64_t n;
    CHECK(bl_raise_error(NULL).bits == 0);
    CHECK_LAST(BL_E_NULL, "bl_raise_error: `text` is null");
    CHECK(!bl_is_pending());
    bl_to_int(bl_from_boolean(true), &n);
    return bl_raise_error(bl_last_error()).bits;
}

EXPORT int checked(void)
{
    return failures;
}

typedef int procedure(void);

static void *call(void *f)
{
    failures += (*(procedure **)f)();
    /* Between callbacks the thread is in no foreign call. */
    CHECK(bl_from_int(1).bits == 0 && bl_last_status() == BL_E_THREAD);
    return NULL;
}

/* Calls back on a thread of its own. */
EXPORT int on_thread(procedure *f)
{
    pthread_t other;
    CHECK(pthread_create(&other, NULL, call, &f) == 0 && pthread_join(other, NULL) == 0);
    return failures;
}

/* `tuple` is #(5 "text" 2.5 #u8(1 2 3) (1 . 2) #\x). */
EXPORT int words(uint64_t tuple)
{
    bl_nogc scope, inner;
    CHECK(bl_nogc_begin(NULL) == BL_E_NULL);
    CHECK(bl_nogc_begin(&scope) == BL_OK);
    bl_value v = bl_raw(&scope, handle(tuple));
    CHECK(bl_is_vector(v) && !bl_is_string(v) && !bl_is_pair(v) && bl_vector_length(v) == 6);
    CHECK(bl_is_fixnum(bl_vector_ref(v, 0)) && bl_fixnum(bl_vector_ref(v, 0)) == 5);
    bl_value text = bl_vector_ref(v, 1);
    CHECK(bl_is_string(text) && bl_string_length(text) == 4 && strcmp(bl_string_text(text), "text") == 0);
    CHECK(bl_is_flonum(bl_vector_ref(v, 2)) && bl_flonum(bl_vector_ref(v, 2)) == 2.5);
    bl_value bytes = bl_vector_ref(v, 3);
    CHECK(bl_is_bytevector(bytes) && bl_bytevector_length(bytes) == 3);
    CHECK(memcmp(bl_bytevector_bytes(bytes), "\1\2\3", 3) == 0);
    bl_value pair = bl_vector_ref(v, 4);
    CHECK(bl_is_pair(pair) && bl_fixnum(bl_car(pair)) == 1 && bl_fixnum(bl_cdr(pair)) == 2);
    CHECK(bl_is_char(bl_vector_ref(v, 5)) && bl_char(bl_vector_ref(v, 5)) == 'x');
    CHECK(!bl_is_foreign_pointer(v) && !bl_is_flonum(v));

    /* What does not allocate works, and the word stays the same. */
    int64_t n = 0;
    bl_handle h = bl_from_raw(&scope, bl_vector_ref(v, 0));
    CHECK(bl_to_int(h, &n) == BL_OK && n == 5);
    CHECK(bl_from_int(1).bits == 0);
    CHECK_LAST(BL_E_NOGC, "bl_from_int: a no-GC scope is open, in which nothing may be allocated");
    CHECK(bl_from_tuple(NULL, 0).bits == 0 && bl_last_status() == BL_E_NOGC);
    CHECK(bl_raw(&scope, handle(tuple)) == v);
    CHECK(bl_raw(&scope, NONE) == BL_BROKEN && bl_last_status() == BL_E_STALE);
    CHECK(bl_raw(NULL, h) == BL_BROKEN && bl_last_status() == BL_E_NULL);

    CHECK(bl_nogc_begin(&inner) == BL_OK);
    CHECK(bl_nogc_end(&scope) == BL_E_SCOPE_ORDER);
    CHECK_LAST(BL_E_SCOPE_ORDER, "bl_nogc_end: the no-GC scope is not the innermost one");
    CHECK(bl_raw(&inner, handle(tuple)) == v && bl_raw(&scope, handle(tuple)) == v);
    CHECK(bl_nogc_end(&inner) == BL_OK);
    CHECK(bl_nogc_end(&inner) == BL_E_SCOPE_ORDER);
    CHECK_LAST(BL_E_SCOPE_ORDER, "bl_nogc_end: the no-GC scope is not open");
    CHECK(bl_raw(&inner, handle(tuple)) == BL_BROKEN);
    CHECK(bl_nogc_end(&scope) == BL_OK);
    CHECK(bl_raw(&scope, handle(tuple)) == BL_BROKEN);
    CHECK_LAST(BL_E_SCOPE_ORDER, "bl_raw: the no-GC scope is not open");
    CHECK(bl_from_raw(&scope, 0).bits == 0 && bl_nogc_end(NULL) == BL_E_NULL);
    /* Afterwards all is as before. */
    churn();
    CHECK(bl_to_int(h, &n) == BL_OK && n == 5);
    return failures;
}

EXPORT int left_open(void)
{
    bl_nogc scope;
    CHECK(bl_nogc_begin(&scope) == BL_OK && bl_nogc_begin(&scope) == BL_OK);
    return failures;
}

/* A raise within the scope wins over the scope that was left open. */
EXPORT uint64_t raises_within(void)
{
    bl_nogc scope;
    CHECK(bl_nogc_begin(&scope) == BL_OK);
    return bl_raise_error("from within").bits;
}

EXPORT int calls_back(int (*f)(void), int end)
{
    bl_nogc scope;
    CHECK(bl_nogc_begin(&scope) == BL_OK);
    CHECK(f() == 0);
    if (end) CHECK(bl_nogc_end(&scope) == BL_OK);
    return failures;
}

enum { BLOCKS = 100, MIB = 1 << 20 };
static char *blocks[BLOCKS];

static void *allocate(void *unused)
{
    for (int i = 0; i < BLOCKS; i++)
        if ((blocks[i] = (char *)malloc(MIB)) != NULL) blocks[i][0] = 1;
    return unused;
}

/* Keeps a collection waiting that another thread of C's wants. */
EXPORT int lingers(int milliseconds)
{
    bl_nogc scope;
    pthread_t other;
    struct timespec time;
    time.tv_sec = milliseconds / 1000;
    time.tv_nsec = milliseconds % 1000 * 1000000L;
    CHECK(bl_nogc_begin(&scope) == BL_OK);
    CHECK(pthread_create(&other, NULL, allocate, NULL) == 0 && pthread_join(other, NULL) == 0);
    nanosleep(&time, NULL);
    CHECK(bl_nogc_end(&scope) == BL_OK);
    for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
    return failures;
}
