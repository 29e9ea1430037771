/* One function over a closure, in the three ways that C has of taking one.
 *
 *     cc -shared -fPIC closures.c -o libclosures.so
 *     LD_LIBRARY_PATH=. bowline run closures.scm
 *
 * `sum` adds up func(i) for each i from `from` up or down to `to`, which is not among them. */
#include <stdlib.h>

static int towards(int from, int to)
{
    return from < to ? 1 : -1;
}

/* A function pointer alone: whoever has a closure must make code for it. */
int sum(int from, int to, int (*func)(int i))
{
    int result = 0;
    for (int inc = towards(from, to); from != to; from += inc) result += func(from);
    return result;
}

/* A function pointer, and a word for it that is passed on. */
int sum_env(int from, int to, void *env, int (*func)(void *env, int i))
{
    int result = 0;
    for (int inc = towards(from, to); from != to; from += inc) result += func(env, from);
    return result;
}

/* Both together, by value: a closure as a compiler would lay it out. */
struct closure {
    void *env;
    int (*func)(void *env, int i);
};

int sum_closure(int from, int to, struct closure func)
{
    return sum_env(from, to, func.env, func.func);
}

/* A nested function of C's own, lifted, and its environment. */
struct mul_env {
    int num;
};

static int mul(void *env, int i)
{
    return i * ((struct mul_env *)env)->num;
}

int sum_of_muls(int from, int to, int num)
{
    struct mul_env env = { num };
    return sum_closure(from, to, (struct closure){ &env, mul });
}

/* The same closure, returned: its environment outlives the function that it is of. */
struct closure times(int num)
{
    struct mul_env *env = malloc(sizeof *env);
    if (env == NULL) abort();
    env->num = num;
    return (struct closure){ env, mul };
}

/* What captures nothing is called in the same way: a stub leaves the environment out. */
static int identity(int i)
{
    return i;
}

static int identity_stub(void *env, int i)
{
    (void)env;
    return identity(i);
}

int identity_sum(int from, int to)
{
    return sum_closure(from, to, (struct closure){ NULL, identity_stub });
}

/* Calls a closure, whoever made it. */
int call(struct closure func, int i)
{
    return func.func(func.env, i);
}
