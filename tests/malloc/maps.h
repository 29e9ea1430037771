/* How many reservations of a gigabyte and more the process has: what a region of a malloc looks like
 * from outside. Neighbouring mappings count as one, for a region is used piece by piece.
 */
#ifndef MAPS_H
#define MAPS_H

#include "common.h"

struct maps {
    uintptr_t from, to; /* the run of neighbouring mappings that is being read */
    unsigned regions;
};

static UNUSED void maps_add(struct maps *maps, uintptr_t from, uintptr_t to) {
    if (from != maps->to) {
        if (maps->to - maps->from >= (uintptr_t)1 << 30) maps->regions++;
        maps->from = from;
    }
    maps->to = to;
}

/* Reads "FROM-TO ..." lines; neither stdio nor malloc is used. */
static UNUSED unsigned count_regions(void) {
    struct maps maps = {0, 0, 0};
    uintptr_t numbers[2] = {0, 0};
    int field = 0; /* 0 FROM, 1 TO, 2 the rest of the line */
    char buffer[4096];
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    REQUIRE(fd >= 0);
    for (ssize_t length; (length = read(fd, buffer, sizeof buffer)) > 0;)
        for (ssize_t i = 0; i < length; i++) {
            char c = buffer[i];
            if (c == '\n') {
                maps_add(&maps, numbers[0], numbers[1]);
                numbers[0] = numbers[1] = 0;
                field = 0;
            } else if (field == 2) {
                continue;
            } else if (c == '-' || c == ' ') {
                field++;
            } else {
                numbers[field] = numbers[field] * 16 + (uintptr_t)(c <= '9' ? c - '0' : c - 'a' + 10);
            }
        }
    close(fd);
    maps_add(&maps, 0, 0);
    return maps.regions;
}

#endif
