/* Binary trees on the Boehm collector: the work of binary-trees.scm and of the heap's own example. */
#include <gc.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct node {
    struct node *left;
    struct node *right;
} node;

static node *make_tree(int depth)
{
    node *tree = GC_MALLOC(sizeof(node));
    if (tree == NULL) {
        fputs("out of memory\n", stderr);
        exit(1);
    }
    if (depth > 0) {
        tree->left = make_tree(depth - 1);
        tree->right = make_tree(depth - 1);
    }
    return tree;
}

static long count_nodes(const node *tree)
{
    if (tree->left == NULL)
        return 1;
    return 1 + count_nodes(tree->left) + count_nodes(tree->right);
}

static long many(long n, int depth)
{
    long total = 0;
    for (long i = 0; i < n; i++)
        total += count_nodes(make_tree(depth));
    return total;
}

int main(int argc, char **argv)
{
    int deepest = argc > 1 ? atoi(argv[1]) : 18;
    GC_INIT();
    long total = count_nodes(make_tree(deepest + 1));
    node *kept = make_tree(deepest);
    for (int depth = 4; depth <= deepest; depth += 2)
        total += many(1L << (deepest - depth + 4), depth);
    total += count_nodes(kept);
    printf("checksum %ld\n", total);
    return 0;
}
