/* C that holds objects by handles, through bowline.h. Each function returns a line of text about what it saw. */
#include "bowline.h"
#include <pthread.h>
#include <stdio.h>

static char said[256];
static const char *tell(bl_status status)
{
    snprintf(said, sizeof said, "%s %s", bl_status_name(status), bl_last_error());
    return said;
}

const char *freed_twice(bl_handle object)
{
    bl_handle global = bl_global(object);
    bl_free(global);
    return tell(bl_free(global));
}

const char *used_again(bl_handle object)
{
    bl_handle old = bl_global(object);
    bl_free(old);
    bl_handle new = bl_global(object);
    int64_t n;
    tell(bl_to_int(old, &n));
    bl_free(new);
    return said;
}

const char *number(uint64_t bits)
{
    bl_handle handle = { bits };
    int64_t n;
    return tell(bl_to_int(handle, &n));
}

const char *left_its_scope(bl_handle object)
{
    bl_scope scope = bl_scope_open();
    bl_handle local = bl_local(object);
    int64_t n;
    bl_scope_close(scope);
    return tell(bl_to_int(local, &n));
}

/* How many of so many turns of a loop, each with a scope of its own and a local handle, went well. */
int64_t scopes(bl_handle object, int64_t turns)
{
    int64_t well = 0;
    for (int64_t i = 0; i < turns; i++) {
        bl_scope scope = bl_scope_open();
        int64_t n = 0;
        well += bl_to_int(bl_local(object), &n) == BL_OK && n == 42;
        well -= bl_scope_close(scope) != BL_OK;
    }
    return well;
}

/* How many local handles there are without one, and what is said then. */
const char *no_scopes(bl_handle object, int64_t turns)
{
    for (int64_t i = 0; i < turns; i++)
        if (bl_local(object).bits == 0)
            return tell(bl_last_status());
    return "no limit";
}

/* A handle that another thread frees. */
static void *frees(void *at) { return (void *)(uintptr_t)(bl_free(*(bl_handle *)at) == BL_E_THREAD); }
const char *freed_outside(bl_handle object)
{
    bl_handle global = bl_global(object);
    pthread_t thread;
    void *refused;
    pthread_create(&thread, NULL, frees, &global);
    pthread_join(thread, &refused);
    return refused != NULL && bl_free(global) == BL_OK ? "refused outside of a call" : "freed outside of a call";
}
