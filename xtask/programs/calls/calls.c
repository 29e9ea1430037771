/* What the programs of `cargo xtask bench calls` call. */
#include <errno.h>
#include <stddef.h>
#include <time.h>

/* Nanoseconds, by a clock that only goes forward. */
double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int add(int a, int b)
{
    return a + b;
}

/* Looks at the first byte only: what it takes to hand over a text does not depend on what C does with it. */
int first(const char *text)
{
    return text[0];
}

int first_of(const void *bytes, size_t size)
{
    return size > 0 ? *(const unsigned char *)bytes : -1;
}

/* Fails as functions of the system do. */
int fails(void)
{
    errno = ENOENT;
    return -1;
}

/* The sum of what `back` makes of the numbers below `n`. */
long each(int n, int (*back)(int))
{
    long sum = 0;
    for (int i = 0; i < n; i++)
        sum += back(i);
    return sum;
}
