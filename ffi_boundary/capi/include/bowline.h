/* bowline.h: what C needs that a Scheme program calls.
 *
 * A program run by Bowline opens a shared library and calls its functions. Most functions need nothing of this file:
 * they take and give C's own types, which their declarations convert. One that wants to see, keep or make values of
 * the language takes and gives handles, and calls what is declared here. The symbols are the executable's: the
 * library is linked with nothing.
 *
 *     bl_handle ml_close(bl_handle fd)                 // (define-foreign close (ml "ml_close") (handle) handle)
 *     {
 *         int64_t n;
 *         if (bl_to_int(fd, &n) != BL_OK) return bl_raise_error(bl_last_error());
 *         if (close((int)n) != 0) return bl_raise_errno();
 *         return bl_from_int(0);
 *     }
 *
 * HANDLES. Objects move. C never has an object's address; it has a handle, a number that stands for the object and
 * stays good while the object moves. A handle that was freed is told, and never followed.
 *
 * SCOPES. A local handle is freed when the scope that it was made in is closed, or when the foreign call returns,
 * whichever is first; a call is a scope of its own. At most 65,536 stand in one scope, so a long loop opens one for
 * each turn. Global and weak handles live until they are freed.
 *
 * ERRORS. No function here ends the process, jumps, or unwinds. Each sets this thread's status: BL_OK, or why it
 * failed; bl_last_error() says it in words. Who returns a handle returns {0} where it fails, and no handle is {0}; every function
 * takes {0} and says BL_E_STALE. What stands behind pointers for results is changed only on success.
 *
 * What is raised (by bl_raise..., or by a callback that was left) waits until C has returned; C's own result is then
 * dropped. Until then C goes on, and everything but making objects and raising works.
 *
 * THREADS. Where it says
 *     [call]    the function must be called on a thread that is in a foreign call: by the function that the program
 *               has called, or by what that calls. A thread of C's own may call back and is in a foreign call when the
 *               callback's procedure makes one. Elsewhere the function does nothing and says BL_E_THREAD.
 *     [any]     on any thread, at any time.
 * None may be called by a signal handler. A call declared (leaf) may not come back here: BL_E_LEAF.
 *
 * MEMORY. Where it says
 *     [allocates]  it may make an object, and so collect and move objects. Where memory has run out it says BL_E_MEMORY.
 *                  Such a function is refused, by BL_E_NOGC and BL_E_PENDING, in a no-GC scope and while an exit is pending.
 *     [waits]      it does not allocate in the heap and does not collect; but it may wait for the end of a collection
 *                  that another thread has asked for, which moves objects. In a no-GC scope it waits for nothing.
 *     [plain]      it does neither.
 * None blocks on anything but a collection, and errno is left as it was by all.
 */
#ifndef BOWLINE_H
#define BOWLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The interface's version. Minor ones add; a program made for 0.1 runs with 0.2. */
#define BL_VERSION_MAJOR 0
#define BL_VERSION_MINOR 1

/* The version of the runtime that is there: major << 16 | minor. [any] [plain] */
uint32_t bl_version(void);

/* ---- Status ---------------------------------------------------------------------------------------------------- */

typedef enum bl_status {
    BL_OK = 0,
    BL_E_TYPE = 1,          /* the value is of another type */
    BL_E_RANGE = 2,         /* an integer does not fit, an index is out of range, a size is wrong */
    BL_E_NUL = 3,           /* a string has a NUL inside, where C would take it to end */
    BL_E_NULL = 4,          /* a null pointer where something must be read or written */
    BL_E_STALE = 5,         /* the handle was freed, or is none */
    BL_E_DEAD = 6,          /* the object of the weak handle has died */
    BL_E_LIMIT = 7,         /* too many handles, or too many local ones in one scope */
    BL_E_MEMORY = 8,        /* memory has run out */
    BL_E_THREAD = 9,        /* the thread is in no foreign call */
    BL_E_LEAF = 10,         /* the thread is in a leaf call */
    BL_E_PENDING = 11,      /* something was raised already: C should return */
    BL_E_NOGC = 12,         /* not within a no-GC scope */
    BL_E_SCOPE_ORDER = 13,  /* the scope is not the innermost one of this foreign call, or was closed */
    BL_E_EXPORT = 14,       /* the program has exported nothing under this name */
    BL_E_LAYOUT = 15        /* a constructor or procedure is another one than the header that C was compiled with says */
} bl_status;

/* The status of the last call on this thread of any function of this file but these three. [any] [plain] */
bl_status bl_last_status(void);
/* The same in words, as "bl_to_int: expected an exact integer, got #t"; "" for BL_OK. The text, which may be cut off after
 * some hundred bytes, stays until the next call on this thread. [any] [plain] */
const char *bl_last_error(void);
/* The name of a status, as "BL_E_TYPE"; "BL_E_?" for another number. [any] [plain] */
const char *bl_status_name(bl_status status);

/* ---- Handles and scopes ---------------------------------------------------------------------------------------- */

/* Stands for an object. A handle that the program has passed as an argument is local to the call. */
typedef struct bl_handle { uint64_t bits; } bl_handle;
/* An open scope. */
typedef struct bl_scope { uint64_t bits; } bl_scope;

/* Another handle to the same object, freed with the innermost scope. Of a weak handle it is the way to use its
 * object for a while. [call] [waits] */
bl_handle bl_local(bl_handle handle);
/* Another that keeps the object alive until it is freed, on whichever thread. [call] [waits] */
bl_handle bl_global(bl_handle handle);
/* Another that does not keep it alive; once it has died the handle says BL_E_DEAD. [call] [waits] */
bl_handle bl_weak(bl_handle handle);
/* Frees a handle of any kind. A local one may be freed before its scope is closed. [call] [waits] */
bl_status bl_free(bl_handle handle);

/* Opens a scope within the innermost one; {0} where there is none. [call] [waits] */
bl_scope bl_scope_open(void);
/* Frees the local handles that were made since it was opened, and lets strings and bytevectors move whose addresses were taken
 * since. It must be the innermost one. [call] [waits] */
bl_status bl_scope_close(bl_scope scope);
/* The same, and hands one object out: the result is a local handle of the scope around it. [call] [waits] */
bl_handle bl_scope_close_with(bl_scope scope, bl_handle handle);

/* ---- Values from C ---------------------------------------------------------------------------------------------- */

/* All give a local handle. Text is UTF-8; what is not becomes U+FFFD. */
bl_handle bl_from_int(int64_t n);                              /* [call] [allocates] */
bl_handle bl_from_double(double x);                            /* [call] [allocates] */
bl_handle bl_from_boolean(bool truth);                         /* [call] [allocates] */
/* A copy of the text up to its NUL, or of so many bytes, NULs among them too. [call] [allocates] */
bl_handle bl_from_string(const char *text);
bl_handle bl_from_string_n(const char *text, size_t length);
/* A bytevector with a copy of these bytes. [call] [allocates] */
bl_handle bl_from_bytes(const void *bytes, size_t length);
/* A foreign pointer, which owns nothing. [call] [allocates] */
bl_handle bl_from_pointer(const void *pointer);
/* A tuple, which is a vector, of so many values. [call] [allocates] */
bl_handle bl_from_tuple(const bl_handle *items, size_t count);
/* What a procedure returns that has nothing to say. [call] [allocates] */
bl_handle bl_unspecified(void);

/* ---- Values to C ------------------------------------------------------------------------------------------------ */

/* An exact integer from -2^63 to 2^63 - 1. [call] [waits] */
bl_status bl_to_int(bl_handle handle, int64_t *n);
/* A real number, an exact one too. [call] [waits] */
bl_status bl_to_double(bl_handle handle, double *x);
/* Any value: only #f is false. [call] [waits] */
bl_status bl_to_boolean(bl_handle handle, bool *truth);
/* The bytes of a string, with a NUL behind them, where they stand in the heap: they stay there until the innermost scope
 * is closed or the call returns, and may not be written to. The length, without that NUL, is stored if `length` is not NULL;
 * if it is, a string with a NUL inside is refused (BL_E_NUL). NULL where it fails. [call] [waits] */
const char *bl_to_string(bl_handle handle, size_t *length);
/* The same for a bytevector, whose bytes may be written to. `length` may be NULL. [call] [waits] */
void *bl_to_bytes(bl_handle handle, size_t *length);
/* The address in a foreign pointer; NULL for #f. [call] [waits] */
bl_status bl_to_pointer(bl_handle handle, void **pointer);
/* How many values a vector has. [call] [waits] */
bl_status bl_tuple_size(bl_handle handle, size_t *count);
/* All of them, as local handles: the vector must have just so many (BL_E_RANGE). [call] [waits] */
bl_status bl_to_tuple(bl_handle handle, bl_handle *items, size_t count);
/* One of them, counted from 0, as a local handle. [call] [waits] */
bl_handle bl_tuple_ref(bl_handle handle, size_t index);

/* ---- Data of the program ---------------------------------------------------------------------------------------- */

/* Values of constructors that the program defines by define-datatype and exports; lists are among them. `bowline header` writes
 * functions around what follows, with names and C types: they are to be used. */

/* A constructor as it was when a header was written for it. `header` is 0 until it was found. */
typedef struct bl_constructor {
    const char *name;       /* what it was exported as */
    uint64_t layout;        /* stands for the names and types of its fields */
    uint64_t header;
} bl_constructor;

/* Looks for what was exported under the name, if that was not done before. BL_E_EXPORT if nothing was so far, BL_E_LAYOUT if it
 * has other fields now. All functions of this section do so, too. [call] [waits] */
bl_status bl_constructor_find(bl_constructor *constructor);
/* A value, with a word for each field of a C type, and a handle for each other one. [call] [allocates] */
bl_handle bl_data_make(bl_constructor *constructor, const uint64_t *words, const bl_handle *handles);
/* Whether the constructor made the value; its fields are stored if it has, those without a C type as local handles. False,
 * with another status than BL_OK, also where it fails. [call] [waits] */
bool bl_data_get(bl_constructor *constructor, bl_handle value, uint64_t *words, bl_handle *handles);
/* The same, but for handles that are there already: each stands for its field from now on. `value` may be among them. In a loop
 * this makes no handles, and so needs no scope. [call] [waits] */
bool bl_data_assign(bl_constructor *constructor, bl_handle value, uint64_t *words, const bl_handle *handles);
/* Whether the constructor made the value. [call] [waits] */
bool bl_data_is(bl_constructor *constructor, bl_handle value);
/* Which of `count` constructors without fields, of which this is the first, made the value. [call] [waits] */
bl_status bl_data_index(bl_constructor *first, uint32_t count, bl_handle value, uint32_t *index);

/* ---- Procedures of the program ---------------------------------------------------------------------------------- */

/* A procedure that the program has exported, as it was when a header was written for it. `found` is 0 until it was
 * found, and is the runtime's. */
typedef struct bl_procedure {
    const char *name;       /* what it was exported as */
    uint64_t layout;        /* stands for its types */
    uint64_t found;
} bl_procedure;

/* Calls a procedure, with a word for each parameter. Its result is stored, if `result` is not NULL; a handle among them is local. `bowline
 * header` writes functions around this, with names and C types: they are to be used.
 * BL_E_EXPORT if nothing was exported under the name so far, BL_E_LAYOUT if it has other types now. BL_E_PENDING, too,
 * if the procedure was left otherwise than by return: what it has raised goes on when C has returned, and C should
 * return. No procedure runs in a no-GC scope (BL_E_NOGC). A thread of C's own is let in for the call, as by a callback; it has no scope, and so
 * a procedure that gives a handle is none for it, and what the procedure raises is only told. [any] [allocates] */
bl_status bl_procedure_call(bl_procedure *procedure, const uint64_t *words, uint64_t *result);

/* ---- Tables of functions ---------------------------------------------------------------------------------------- */

/* A function of a table. A table ends with one whose name is NULL; a program names it once, by define-foreign-table, and then has
 * its functions by name or by number. It is found as a symbol of the process or of a library, or because it was registered; in C++ a
 * constant is no symbol but where it was declared `extern` before. */
typedef struct bl_function {
    const char *name;
    void (*address)(void);  /* cast from what it is */
} bl_function;

/* Makes a table known by a name, in place of one that was. The table and its functions stay for as long as the process
 * lives. BL_E_RANGE if it has no end. [any] [plain] */
bl_status bl_register_functions(const char *name, const bl_function *table);

/* ---- Raising ---------------------------------------------------------------------------------------------------- */

/* Each raises its object in the program when C has returned, and returns {0}, so that a function can end by
 * `return bl_raise_errno();`. While something is pending another raise is refused. */

/* The error in errno, as a system-error of the foreign procedure: number, name, message. [call] [waits] */
bl_handle bl_raise_errno(void);
/* An error object whose message is this text behind the foreign procedure's name. [call] [waits] */
bl_handle bl_raise_error(const char *text);
/* Any object. [call] [waits] */
bl_handle bl_raise(bl_handle object);
/* Whether something was raised, or a callback of the call was left: C should return. False where there is no
 * foreign call. [any] [plain] */
bool bl_is_pending(void);

/* ---- Words of the heap ------------------------------------------------------------------------------------------ */

/* A word of the heap, as the program's own code sees it. It is good within the no-GC scope that it was read in, and
 * nowhere else. */
typedef uint64_t bl_value;
/* An open no-GC scope. */
typedef struct bl_nogc { uint64_t call; uint32_t depth; } bl_nogc;

/* Opens a no-GC scope: from here to its end no object moves, and every thread that wants a collection waits for this one.
 * So it is to be short, and to block on nothing; the watchdog names who takes long. Callbacks are not run. Scopes
 * nest, and one that the function leaves open when it returns is ended, and is an error. [call] [waits] */
bl_status bl_nogc_begin(bl_nogc *scope);
/* Ends it. [call] [waits] */
bl_status bl_nogc_end(bl_nogc *scope);
/* The word of an object; BL_BROKEN where it fails. [call] [plain] */
bl_value bl_raw(const bl_nogc *scope, bl_handle handle);
/* A local handle for a word that was read in this scope. [call] [plain] */
bl_handle bl_from_raw(const bl_nogc *scope, bl_value value);

/* What words mean. Nothing here checks: a word is asked what it is first. Words of objects may be read, and bytes of
 * bytevectors written; storing a word into an object would go behind the collector's back. */

#define BL_TAG_MASK 7
#define BL_TAG_PAIR 1
#define BL_TAG_OBJECT 3
#define BL_TAG_PROCEDURE 5
#define BL_FIXNUM_SHIFT 1

#define BL_FALSE 15
#define BL_TRUE 23
#define BL_NIL 31
#define BL_EOF 39
#define BL_UNSPECIFIED 47
#define BL_BROKEN 79
#define BL_CHAR_BYTE 71
#define BL_CHAR_SHIFT 8

#define BL_HEADER_FLAGS 61440
#define BL_HEADER_TYPE_SHIFT 16
#define BL_HEADER_TYPE_MASK 65535
#define BL_HEADER_LENGTH_SHIFT 32

#define BL_TYPE_STRING 1
#define BL_TYPE_BYTEVECTOR 3
#define BL_TYPE_FLONUM 4
#define BL_TYPE_FOREIGN_POINTER 6
#define BL_TYPE_BYTEVECTOR_VIEW 11
#define BL_TYPE_VECTOR 17

#define BL_PAIR_CAR 0
#define BL_PAIR_CDR 1
#define BL_VECTOR_FIRST 1
#define BL_STRING_LENGTHS 1
#define BL_STRING_BODY 3
#define BL_BYTES_FIRST 1
#define BL_VIEW_START 1
#define BL_VIEW_LENGTH 2
#define BL_FLONUM_BITS 1
#define BL_FOREIGN_POINTER_ADDRESS 1

/* The address of word `i` of what a pair, object or procedure points to. */
static inline uint64_t *bl_word_address(bl_value v, size_t i)
{
    return (uint64_t *)(uintptr_t)(v & ~(uint64_t)BL_TAG_MASK) + i;
}

static inline bool bl_is_fixnum(bl_value v) { return (v & 1) == 0; }
static inline int64_t bl_fixnum(bl_value v) { return (int64_t)v >> BL_FIXNUM_SHIFT; }

static inline bool bl_is_char(bl_value v) { return (v & 255) == BL_CHAR_BYTE; }
static inline uint32_t bl_char(bl_value v) { return (uint32_t)(v >> BL_CHAR_SHIFT); }

static inline bool bl_is_pair(bl_value v) { return (v & BL_TAG_MASK) == BL_TAG_PAIR; }
static inline bl_value bl_car(bl_value pair) { return *bl_word_address(pair, BL_PAIR_CAR); }
static inline bl_value bl_cdr(bl_value pair) { return *bl_word_address(pair, BL_PAIR_CDR); }

/* Whether it is an object with a header of this type. */
static inline bool bl_is_object(bl_value v, unsigned type)
{
    return (v & BL_TAG_MASK) == BL_TAG_OBJECT
        && (*bl_word_address(v, 0) >> BL_HEADER_TYPE_SHIFT & BL_HEADER_TYPE_MASK) == type;
}
/* What its header says of its length: elements of a vector, bytes of a bytevector. */
static inline size_t bl_object_length(bl_value v)
{
    return (size_t)(*bl_word_address(v, 0) >> BL_HEADER_LENGTH_SHIFT);
}

/* Whether a constructor that was found made it. */
static inline bool bl_is_made(const bl_constructor *constructor, bl_value v)
{
    return (v & BL_TAG_MASK) == BL_TAG_OBJECT
        && (*bl_word_address(v, 0) & ~(uint64_t)BL_HEADER_FLAGS) == constructor->header;
}

static inline bool bl_is_vector(bl_value v) { return bl_is_object(v, BL_TYPE_VECTOR); }
static inline size_t bl_vector_length(bl_value v) { return bl_object_length(v); }
static inline bl_value bl_vector_ref(bl_value v, size_t i)
{
    return *bl_word_address(v, BL_VECTOR_FIRST + i);
}

static inline bool bl_is_string(bl_value v) { return bl_is_object(v, BL_TYPE_STRING); }
/* The bytes of its text, without the NUL behind them. */
static inline size_t bl_string_length(bl_value v)
{
    return (size_t)(uint32_t)*bl_word_address(v, BL_STRING_LENGTHS);
}
static inline const char *bl_string_text(bl_value v)
{
    return (const char *)bl_word_address(*bl_word_address(v, BL_STRING_BODY), BL_BYTES_FIRST);
}

/* A bytevector has its bytes in itself, or is a view of bytes that are C's. */
static inline bool bl_is_bytevector_view(bl_value v) { return bl_is_object(v, BL_TYPE_BYTEVECTOR_VIEW); }
static inline bool bl_is_bytevector(bl_value v)
{
    return bl_is_object(v, BL_TYPE_BYTEVECTOR) || bl_is_bytevector_view(v);
}
static inline size_t bl_bytevector_length(bl_value v)
{
    return bl_is_bytevector_view(v) ? (size_t)*bl_word_address(v, BL_VIEW_LENGTH) : bl_object_length(v);
}
static inline void *bl_bytevector_bytes(bl_value v)
{
    return bl_is_bytevector_view(v) ? (void *)(uintptr_t)*bl_word_address(v, BL_VIEW_START)
                                    : (void *)bl_word_address(v, BL_BYTES_FIRST);
}

static inline bool bl_is_flonum(bl_value v) { return bl_is_object(v, BL_TYPE_FLONUM); }
static inline double bl_flonum(bl_value v)
{
    double x;
    memcpy(&x, bl_word_address(v, BL_FLONUM_BITS), sizeof x);
    return x;
}

static inline bool bl_is_foreign_pointer(bl_value v) { return bl_is_object(v, BL_TYPE_FOREIGN_POINTER); }
static inline void *bl_foreign_pointer(bl_value v)
{
    return (void *)(uintptr_t)*bl_word_address(v, BL_FOREIGN_POINTER_ADDRESS);
}

#ifdef __cplusplus
}
#endif

#endif
