/* Lists and trees of a Scheme program in C, by the functions of a header that is written for the program.
 *
 *     bowline header examples/lists/lists.scm > lists.h
 *     cc -std=c11 -shared -fPIC -O2 -I. -I ffi_boundary/capi/include -o liblists.so examples/lists/lists.c
 *     LD_LIBRARY_PATH=. bowline run examples/lists/lists.scm
 *
 * Three ways to work on them:
 *   - By handles. A collection may come at any time and move everything; nothing need be done for that. The functions that
 *     end in _assign use the same handles in each turn of a loop.
 *   - By words of the heap, in a no-GC scope. That is fastest, but every other thread waits for it, so a long list is
 *     done piece by piece.
 *   - By values that C makes. Each new one is a local handle, so a scope around each step keeps them few.
 */
#include "lists.h"

/* Whoever finds an error says it, and the program raises it when C has returned. */
static bl_handle failed(void)
{
    if (bl_is_pending()) return (bl_handle){0};
    return bl_raise_error(bl_last_error());
}

int64_t sum_by_handles(bl_handle list)
{
    int64_t sum = 0, n;
    bl_handle rest = bl_local(list), first = bl_local(list);
    while (list_uncons_assign(rest, first, rest)) {
        if (bl_to_int(first, &n) != BL_OK) break;
        sum += n;
    }
    if (bl_last_status() != BL_OK) failed();
    return sum;
}

/* Elements between two no-GC scopes: some microseconds. */
#define PIECE 4096

int64_t sum_by_words(bl_handle list)
{
    int64_t sum = 0;
    bl_handle rest = bl_local(list);
    bool more = true;
    while (more) {
        bl_nogc words;
        if (bl_nogc_begin(&words) != BL_OK) return failed(), 0;
        bl_value at = bl_raw(&words, rest), first;
        for (int i = 0; i < PIECE && more; i++) {
            more = list_uncons_raw(&words, at, &first, &at);
            if (more && bl_is_fixnum(first)) sum += bl_fixnum(first);
        }
        bl_handle next = bl_from_raw(&words, at);
        bl_nogc_end(&words);
        bl_free(rest);
        rest = next;
    }
    return sum;
}

/* A list of the squares below n*n, largest first. */
bl_handle squares(int64_t n)
{
    bl_handle list = list_empty();
    for (int64_t i = 0; i < n && list.bits != 0; i++) {
        bl_scope turn = bl_scope_open();
        bl_handle longer = list_cons(bl_from_int(i * i), list);
        bl_handle shorter = list;
        list = bl_scope_close_with(turn, longer);
        bl_free(shorter);
    }
    return list.bits != 0 ? list : failed();
}

/* A balanced tree of the next n elements; `rest` stands for those behind them afterwards, `first` for the last one. */
static bl_handle next_tree(bl_handle first, bl_handle rest, int64_t n)
{
    if (n == 0) return tree_leaf();
    bl_scope level = bl_scope_open();
    int64_t key;
    bl_handle left = next_tree(first, rest, n / 2);
    bool got = list_uncons_assign(rest, first, rest) && bl_to_int(first, &key) == BL_OK;
    bl_handle right = got ? next_tree(first, rest, n - n / 2 - 1) : (bl_handle){0};
    bl_handle tree = got ? tree_node(left, key, right) : (bl_handle){0};
    return bl_scope_close_with(level, tree);
}

bl_handle sorted_tree(bl_handle list, int64_t n)
{
    bl_handle tree = next_tree(bl_local(list), bl_local(list), n);
    return tree.bits != 0 ? tree : failed();
}

int depth(bl_handle tree)
{
    bl_scope level = bl_scope_open();
    bl_handle left, right;
    int64_t key;
    int here = 0;
    if (tree_get_node(tree, &left, &key, &right)) {
        int of_left = depth(left), of_right = depth(right);
        here = 1 + (of_left > of_right ? of_left : of_right);
    }
    bl_scope_close(level);
    return here;
}

/* Looks for the keys 0, step, 2 * step ... up to `high`, and tells the program of each. */
void look_up(bl_handle tree, int64_t high, int64_t step)
{
    bl_handle at = bl_local(tree), left = bl_local(tree), right = bl_local(tree);
    for (int64_t wanted = 0; wanted <= high && !bl_is_pending(); wanted += step) {
        int64_t key = wanted - 1;
        bl_free(at);
        at = bl_local(tree);
        while (key != wanted && tree_get_node_assign(at, left, &key, right)) {
            bl_handle next = wanted < key ? left : right;
            if (wanted < key) left = at; else right = at;
            at = next;
        }
        tell(wanted, key == wanted);
    }
}
