/* A leaf call that takes its time, while another thread of C's takes so much memory that a collection is due. */
#include "../malloc/common.h"
#include <pthread.h>
#include <time.h>

enum { BLOCKS = 100, MIB = 1 << 20 };

static char *blocks[BLOCKS];

static void *allocate(void *unused) {
    for (int i = 0; i < BLOCKS; i++)
        if ((blocks[i] = malloc(MIB)) != NULL)
            blocks[i][0] = 1;
    return unused;
}

int linger(int milliseconds) {
    pthread_t other;
    REQUIRE(pthread_create(&other, NULL, allocate, NULL) == 0);
    REQUIRE(pthread_join(other, NULL) == 0);
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    nanosleep(&time, NULL);
    int had = 0;
    for (int i = 0; i < BLOCKS; i++) {
        had += blocks[i] != NULL;
        free(blocks[i]);
    }
    return had;
}
