/* Strings: words are copied, joined, split again and put into a table, and the table is emptied. */

#include "bench.h"

enum { ROUNDS = 60, LINES = 6000, WORDS = 12 };

static char *copy(const char *text, size_t bytes) {
    char *made = malloc(bytes + 1);
    require(made != NULL, "no memory");
    memcpy(made, text, bytes);
    made[bytes] = 0;
    return made;
}

static char *joined(char *line, const char *word) {
    size_t before = line == NULL ? 0 : strlen(line);
    size_t more = strlen(word);
    char *made = malloc(before + more + 2);
    require(made != NULL, "no memory");
    memcpy(made, line == NULL ? "" : line, before);
    memcpy(made + before, word, more);
    memcpy(made + before + more, " ", 2);
    free(line);
    return made;
}

int main(void) {
    Random random = {1};
    uint64_t sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
        char **table = calloc(LINES * WORDS, sizeof *table);
        size_t filled = 0;
        require(table != NULL, "no memory");
        for (int i = 0; i < LINES; i++) {
            char *line = NULL;
            for (int k = 0; k < WORDS; k++) {
                char word[32];
                size_t bytes = 2 + random_below(&random, 18);
                memset(word, 'a' + (int)(bytes % 26), bytes);
                word[bytes] = 0;
                line = joined(line, word);
            }
            for (char *at = line, *end; (end = strchr(at, ' ')) != NULL; at = end + 1)
                table[filled++] = copy(at, (size_t)(end - at));
            free(line);
        }
        require(filled == LINES * WORDS, "the number of words");
        for (size_t i = 0; i < filled; i++) {
            sum += strlen(table[i]);
            free(table[i]);
        }
        free(table);
    }
    return told(sum);
}
