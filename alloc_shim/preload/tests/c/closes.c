/* Closes standard error on its way out, as many programs do, and lets another file have its number. */
#include "check.h"
#include <fcntl.h>
#include <unistd.h>

static const char *path;

static void swap_files(void) {
    close(2);
    CHECK(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600) == 2);
}

int main(int count, char **arguments) {
    CHECK(count == 2);
    path = arguments[1];
    CHECK(dup(0) == 3);
    free(malloc(1000));
    atexit(swap_files);
    return 0;
}
