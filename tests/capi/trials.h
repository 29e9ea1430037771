/* What the trials of bowline.h share. They are compiled as C11 and as C++17. */
#ifndef TRIALS_H
#define TRIALS_H

#include <bowline.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#ifdef __cplusplus
#define EXPORT extern "C"
#else
#define EXPORT
#endif

/* How many checks have failed. */
extern int failures;

/* Says where a check has failed, and what the interface said last. */
#define CHECK(what)                                                                              \
    do {                                                                                         \
        if (!(what)) {                                                                           \
            failures++;                                                                          \
            fprintf(stderr, "%s:%d: %s (%s: %s)\n", __FILE__, __LINE__, #what,                   \
                    bl_status_name(bl_last_status()), bl_last_error());                          \
        }                                                                                        \
    } while (0)

/* That the last call ended so, and said this. */
#define CHECK_LAST(status, text) CHECK(bl_last_status() == (status) && strcmp(bl_last_error(), text) == 0)
/* The same for a text that differs from run to run, which begins so. */
#define CHECK_LAST_BEGINS(status, text) \
    CHECK(bl_last_status() == (status) && strncmp(bl_last_error(), text, strlen(text)) == 0)

/* A handle that came as a number. */
static inline bl_handle handle(uint64_t bits)
{
    bl_handle h;
    h.bits = bits;
    return h;
}

static const bl_handle NONE = {0};

/* Makes garbage, so that something moves. */
static inline void churn(void)
{
    for (int i = 0; i < 200; i++) {
        bl_scope scope = bl_scope_open();
        CHECK(bl_from_bytes("garbage", 7).bits != 0);
        CHECK(bl_scope_close(scope) == BL_OK);
    }
}

#endif
