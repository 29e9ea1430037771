/* Data of a program, made and looked at by the functions of a header that was written for it. Compiled as C11 and as
 * C++17 with every warning an error. */
#pragma GCC diagnostic error "-Wpedantic"
#include <stdio.h>
#include <string.h>

#include "data.h"

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

static bl_handle handle(uint64_t bits)
{
    bl_handle h;
    h.bits = bits;
    return h;
}

EXPORT uint64_t maybes(uint64_t some, uint64_t none)
{
    bl_handle untouched = bl_from_int(5), value = untouched;
    CHECK(ML_maybe_is_no(handle(none)) && !ML_maybe_is_no(handle(some)));
    CHECK(!ML_maybe_deconstruct_yes(handle(none), &value) && bl_last_status() == BL_OK);
    CHECK(value.bits == untouched.bits);
    CHECK(ML_maybe_is_no(ML_maybe_make_no()));
    CHECK(ML_maybe_deconstruct_no(handle(none)) && !ML_maybe_deconstruct_no(handle(some)));
    int odd = 0;
    double part = 0;
    CHECK(odd_get(odd_make(5, 2.5), &odd, &part) && odd == 5 && part == 2.5);
    CHECK(ML_maybe_deconstruct_yes(handle(some), &value) && value.bits != untouched.bits);
    size_t length;
    const char *text = bl_to_string(value, &length);
    CHECK(text != NULL && strcmp(text, "of Scheme") == 0);
    return bl_global(ML_maybe_make_yes(ML_maybe_make_yes(value))).bits;
}

EXPORT uint64_t points(uint64_t point, uint64_t place)
{
    double x = 0;
    int8_t y = 0;
    bl_handle label = {0};
    bool on = false;
    uint64_t w = 1;
    float f = 0;
    void *p = &x;
    size_t n = 0;
    CHECK(point_is(handle(point)) && !point_is(handle(place)));
    CHECK(!point_get(handle(place), &x, &y, &label, &on, &w, &f, &p, &n));
    CHECK(x == 0 && w == 1 && p == &x && label.bits == 0);
    CHECK(point_get(handle(point), &x, &y, &label, &on, &w, &f, &p, &n));
    CHECK(x == 1.5 && y == -7 && on && w == UINT64_MAX && f == 0.25f && p == NULL && n == 9);

    bl_nogc scope;
    double raw_x = 0;
    bl_value raw_label = 0;
    CHECK(bl_nogc_begin(&scope) == BL_OK);
    bl_value word = bl_raw(&scope, handle(point));
    CHECK(point_is_raw(&scope, word) && !point_is_raw(&scope, BL_NIL) && !point_is_raw(&scope, 10));
    CHECK(!point_is_raw(&scope, bl_raw(&scope, handle(place))));
    y = 0, w = 0, n = 0;
    CHECK(point_get_raw(&scope, word, &raw_x, &y, &raw_label, &on, &w, &f, &p, &n));
    CHECK(raw_x == 1.5 && y == -7 && on && w == UINT64_MAX && f == 0.25f && p == NULL && n == 9);
    CHECK(raw_label == bl_raw(&scope, label));
    CHECK(bl_nogc_end(&scope) == BL_OK);

    bl_handle yes = ML_maybe_make_yes(bl_from_boolean(true));
    bl_handle list = list_cons(bl_from_int(1), list_empty());
    CHECK(yes.bits != 0 && list_uncons(list, &yes, &list) && list_is_empty(list));
    bl_handle word_yes = bl_from_string("yes");
    (void)word_yes;
    bl_handle result = point_make(-2.5, -8, list_cons(handle(place), list_empty()), false, 12345678901234567890u, 0.5f, NULL, 1);
    CHECK(point_get(result, &x, &y, &label, &on, &w, &f, &p, &n) && list_uncons(label, &yes, &list));
    x = y = 0;
    CHECK(point_get_assign(result, &x, &y, list, &on, &w, &f, &p, &n) && x == -2.5 && y == -8);
    CHECK(!list_is_empty(list) && list_uncons_assign(list, yes, list) && list_is_empty(list));
    CHECK(!point_get_assign(list, &x, &y, yes, &on, &w, &f, &p, &n) && bl_last_status() == BL_OK);
    CHECK(bl_last_status() == BL_OK && x == -2.5 && y == -8 && !on && f == 0.5f && n == 1);
    return bl_global(result).bits;
}

EXPORT int colors(uint64_t color)
{
    int which = COLOR_of(handle(color));
    CHECK(WEEK_monday == 1 && WEEK_tuesday == 2 && WEEK_sunday == -7 && WEEK_none == -6);
    CHECK(FLAG_none == 0 && FLAG_all == UINT32_MAX && FLAG_most > INT32_MAX && FLAG_some == 2147483649u);
    CHECK((which == -1) == (bl_last_status() == BL_E_TYPE));
    switch (which) {
    case COLOR_red: return 'r';
    case COLOR_green: return 'g';
    case COLOR_blue: return 'b';
    case COLOR_OF: return 'o';
    default: return which;
    }
}

EXPORT int64_t sum(uint64_t list)
{
    int64_t sum = 0, n = 0;
    bl_handle rest = bl_local(handle(list)), first;
    while (true) {
        bl_scope scope = bl_scope_open();
        bl_handle next = {0};
        if (!list_uncons(rest, &first, &next)) break;
        CHECK(bl_to_int(first, &n) == BL_OK);
        sum += n;
        rest = bl_scope_close_with(scope, next);
    }
    CHECK(list_is_empty(rest));
    return sum;
}

/* With the same handles in each turn. */
EXPORT int64_t sum_assign(uint64_t list)
{
    int64_t sum = 0, n = 0;
    bl_handle rest = bl_local(handle(list)), first = bl_unspecified();
    while (list_uncons_assign(rest, first, rest)) {
        CHECK(bl_to_int(first, &n) == BL_OK);
        sum += n;
    }
    CHECK(bl_last_status() == BL_OK && list_is_empty(rest));
    return sum;
}

EXPORT int64_t sum_raw(uint64_t list)
{
    int64_t sum = 0;
    bl_nogc scope;
    CHECK(bl_nogc_begin(&scope) == BL_OK);
    bl_value rest = bl_raw(&scope, handle(list)), first;
    while (list_uncons_raw(&scope, rest, &first, &rest)) sum += bl_fixnum(first);
    CHECK(list_is_empty_raw(&scope, rest));
    CHECK(bl_nogc_end(&scope) == BL_OK);
    return sum;
}

EXPORT uint64_t reversed(uint64_t list)
{
    bl_handle made = list_empty(), rest = bl_local(handle(list)), first;
    while (list_uncons(rest, &first, &rest)) made = list_cons(first, made);
    return bl_global(made).bits;
}

/* What is refused, with its status. */
EXPORT int refused(uint64_t some)
{
    bl_handle none = {0}, value = {7};
    CHECK(ML_maybe_make_yes(none).bits == 0 && bl_last_status() == BL_E_STALE);
    CHECK(!ML_maybe_deconstruct_yes(none, &value) && bl_last_status() == BL_E_STALE && value.bits == 7);
    CHECK(!ML_maybe_is_no(none) && bl_last_status() == BL_E_STALE);
    CHECK(bl_data_make(NULL, NULL, NULL).bits == 0 && bl_last_status() == BL_E_NULL);

    bl_handle kept = bl_from_int(7);
    int64_t seven = 0;
    CHECK(!ML_maybe_deconstruct_yes_assign(handle(some), none) && bl_last_status() == BL_E_STALE);
    CHECK(!ML_maybe_deconstruct_yes_assign(none, kept) && bl_last_status() == BL_E_STALE);
    CHECK(bl_to_int(kept, &seven) == BL_OK && seven == 7);

    bl_nogc scope;
    CHECK(bl_nogc_begin(&scope) == BL_OK);
    CHECK(ML_maybe_make_no().bits == 0 && bl_last_status() == BL_E_NOGC);
    CHECK(bl_nogc_end(&scope) == BL_OK);

    bl_constructor changed = {"ML_maybe_is_no", 1, 0};
    CHECK(!bl_data_is(&changed, handle(some)) && bl_last_status() == BL_E_LAYOUT);
    CHECK(strcmp(bl_last_error(), "bl_data_is: `ML_maybe_is_no` has other fields than its header says: "
                                  "write the header anew by `bowline header`") == 0);
    bl_constructor unknown = {"nothing", 1, 0};
    CHECK(bl_constructor_find(&unknown) == BL_E_EXPORT);
    CHECK(strcmp(bl_last_error(),
                 "bl_constructor_find: the program has exported nothing as `nothing` so far") == 0);
    bl_constructor nameless = {NULL, 1, 0};
    CHECK(bl_constructor_find(&nameless) == BL_E_NULL);
    return 0;
}

EXPORT int shapes(uint64_t shape)
{
    double r = 0;
    CHECK(shape_circle(handle(shape), &r));
    return (int)r;
}

/* After as many locals as a scope takes, nothing is stored. */
EXPORT int late(uint64_t some)
{
    bl_handle last = {0}, value = {7};
    for (int i = 0; i < 70000; i++) {
        bl_handle h = bl_local(handle(some));
        if (h.bits == 0) break;
        last = h;
    }
    CHECK(!ML_maybe_deconstruct_yes(last, &value) && bl_last_status() == BL_E_LIMIT && value.bits == 7);
    return 0;
}
