/* A program of many cases, one per run, chosen by its argument. A case registers itself, so that its
 * name stands once, where the tests read it: on a line that begins with the macro's name.
 */
#ifndef CASES_H
#define CASES_H

#include "common.h"

enum { CASES = 100 };

static struct {
    const char *name;
    void (*run)(void);
} cases[CASES];
static size_t cases_known;

#define CASE(id)                                                   \
    static void id(void);                                          \
    static __attribute__((constructor)) void register_##id(void) { \
        REQUIRE(cases_known < CASES);                              \
        cases[cases_known].name = #id;                             \
        cases[cases_known++].run = id;                             \
    }                                                              \
    static void id(void)

static int run_case(int count, char **arguments) {
    for (size_t i = 0; count == 2 && i < cases_known; i++)
        if (strcmp(cases[i].name, arguments[1]) == 0) {
            cases[i].run();
            return done();
        }
    say(2, "no such case\n");
    return 2;
}

#endif
