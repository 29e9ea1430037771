/* What the files of the contract share: a check is a case, and how a refusal looks.
 */
#ifndef CONTRACT_H
#define CONTRACT_H

#include "cases.h"
#include <malloc.h>

#define CHECK(id) CASE(id)

/* Volatile, or the compiler foresees what is to be seen. */
static UNUSED const volatile size_t Huge = SIZE_MAX / 2 /* PTRDIFF_MAX */, Max = SIZE_MAX, Half = (size_t)1 << 32;

#define FAILS(call)                                \
    do {                                           \
        errno = 0;                                 \
        REQUIRE((call) == NULL && errno == ENOMEM); \
    } while (0)

static UNUSED int aligned(const void *pointer, size_t alignment) { return (uintptr_t)pointer % alignment == 0; }

/* Sizes to try wherever trying all would take too long. */
static UNUSED const size_t asked[] = {0, 1, 7, 8, 16, 24, 100, 1000, 4096, 5000, 65536, 70000, 1 << 20, 3000000};
enum { ASKED = sizeof asked / sizeof *asked };

#endif
