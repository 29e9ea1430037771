/* C functions that take a procedure and what it wants back. */
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* The sum of f(0) ... f(n - 1). */
int64_t env_first(void *env, int n, int64_t (*f)(void *, int))
{
    int64_t sum = 0;
    for (int i = 0; i < n; i++) sum += f(env, i);
    return sum;
}
int64_t env_middle(int64_t (*f)(int, void *, int), void *env) { return f(3, env, 4); }
int64_t env_last(int64_t (*f)(int, int64_t, void *), int64_t n, void *env) { return f(-2, n, env); }
int64_t env_sixth(int64_t (*f)(int, int, int, int, int, void *, int, int), void *env)
{
    return f(1, 2, 3, 4, 5, env, 7, 8);
}
int64_t env_seventh(int64_t (*f)(int, int, int, int, int, int, void *, int8_t), void *env)
{
    return f(1, 2, 3, 4, 5, 6, env, -8);
}
/* The tenth word on the stack. */
int64_t env_sixteenth(int64_t (*f)(int, int, int, int, int, int, int, int, int, int, int, int, int, int, int, void *), void *env)
{
    return f(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, env);
}
/* The eleventh. */
int64_t env_seventeenth(
    int64_t (*f)(int, int, int, int, int, int, int, int, int, int, int, int, int, int, int, int, void *), void *env)
{
    return f(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, env);
}
/* More of both kinds than there are registers. */
double env_mixed(double (*f)(double, int8_t, float, uint16_t, double, float, void *, double, double, double, bool, float,
                             double, long, double, int64_t), void *env)
{
    return f(0.5, -1, 1.5f, 65535, 2.5, 3.5f, env, 4.5, 5.5, 6.5, true, 7.5f, 8.5, -9, 9.5, INT64_MIN);
}
float env_float(float (*f)(void *, float), void *env) { return f(env, 2.5f) * 2; }
void env_void(void (*f)(void *), void *env) { f(env); }
const void *env_pointer(const void *(*f)(const char *, void *), void *env) { return f("text of C", env); }
bool env_bool(bool (*f)(void *), void *env) { return f(env); }
uint8_t env_uint8(uint8_t (*f)(void *), void *env) { return f(env); }

/* Two, each with its own. */
int64_t env_two(void *a, void *b, int64_t (*f)(void *, int), int64_t (*g)(void *, int))
{
    return f(a, 1) * 1000 + g(b, 2);
}
/* Each with the other's. */
int64_t env_crossed(void *a, void *b, int64_t (*f)(void *, int), int64_t (*g)(int, void *))
{
    return f(b, 1) * 1000 + g(2, a);
}

/* What C gets, and one word more. */
int64_t env_wrong(int64_t (*f)(void *, int), void *env, int64_t more, bool instead)
{
    return f(instead ? (void *)more : (char *)env + more, 1);
}
double env_wrong_double(double (*f)(void *), void *env) { return f((char *)env + 8); }
/* As `env_wrong`, where env is far away. */
int64_t env_wrong_far(
    int64_t (*f)(int, int, int, int, int, int, int, int, int, int, int, int, int, int, int, int, void *), void *env)
{
    return f(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, (char *)env + 1);
}

/* Keeps both beyond its call. */
static int64_t (*saved)(void *, int);
static void *saved_env;
void env_save(int64_t (*f)(void *, int), void *env) { saved = f, saved_env = env; }
int64_t env_call_saved(int n) { return saved(saved_env, n); }
bool env_is_saved(int64_t (*f)(void *, int), void *env) { return f == saved && env == saved_env; }
bool env_shares(int64_t (*f)(void *, int), void *env) { return f == saved && env != saved_env; }

int64_t env_down(int64_t (*f)(void *, int), void *env, int n) { return n == 0 ? 0 : 1 + f(env, n - 1); }

static void *on_thread(void *result)
{
    *(int64_t *)result = saved(saved_env, 5);
    return NULL;
}
int64_t env_on_thread(int64_t (*f)(void *, int), void *env)
{
    pthread_t thread;
    int64_t result = -1;
    env_save(f, env);
    if (pthread_create(&thread, NULL, on_thread, &result) != 0)
        return -2;
    pthread_join(thread, NULL);
    return result;
}
