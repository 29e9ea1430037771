/* What it costs OCaml to hold a value for C: a global root of each kind made and dropped, in nanoseconds, as
   ffi_boundary/core/examples/handles.rs measures handles. */
#define CAML_NAME_SPACE
#include <caml/alloc.h>
#include <caml/memory.h>
#include <caml/mlvalues.h>
#include <stdio.h>
#include <time.h>

enum { N = 4000000, ROUNDS = 7 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double least(void (*round)(value *), value *cell)
{
    double best = 1e300;
    for (int i = 0; i < ROUNDS; i++) {
        double began = now();
        round(cell);
        double took = (now() - began) / N;
        if (took < best)
            best = took;
    }
    return best;
}

static void plain(value *cell)
{
    for (int i = 0; i < N; i++) {
        caml_register_global_root(cell);
        caml_remove_global_root(cell);
    }
}

static void generational(value *cell)
{
    for (int i = 0; i < N; i++) {
        caml_register_generational_global_root(cell);
        caml_remove_generational_global_root(cell);
    }
}

static volatile value seen;

static void read_cell(value *cell)
{
    for (int i = 0; i < N; i++)
        seen = *(volatile value *)cell;
}

value measure_roots(value held)
{
    CAMLparam1(held);
    static value cell;
    cell = held;
    printf("%-28s %6.2f ns\n", "root create + remove", least(plain, &cell));
    printf("%-28s %6.2f ns\n", "generational root, the same", least(generational, &cell));
    printf("%-28s %6.2f ns\n", "root get", least(read_cell, &cell));
    fflush(stdout);
    CAMLreturn(Val_unit);
}
