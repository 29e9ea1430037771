/* Tables of functions: found by their symbol, and registered. */
#include "trials.h"
#include <stdlib.h>

int failures;

typedef void (*address)(void);

static int64_t add(int64_t a, int64_t b) { return a + b; }
static int64_t scaled(double x, int64_t n) { return (int64_t)(x * (double)n); }
static int64_t length(const char *text) { return (int64_t)strlen(text); }
static int64_t first(const unsigned char *bytes, int64_t more) { return bytes[0] + more; }
static int64_t called(int64_t (*back)(int64_t), int64_t n) { return back(n); }
static int64_t truths(int a, int b) { return a + 2 * b; }

#ifdef __cplusplus
extern "C" {
#endif
extern const bl_function trial_functions[];
const bl_function trial_functions[] = {
    { "add", (address)add },
    { "scaled", (address)scaled },
    { "length", (address)length },
    { "first", (address)first },
    { "called", (address)called },
    { "truths", (address)truths },
    { "missing", NULL },
    { NULL, NULL },
};
/* What is none. */
extern const char trial_text[];
const char trial_text[64] = "this is not a table at all, it is text, just text..............";
extern const int64_t trial_numbers[];
const int64_t trial_numbers[4] = { 1, 2, 3, 4 };
extern const bl_function trial_endless[];
const bl_function trial_endless[2] = { { "add", (address)add }, { "sum", (address)add } };
#ifdef __cplusplus
}
#endif

static const bl_function registered[] = { { "sum", (address)add }, { NULL, NULL } };
static const bl_function replaced[] = { { NULL, NULL } };

/* A library makes its tables known while it is opened. */
__attribute__((constructor)) static void begin(void)
{
    CHECK(bl_register_functions("of the trial", replaced) == BL_OK);
    CHECK(bl_register_functions("of the trial", registered) == BL_OK);
}

/* Refusals. */
EXPORT int checked(void)
{
    CHECK(bl_register_functions(NULL, registered) == BL_E_NULL);
    CHECK_LAST(BL_E_NULL, "bl_register_functions: `name` is null");
    CHECK(bl_register_functions("of the trial", NULL) == BL_E_NULL);
    CHECK_LAST(BL_E_NULL, "bl_register_functions: `table` is null");
    bl_function *endless = (bl_function *)malloc(65536 * sizeof *endless);
    for (size_t i = 0; i < 65536; i++)
        endless[i] = registered[0];
    CHECK(bl_register_functions("of the trial", endless) == BL_E_RANGE);
    CHECK_LAST(BL_E_RANGE, "bl_register_functions: the table `of the trial` has no end among its first 65536 entries: "
                           "it must end with one whose name is NULL");
    free(endless);
    return failures;
}
