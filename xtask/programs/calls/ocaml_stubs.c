/* The stubs that OCaml's `external` wants for what is in calls.c, which is linked with them. */
#define CAML_NAME_SPACE
#include <caml/alloc.h>
#include <caml/callback.h>
#include <caml/memory.h>
#include <caml/mlvalues.h>
#include <errno.h>
#include <string.h>

extern double now(void);
extern int add(int, int);
extern int first(const char *);
extern int first_of(const void *, size_t);
extern int fails(void);
extern long each(int, int (*)(int));

value stub_now(value unit)
{
    (void)unit;
    return caml_copy_double(now());
}

value stub_add(value a, value b)
{
    return Val_int(add(Int_val(a), Int_val(b)));
}

value stub_first(value text)
{
    return Val_int(first(String_val(text)));
}

value stub_strlen(value text)
{
    return Val_long(strlen(String_val(text)));
}

value stub_first_of(value bytes)
{
    return Val_int(first_of(Bytes_val(bytes), 1));
}

/* The error's number. */
value stub_fails(value unit)
{
    (void)unit;
    errno = 0;
    return fails() < 0 ? Val_int(errno) : Val_int(0);
}

static value called;

static int back(int i)
{
    return Int_val(caml_callback(called, Val_int(i)));
}

value stub_each(value n, value closure)
{
    called = closure;
    caml_register_generational_global_root(&called);
    long sum = each(Int_val(n), back);
    caml_remove_generational_global_root(&called);
    return Val_long(sum);
}

static value held;

value stub_keep(value closure)
{
    if (held == 0)
        caml_register_generational_global_root(&held);
    caml_modify_generational_global_root(&held, closure);
    return Val_unit;
}

static int kept(int i)
{
    return Int_val(caml_callback(held, Val_int(i)));
}

value stub_each_kept(value n)
{
    return Val_long(each(Int_val(n), kept));
}

value stub_root(value v)
{
    static value root;
    root = v;
    caml_register_generational_global_root(&root);
    caml_remove_generational_global_root(&root);
    return Val_unit;
}
