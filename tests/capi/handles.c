/* Handles and scopes: kinds, stale ones, order, limits. */
#include "trials.h"
#include <stdlib.h>

int failures;

static bl_scope outer;

/* `object` is a handle to "held". */
EXPORT int kinds(uint64_t object, int (*collect)(void))
{
    bl_handle local = bl_local(handle(object)), global = bl_global(local), weak = bl_weak(global);
    CHECK(local.bits != 0 && global.bits != 0 && weak.bits != 0 && local.bits != object);
    bl_handle young = bl_from_string("only here"), weak_young = bl_weak(young);
    collect();
    const char *text = bl_to_string(weak, NULL);
    CHECK(text != NULL && strcmp(text, "held") == 0);
    text = bl_to_string(weak_young, NULL);
    CHECK(text != NULL && strcmp(text, "only here") == 0);

    CHECK(bl_free(local) == BL_OK);
    CHECK(bl_free(local) == BL_E_STALE);
    CHECK_LAST_BEGINS(BL_E_STALE, "bl_free: handle ");
    CHECK(bl_to_string(local, NULL) == NULL && bl_last_status() == BL_E_STALE);
    CHECK(bl_free(global) == BL_OK && bl_free(weak) == BL_OK);
    CHECK(bl_global(global).bits == 0 && bl_weak(weak).bits == 0 && bl_local(local).bits == 0);
    CHECK_LAST_BEGINS(BL_E_STALE, "bl_local: handle ");

    /* A weak handle's object dies with its last strong one. */
    bl_scope scope = bl_scope_open();
    bl_handle dying = bl_weak(bl_from_string("soon gone"));
    CHECK(bl_scope_close(scope) == BL_OK);
    collect();
    collect();
    CHECK(bl_local(dying).bits == 0);
    CHECK_LAST_BEGINS(BL_E_DEAD, "bl_local: the object of weak handle ");
    CHECK(bl_to_string(dying, NULL) == NULL && bl_last_status() == BL_E_DEAD);
    CHECK(bl_free(dying) == BL_OK);
    CHECK(bl_free(weak_young) == BL_OK);
    return failures;
}

/* What is no handle. */
EXPORT int wrong(void)
{
    int64_t n = 7;
    bl_handle good = bl_from_int(5);
    const uint64_t bad[] = {1, 8, 4096, UINT64_MAX, (uint64_t)(uintptr_t)&n, good.bits ^ UINT64_C(1) << 60};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(bl_to_int(handle(bad[i]), &n) == BL_E_STALE && n == 7);
    CHECK_LAST_BEGINS(BL_E_STALE, "bl_to_int: 0x");
    /* None like it was made. */
    CHECK(bl_to_int(handle(good.bits + 1000000), &n) == BL_E_STALE && n == 7);
    CHECK(bl_to_int(NONE, &n) == BL_E_STALE);
    CHECK_LAST(BL_E_STALE, "bl_to_int: 0x0 is not a handle of this process");
    CHECK(bl_raise(NONE).bits == 0 && bl_last_status() == BL_E_STALE && !bl_is_pending());
    CHECK(bl_to_int(good, &n) == BL_OK && n == 5);
    return failures;
}

EXPORT int scopes(void)
{
    int64_t n = 0;
    bl_scope first = bl_scope_open();
    bl_handle a = bl_from_int(1);
    const void *address = bl_to_bytes(bl_from_bytes("stays", 5), NULL);
    CHECK(address != NULL);
    bl_scope second = bl_scope_open();
    bl_handle b = bl_from_int(2);
    CHECK(bl_scope_close(first) == BL_E_SCOPE_ORDER);
    CHECK_LAST(BL_E_SCOPE_ORDER,
               "bl_scope_close: a handle scope was left that is not the innermost one of this thread");
    CHECK(bl_to_int(a, &n) == BL_OK && bl_to_int(b, &n) == BL_OK && n == 2);
    bl_handle c = bl_scope_close_with(second, b);
    CHECK(bl_to_int(c, &n) == BL_OK && n == 2);
    CHECK(bl_to_int(b, &n) == BL_E_STALE);
    CHECK(bl_scope_close(second) == BL_E_SCOPE_ORDER && bl_scope_close_with(second, c).bits == 0);
    /* A scope as deep as one that was closed is another. */
    bl_scope third = bl_scope_open();
    CHECK(bl_scope_close(second) == BL_E_SCOPE_ORDER);
    bl_handle d = bl_from_int(4);
    CHECK(bl_scope_close_with(third, NONE).bits == 0 && bl_last_status() == BL_E_STALE);
    CHECK(bl_to_int(d, &n) == BL_OK && n == 4);
    CHECK(bl_scope_close(third) == BL_OK && bl_scope_close(first) == BL_OK);
    CHECK(bl_to_int(c, &n) == BL_E_STALE && bl_to_int(a, &n) == BL_E_STALE);
    bl_scope none;
    none.bits = 0;
    CHECK(bl_scope_close(none) == BL_E_SCOPE_ORDER);
    return failures;
}

/* The scope of an outer call is not an inner one's to close. */
EXPORT int close_outer(void)
{
    CHECK(bl_scope_close(outer) == BL_E_SCOPE_ORDER);
    /* Left open on purpose: the call ends it. */
    CHECK(bl_scope_open().bits != 0 && bl_from_int(5).bits != 0);
    return failures;
}

EXPORT int scopes_and_calls(int (*inner)(void))
{
    int64_t n = 0;
    outer = bl_scope_open();
    bl_handle a = bl_from_int(1);
    CHECK(inner() == 0);
    CHECK(bl_to_int(a, &n) == BL_OK && n == 1);
    CHECK(bl_scope_close(outer) == BL_OK);
    return failures;
}

/* As many turns, each with a scope, or each freeing what it makes. */
EXPORT int loops(int64_t turns)
{
    int64_t n = 0, sum = 0;
    for (int64_t i = 0; i < turns; i++) {
        bl_scope scope = bl_scope_open();
        bl_handle h = bl_from_int(i);
        CHECK(bl_to_int(h, &n) == BL_OK);
        sum += n;
        if (bl_scope_close(scope) != BL_OK) return -1;
    }
    CHECK(sum == turns * (turns - 1) / 2);
    for (int64_t i = 0; i < turns; i++) {
        bl_handle h = bl_from_boolean(true);
        if (h.bits == 0 || bl_free(h) != BL_OK) return -2;
    }
    /* One object handed from turn to turn. */
    bl_handle last = bl_from_int(0);
    for (int64_t i = 1; i < turns; i++) {
        bl_scope scope = bl_scope_open();
        CHECK(bl_to_int(last, &n) == BL_OK && n == i - 1);
        bl_handle next = bl_scope_close_with(scope, bl_from_int(n + 1));
        if (next.bits == 0 || bl_free(last) != BL_OK) return -3;
        last = next;
    }
    CHECK(bl_to_int(last, &n) == BL_OK && n == turns - 1);
    return failures;
}

/* Without a scope the limit is told, and all that was made is good. */
EXPORT int limit(void)
{
    enum { LIMIT = 65536 };
    int64_t n = 0;
    bl_handle *made = (bl_handle *)calloc(LIMIT + 1, sizeof *made);
    int count = 0;
    while (count <= LIMIT && (made[count] = bl_from_int(count)).bits != 0) count++;
    CHECK(count == LIMIT);
    CHECK_LAST(BL_E_LIMIT, "bl_from_int: too many local handles: 65536 in one scope is the limit; "
                           "open a scope in the loop");
    /* The pin of a string counts, too. */
    CHECK(bl_to_bytes(made[0], NULL) == NULL && bl_last_status() == BL_E_TYPE);
    CHECK(bl_local(made[0]).bits == 0 && bl_last_status() == BL_E_LIMIT);
    for (int i = 0; i < count; i += 1000) CHECK(bl_to_int(made[i], &n) == BL_OK && n == i);
    /* A scope within has its own limit, and global handles count for nobody. */
    bl_scope scope = bl_scope_open();
    CHECK(bl_from_int(1).bits != 0);
    CHECK(bl_scope_close(scope) == BL_OK);
    bl_handle global = bl_global(made[9]);
    CHECK(bl_to_int(global, &n) == BL_OK && n == 9 && bl_free(global) == BL_OK);
    free(made);
    return failures;
}

/* The type of declarations: what the program passes and gets. */
EXPORT bl_handle same(bl_handle h)
{
    return h;
}

EXPORT bl_handle nothing(void)
{
    return NONE;
}

static bl_handle kept;

/* What it was given the time before, which was local to that call or is global. */
EXPORT bl_handle before(bl_handle h)
{
    bl_handle was = kept;
    kept = h;
    return was;
}

EXPORT int is_number(bl_handle h)
{
    double x;
    return bl_to_double(h, &x) == BL_OK;
}

typedef bl_handle procedure(bl_handle);

EXPORT bl_handle through(procedure *f, bl_handle h)
{
    bl_handle got = f(h);
    if (!bl_is_pending()) churn();
    return got;
}

EXPORT bl_handle through_nothing(procedure *f)
{
    return f(NONE);
}

EXPORT bl_handle fill_scope(bl_handle h)
{
    while (bl_local(h).bits != 0) continue;
    return bl_raise_error(bl_last_error());
}

/* Each of many calls deep has handles of its own. */
EXPORT int64_t count_locals(int64_t n, bl_handle (*f)(int64_t))
{
    for (int i = 0; i < 20; i++) CHECK(bl_from_int(i).bits != 0);
    int64_t deeper = 0;
    if (n > 0) CHECK(bl_to_int(f(n - 1), &deeper) == BL_OK);
    return deeper + 20 + failures;
}
