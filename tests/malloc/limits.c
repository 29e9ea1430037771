/* Takes memory until there is no more, up to a gigabyte or more: `limits LEAST MOST`, in MiB. It must get LEAST,
 * must be told ENOMEM before MOST unless that is 0, and must be able to go on when it gave everything
 * back.
 */
#include "common.h"

enum { MIB = 1 << 20, PIECES = 1 << 15 };

static void *pieces[PIECES];

static size_t take_all(size_t size) {
    size_t count = 0;
    while (count < PIECES) {
        errno = 0;
        char *piece = (char *)malloc(size);
        if (!piece) {
            REQUIRE(errno == ENOMEM);
            break;
        }
        piece[0] = piece[size - 1] = 'p';
        pieces[count++] = piece;
    }
    return count;
}

static void give_all(size_t count) {
    while (count) free(pieces[--count]);
}

int main(int count, char **arguments) {
    REQUIRE(count == 3);
    size_t least = (size_t)atol(arguments[1]) * MIB, most = (size_t)atol(arguments[2]) * MIB;
    static const size_t sizes[] = {33000, MIB, 100000};
    for (int i = 0; i < 3; i++) {
        size_t taken = take_all(sizes[i]);
        say_number(1, "MiB", taken * sizes[i] / MIB);
        give_all(taken);
        REQUIRE(taken * sizes[i] >= least && (most == 0 || taken * sizes[i] < most));
        block_free(block_new(1000, 1));
    }
    return done();
}
