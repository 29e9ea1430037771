/* Values from C and to C: right ones, wrong types, null pointers. */
#include "trials.h"

int failures;

static const int64_t NUMBERS[] = {
    0, 1, -1, 255, INT64_C(4611686018427387903), INT64_C(4611686018427387904),
    -INT64_C(4611686018427387904), -INT64_C(4611686018427387905), INT64_MAX, INT64_MIN,
};

/* `big` is 2^63, `text` a string, `half` 1/2. */
EXPORT int numbers(uint64_t big, uint64_t text, uint64_t half)
{
    int64_t n = 7;
    double x = 7;
    bool truth = true;
    for (size_t i = 0; i < sizeof NUMBERS / sizeof *NUMBERS; i++) {
        bl_handle h = bl_from_int(NUMBERS[i]);
        churn();
        CHECK(bl_to_int(h, &n) == BL_OK && n == NUMBERS[i]);
        CHECK_LAST(BL_OK, "");
        CHECK(bl_to_double(h, &x) == BL_OK && x == (double)NUMBERS[i]);
    }
    n = 7;
    CHECK(bl_to_int(handle(big), &n) == BL_E_RANGE && n == 7);
    CHECK_LAST(BL_E_RANGE, "bl_to_int: 9223372036854775808 does not fit int64_t");
    CHECK(bl_to_int(handle(text), &n) == BL_E_TYPE && n == 7);
    CHECK_LAST(BL_E_TYPE, "bl_to_int: expected an exact integer, got \"knot\"");
    CHECK(bl_to_int(handle(half), &n) == BL_E_TYPE);
    CHECK(bl_to_int(bl_from_double(1), &n) == BL_E_TYPE);
    CHECK_LAST(BL_E_TYPE, "bl_to_int: expected an exact integer, got 1.0");
    CHECK(bl_to_int(bl_from_int(1), NULL) == BL_E_NULL);
    CHECK_LAST(BL_E_NULL, "bl_to_int: `n` is null");

    bl_handle pi = bl_from_double(3.25);
    churn();
    CHECK(bl_to_double(pi, &x) == BL_OK && x == 3.25);
    CHECK(bl_to_double(handle(half), &x) == BL_OK && x == 0.5);
    CHECK(bl_to_double(handle(big), &x) == BL_OK && x == 9223372036854775808.0);
    CHECK(bl_to_double(handle(text), &x) == BL_E_TYPE && x == 9223372036854775808.0);
    CHECK_LAST(BL_E_TYPE, "bl_to_double: expected a real number, got \"knot\"");
    CHECK(bl_to_double(pi, NULL) == BL_E_NULL);

    CHECK(bl_to_boolean(bl_from_boolean(false), &truth) == BL_OK && !truth);
    CHECK(bl_to_boolean(bl_from_boolean(true), &truth) == BL_OK && truth);
    truth = false;
    CHECK(bl_to_boolean(bl_from_int(0), &truth) == BL_OK && truth);
    CHECK(bl_to_boolean(pi, NULL) == BL_E_NULL);
    CHECK(bl_unspecified().bits != 0);
    return failures;
}

/* `text` is a string, `nul` one with a NUL at byte 3, `number` 5. */
EXPORT int texts(uint64_t text, uint64_t nul, uint64_t number)
{
    size_t length = 99;
    const char *at = bl_to_string(handle(text), NULL);
    CHECK(at != NULL && strcmp(at, "na\xc3\xafve") == 0);
    churn();
    /* It stays where it is until the call returns, however much moves. */
    CHECK(strcmp(at, "na\xc3\xafve") == 0 && bl_to_string(handle(text), &length) == at && length == 6);
    CHECK(bl_to_string(handle(nul), NULL) == NULL);
    CHECK_LAST(BL_E_NUL, "bl_to_string: the string has a NUL at byte 3, where C would take it to end");
    at = bl_to_string(handle(nul), &length);
    CHECK(at != NULL && length == 6 && memcmp(at, "two\0tw", 7) == 0);
    length = 99;
    CHECK(bl_to_string(handle(number), &length) == NULL && length == 99);
    CHECK_LAST(BL_E_TYPE, "bl_to_string: expected a string, got 5");

    at = bl_to_string(bl_from_string("sheet bend"), &length);
    CHECK(at != NULL && strcmp(at, "sheet bend") == 0 && length == 10);
    at = bl_to_string(bl_from_string_n("a\0b", 3), &length);
    CHECK(at != NULL && memcmp(at, "a\0b", 4) == 0 && length == 3);
    at = bl_to_string(bl_from_string(""), &length);
    CHECK(at != NULL && *at == 0 && length == 0);
    at = bl_to_string(bl_from_string_n(NULL, 0), &length);
    CHECK(at != NULL && length == 0);
    /* What is not UTF-8. */
    at = bl_to_string(bl_from_string("a\xff" "b"), &length);
    CHECK(at != NULL && strcmp(at, "a\xef\xbf\xbd" "b") == 0 && length == 5);
    CHECK(bl_from_string(NULL).bits == 0);
    CHECK_LAST(BL_E_NULL, "bl_from_string: `text` is null");
    CHECK(bl_from_string_n(NULL, 1).bits == 0);
    CHECK_LAST(BL_E_NULL, "bl_from_string_n: `text` is null");
    /* A copy of what stands in the heap itself. */
    at = bl_to_string(bl_from_string(bl_to_string(handle(text), NULL)), NULL);
    CHECK(at != NULL && strcmp(at, "na\xc3\xafve") == 0);
    return failures;
}

/* `bytes` is a bytevector of 4, `empty` of none, `number` 5. */
EXPORT int bytes(uint64_t bytes, uint64_t empty, uint64_t number)
{
    size_t length = 99;
    unsigned char *at = (unsigned char *)bl_to_bytes(handle(bytes), &length);
    CHECK(at != NULL && length == 4 && memcmp(at, "\1\2\3\4", 4) == 0);
    churn();
    CHECK(bl_to_bytes(handle(bytes), NULL) == at && at[3] == 4);
    at[3] = 40;
    length = 99;
    CHECK(bl_to_bytes(handle(empty), &length) != NULL && length == 0);
    CHECK(bl_to_bytes(handle(number), &length) == NULL);
    CHECK_LAST(BL_E_TYPE, "bl_to_bytes: expected a bytevector, got 5");
    at = (unsigned char *)bl_to_bytes(bl_from_bytes("\0\1\2", 3), &length);
    CHECK(at != NULL && length == 3 && memcmp(at, "\0\1\2", 3) == 0);
    CHECK(bl_to_bytes(bl_from_bytes(NULL, 0), &length) != NULL && length == 0);
    CHECK(bl_from_bytes(NULL, 1).bits == 0);
    CHECK_LAST(BL_E_NULL, "bl_from_bytes: `bytes` is null");
    return failures;
}

/* `pointer` points to 64 bytes that are `c`, `no` is #f, `text` a string. */
EXPORT int pointers(uint64_t pointer, uint64_t no, uint64_t text)
{
    void *at = &failures;
    CHECK(bl_to_pointer(handle(pointer), &at) == BL_OK && ((char *)at)[63] == 'c');
    CHECK(bl_to_pointer(bl_from_pointer(&failures), &at) == BL_OK && at == (void *)&failures);
    CHECK(bl_to_pointer(bl_from_pointer(NULL), &at) == BL_OK && at == NULL);
    /* An odd address is no tagged word of the heap. */
    bl_handle odd = bl_from_pointer((char *)&failures + 1);
    churn();
    CHECK(bl_to_pointer(odd, &at) == BL_OK && at == (char *)&failures + 1);
    CHECK(bl_to_pointer(handle(no), &at) == BL_OK && at == NULL);
    at = &failures;
    CHECK(bl_to_pointer(handle(text), &at) == BL_E_TYPE && at == (void *)&failures);
    CHECK_LAST(BL_E_TYPE, "bl_to_pointer: expected a foreign pointer or #f, got \"knot\"");
    CHECK(bl_to_pointer(handle(no), NULL) == BL_E_NULL);
    return failures;
}

/* `tuple` is #(1 "two" #(3)), `number` 5. Returns a tuple of its own, as a global handle. */
EXPORT uint64_t tuples(uint64_t tuple, uint64_t number)
{
    size_t size = 99;
    int64_t n = 0;
    bl_handle items[3] = {NONE, NONE, NONE}, more[4];
    CHECK(bl_tuple_size(handle(tuple), &size) == BL_OK && size == 3);
    CHECK(bl_to_tuple(handle(tuple), items, 3) == BL_OK);
    churn();
    CHECK(bl_to_int(items[0], &n) == BL_OK && n == 1);
    const char *two = bl_to_string(items[1], NULL);
    CHECK(two != NULL && strcmp(two, "two") == 0);
    CHECK(bl_to_int(bl_tuple_ref(items[2], 0), &n) == BL_OK && n == 3);
    more[0] = NONE;
    CHECK(bl_to_tuple(handle(tuple), more, 4) == BL_E_RANGE && more[0].bits == 0);
    CHECK_LAST(BL_E_RANGE, "bl_to_tuple: the tuple has 3 values, 4 were asked for");
    CHECK(bl_to_tuple(handle(tuple), NULL, 3) == BL_E_NULL);
    CHECK(bl_to_tuple(handle(number), items, 3) == BL_E_TYPE);
    CHECK_LAST(BL_E_TYPE, "bl_to_tuple: expected a vector, got 5");
    CHECK(bl_tuple_ref(handle(tuple), 3).bits == 0);
    CHECK_LAST(BL_E_RANGE, "bl_tuple_ref: there is no value 3 in a tuple of 3");
    CHECK(bl_tuple_ref(handle(number), 0).bits == 0 && bl_last_status() == BL_E_TYPE);
    size = 99;
    CHECK(bl_tuple_size(handle(number), &size) == BL_E_TYPE && size == 99);
    CHECK(bl_tuple_size(handle(tuple), NULL) == BL_E_NULL);

    CHECK(bl_tuple_size(bl_from_tuple(NULL, 0), &size) == BL_OK && size == 0);
    CHECK(bl_from_tuple(NULL, 1).bits == 0);
    CHECK_LAST(BL_E_NULL, "bl_from_tuple: `items` is null");
    items[0] = bl_from_string("of C");
    items[1] = NONE;
    CHECK(bl_from_tuple(items, 3).bits == 0);
    CHECK_LAST(BL_E_STALE, "bl_from_tuple: 0x0 is not a handle of this process");
    items[1] = handle(tuple);
    items[2] = bl_from_double(0.5);
    churn();
    bl_handle made = bl_from_tuple(items, 3);
    churn();
    return failures == 0 ? bl_global(made).bits : 0;
}
