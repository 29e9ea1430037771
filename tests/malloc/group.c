/* Phases that each take memory in pieces of one size, write all of it, and give it back: `group MIB all` gets that much each
 * time, `group MIB some` is refused before, with ENOMEM.
 */
#include "common.h"

enum { MIB = 1 << 20, PIECES = 1 << 18 };

static char *pieces[PIECES];

/* Whether all was to be had. */
static int phase(size_t size, size_t most) {
    size_t count = 0;
    int whole = 1;
    while (count < PIECES && (count + 1) * size <= most) {
        errno = 0;
        char *piece = (char *)malloc(size);
        if (!piece) {
            REQUIRE(errno == ENOMEM);
            whole = 0;
            break;
        }
        memset(piece, 'p', size);
        pieces[count++] = piece;
    }
    say_number(1, "MiB", count * size / MIB);
    while (count) free(pieces[--count]);
    return whole;
}

int main(int count, char **arguments) {
    REQUIRE(count == 3);
    static const size_t sizes[] = {1000, MIB, 33000, 100000, 3 * MIB, 5000};
    for (int i = 0; i < 6; i++)
        REQUIRE(phase(sizes[i], (size_t)atol(arguments[1]) * MIB) == (strcmp(arguments[2], "all") == 0));
    return done();
}
