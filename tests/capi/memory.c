/* Where memory runs out. */
#include "trials.h"

int failures;

/* Makes one of each. Those that are refused say so, in a bit each of the result. */
EXPORT int makes(void)
{
    int refused = 0;
    int64_t n = 0;
    double x = 0;
    const char *text;
    bl_handle made[8];
    made[0] = bl_from_int(INT64_MAX);
    refused |= (made[0].bits == 0) << 0;
    if (made[0].bits == 0) CHECK(bl_last_status() == BL_E_MEMORY);
    made[1] = bl_from_double(2.5);
    refused |= (made[1].bits == 0) << 1;
    if (made[1].bits == 0) CHECK(bl_last_status() == BL_E_MEMORY);
    made[2] = bl_from_string("text");
    refused |= (made[2].bits == 0) << 2;
    if (made[2].bits == 0) CHECK(bl_last_status() == BL_E_MEMORY);
    made[3] = bl_from_string_n("text", 2);
    refused |= (made[3].bits == 0) << 3;
    if (made[3].bits == 0) CHECK(bl_last_status() == BL_E_MEMORY);
    made[4] = bl_from_bytes("text", 4);
    refused |= (made[4].bits == 0) << 4;
    if (made[4].bits == 0) CHECK(bl_last_status() == BL_E_MEMORY);
    made[5] = bl_from_pointer(&failures);
    refused |= (made[5].bits == 0) << 5;
    if (made[5].bits == 0) CHECK(bl_last_status() == BL_E_MEMORY);
    made[6] = bl_unspecified();
    refused |= (made[6].bits == 0) << 6;
    if (made[6].bits == 0) CHECK(bl_last_status() == BL_E_MEMORY);
    if (refused == 0) {
        made[7] = bl_from_tuple(made, 7);
        refused |= (made[7].bits == 0) << 7;
        if (made[7].bits == 0) CHECK(bl_last_status() == BL_E_MEMORY);
    }
    if (made[0].bits != 0) CHECK(bl_to_int(made[0], &n) == BL_OK && n == INT64_MAX);
    if (made[1].bits != 0) CHECK(bl_to_double(made[1], &x) == BL_OK && x == 2.5);
    if (made[2].bits != 0) {
        text = bl_to_string(made[2], NULL);
        CHECK(text != NULL ? strcmp(text, "text") == 0 : bl_last_status() == BL_E_MEMORY);
    }
    return failures == 0 ? refused : -1;
}

/* Fills the heap, until it is told that it is full. Then the scope gives all of it back. */
EXPORT int fills(void)
{
    int count = 0;
    static char block[1 << 16];
    bl_scope scope = bl_scope_open();
    while (count < 60000 && bl_from_bytes(block, sizeof block).bits != 0) count++;
    CHECK(bl_last_status() == BL_E_MEMORY);
    CHECK(strstr(bl_last_error(), "bl_from_bytes: ") == bl_last_error());
    CHECK(bl_scope_close(scope) == BL_OK);
    CHECK(bl_from_bytes(block, sizeof block).bits != 0);
    return failures == 0 ? count : -1;
}
