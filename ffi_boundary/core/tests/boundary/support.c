/* C functions for the boundary's tests to call. */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

/* For each type: itself, and itself by way of a callback. */
#define BOTH_WAYS(name, type)                                     \
    type id_##name(type x) { return x; }                          \
    type via_##name(type (*f)(type), type x) { return f(x); }     \
    void out_##name(type *at, type x) { *at = x; }
BOTH_WAYS(bool, bool)
BOTH_WAYS(char, char)
BOTH_WAYS(schar, signed char)
BOTH_WAYS(uchar, unsigned char)
BOTH_WAYS(int8, int8_t)
BOTH_WAYS(uint8, uint8_t)
BOTH_WAYS(int16, int16_t)
BOTH_WAYS(uint16, uint16_t)
BOTH_WAYS(int32, int32_t)
BOTH_WAYS(uint32, uint32_t)
BOTH_WAYS(int64, int64_t)
BOTH_WAYS(uint64, uint64_t)
BOTH_WAYS(short, short)
BOTH_WAYS(ushort, unsigned short)
BOTH_WAYS(int, int)
BOTH_WAYS(uint, unsigned int)
BOTH_WAYS(long, long)
BOTH_WAYS(ulong, unsigned long)
BOTH_WAYS(longlong, long long)
BOTH_WAYS(ulonglong, unsigned long long)
BOTH_WAYS(intptr_t, intptr_t)
BOTH_WAYS(uintptr_t, uintptr_t)
BOTH_WAYS(size_t, size_t)
BOTH_WAYS(ssize_t, ssize_t)
BOTH_WAYS(float, float)
BOTH_WAYS(double, double)
BOTH_WAYS(pointer, void *)

/* Doubles what stands at `at`, after as many calls of `f`. */
int twice(int64_t *at, int n, int (*f)(int))
{
    int sum = 0;
    for (int i = 0; i < n; i++) sum += f(i);
    *at *= 2;
    return sum;
}

struct point { int x; double y; };
/* Swaps the coordinates, after a call of `f`, and says whether the address is aligned. */
bool swap(struct point *p, void (*f)(void))
{
    int x = p->x;
    f();
    p->x = (int)p->y;
    p->y = x;
    return (uintptr_t)p % _Alignof(struct point) == 0;
}
struct point *same_point(struct point *p) { return p; }
int via_point(int (*f)(struct point *), struct point *p) { return f(p); }

/* Fills what it is given, one of each kind. */
void many(char *a, int16_t *b, float *c, double *d, void **e, const char **f, bool *g, struct point *h,
          uint64_t *i, int (*j)[3])
{
    static const char text[] = "text of C";
    *a = 'a', *b = -2, *c = 1.5f, *d = 2.5, *e = h, *f = text, *g = true, h->x = 7, *i = UINT64_MAX;
    (*j)[0] = 1, (*j)[2] = 3;
}

/* More arguments than go in registers, of every class, in order. */
double twelve(int8_t a, double b, uint16_t c, float d, int32_t e, double f, uint64_t g, float h,
              long i, double j, bool k, double l)
{
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * (double)g + 8 * h + 9 * (double)i +
           10 * j + 11 * k + 12 * l;
}

/* Sums its variadic arguments by a letter for each: i int, l long, d double, s length of a string. */
double sum(const char *types, ...)
{
    va_list args;
    double total = 0;
    va_start(args, types);
    for (; *types; types++) {
        switch (*types) {
        case 'i': total += va_arg(args, int); break;
        case 'l': total += (double)va_arg(args, long); break;
        case 'd': total += va_arg(args, double); break;
        case 's': total += (double)strlen(va_arg(args, const char *)); break;
        }
    }
    va_end(args);
    return total;
}

/* Calls back while it holds a string, a buffer and a pointer into its middle: 1 if all is as before. */
int hold(const char *s, unsigned char *buffer, size_t n, void (*f)(void))
{
    unsigned char *copy = malloc(n + 1);
    char *text = strdup(s);
    unsigned char *middle = buffer + n / 2;
    int same;
    memcpy(copy, buffer, n);
    f();
    same = strcmp(s, text) == 0 && memcmp(buffer, copy, n) == 0 && middle == buffer + n / 2;
    if (n > 0)
        same = same && *middle == copy[n / 2];
    /* A write through the pointer must land in the object. */
    if (n > 0)
        *middle = 77;
    free(copy);
    free(text);
    return same;
}

int is_null(const void *p) { return p == NULL; }
const void *same_pointer(const void *p) { return p; }
int function_is_null(void (*f)(void)) { return f == NULL; }

const char *not_utf8(void) { return "a\xff" "b\xc3"; }
const char *empty(void) { return ""; }
const char *no_string(void) { return NULL; }
const char *tail(const char *s, int n) { return s + n; }

char *long_string(size_t n)
{
    char *s = malloc(n + 1);
    if (s) {
        memset(s, 'x', n);
        s[n] = 0;
    }
    return s;
}
int give_long_string(int (*f)(const char *), size_t n)
{
    char *s = long_string(n);
    int r = f(s);
    free(s);
    return r;
}

int set_errno(int e)
{
    errno = e;
    return e == 0 ? 0 : -1;
}
int keep_errno(void) { return errno; }
int errno_across(void (*f)(void))
{
    errno = EINTR;
    f();
    return errno;
}

/* Calls back n times; remembers what it got. */
static int64_t got[16];
int repeat(int64_t (*f)(int64_t), int n)
{
    int i;
    for (i = 0; i < n; i++)
        got[i & 15] = f(i);
    return n;
}
int64_t got_at(int i) { return got[i & 15]; }
static double got_double;
void once_double(double (*f)(void)) { got_double = f(); }
double last_double(void) { return got_double; }
void once_void(void (*f)(void)) { f(); }
const void *once_pointer(const void *(*f)(void)) { return f(); }

int64_t down(int64_t (*f)(int64_t), int64_t n) { return n == 0 ? 0 : 1 + f(n - 1); }
int64_t mix(int64_t (*f)(int64_t, double, const char *, bool, void *), int64_t n)
{
    static int target;
    return f(n, n / 2.0, "mix", n > 1, &target);
}
int64_t both(int64_t (*f)(int64_t), int64_t (*g)(int64_t), int64_t n) { return f(n) * 100 + g(n); }

/* Keeps a callback beyond its call. */
static int64_t (*saved)(int64_t);
void save(int64_t (*f)(int64_t)) { saved = f; }
int64_t call_saved(int64_t n) { return saved(n); }

int64_t call_twice(int64_t (*f)(int64_t), int64_t n) { return f(n) * 1000 + f(n); }

void save_and_call(int64_t (*f)(int64_t), void (*g)(void))
{
    saved = f;
    g();
}

static void *on_thread(void *result)
{
    *(int64_t *)result = saved(5);
    return NULL;
}
int64_t call_on_thread(int64_t (*f)(int64_t))
{
    pthread_t thread;
    int64_t result = -1;
    saved = f;
    if (pthread_create(&thread, NULL, on_thread, &result) != 0)
        return -2;
    pthread_join(thread, NULL);
    return result;
}

struct point point_by_value(struct point p) { return p; }

/* 0 if the callback gives zeros. */
int point_of_callback(struct point (*f)(int))
{
    struct point p = f(1);
    return p.x + (int)p.y;
}

void nothing_written(void *at) { (void)at; }

/* As many integers and floating-point numbers as there are registers, and one more. */
#define MIX a + 2 * b + 4 * c + 8 * d + 16 * e + 32 * f + 64 * g + 128 * h + 256 * i + 512 * j + 1024 * k + 2048 * l + 4096 * m + 8192 * n
#define MIXED int8_t a, float b, int64_t c, double d, uint16_t e, float f, int g, double h, long i, double j, bool k, float l, double m, float n
double mix_to_double(MIXED) { return MIX; }
float mix_to_float(MIXED) { return MIX; }
int64_t mix_to_integer(MIXED) { return MIX; }
double mix_one_more(MIXED, long o) { return MIX + 16384 * o; }
double mix_one_more_float(MIXED, double o) { return MIX + 16384 * o; }
float integers_to_float(int8_t a, uint8_t b, int16_t c, uint16_t d, int e, unsigned f) { return a + b + c + d + e + f; }
int64_t five_integers(int8_t a, int64_t b, uint8_t c, int d, short e) { return a + 10 * b + 100 * c + 1000 * d + 10000 * e; }
