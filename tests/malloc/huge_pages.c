/* Huge pages where the system gives them to everybody, which is asked for here by advice on the whole reservation: small blocks get none, a
   large block gets them, and all of it goes back. */

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SMALL = 40000, LARGE = 64 << 20, PAGE = 2048 };

static unsigned long first, last;

/* KiB of huge pages that the kernel has made of small ones that lie together, anywhere. It may do so at any time. */
static long made(void) {
    char name[64];
    long count, all = 0;
    FILE *file = fopen("/proc/vmstat", "r");
    if (file == NULL)
        exit(2);
    while (fscanf(file, "%63s %ld", name, &count) == 2)
        if (strcmp(name, "thp_collapse_alloc") == 0)
            all = count * PAGE;
    fclose(file);
    return all;
}

/* The library's calls come here. */
void *mmap(void *at, size_t bytes, int rights, int flags, int file, off_t offset) {
    long place = syscall(SYS_mmap, at, bytes, rights, flags, file, offset);
    if (place != -1 && rights == PROT_NONE && bytes >= (size_t)1 << 28) {
        syscall(SYS_madvise, place, bytes, MADV_HUGEPAGE);
        first = (unsigned long)place;
        last = first + bytes;
    }
    return (void *)place;
}

/* KiB of the reservation that have memory, and of those the ones in huge pages. */
static void look(long *resident, long *huge) {
    static char text[512];
    unsigned long from, to;
    int inside = 0;
    long kib;
    FILE *file = fopen("/proc/self/smaps", "r");
    if (file == NULL)
        exit(2);
    *resident = *huge = 0;
    while (fgets(text, sizeof text, file) != NULL) {
        if (sscanf(text, "%lx-%lx ", &from, &to) == 2)
            inside = first <= from && from < last;
        else if (inside && sscanf(text, "Rss: %ld", &kib) == 1)
            *resident += kib;
        else if (inside && sscanf(text, "AnonHugePages: %ld", &kib) == 1)
            *huge += kib;
    }
    fclose(file);
}

static void expect(int right, const char *what, long resident, long huge) {
    if (!right) {
        printf("%s: %ld KiB, of them huge %ld\n", what, resident, huge);
        exit(1);
    }
}

int main(void) {
    static char *blocks[SMALL];
    long resident, huge, begin, bytes = 0, before = made();
    look(&begin, &huge);
    expect(huge == 0, "at the start", begin, huge);
    for (int i = 0; i < SMALL; i++) {
        size_t size = 16 + (size_t)i % 500;
        blocks[i] = malloc(size);
        if (blocks[i] == NULL)
            return 2;
        memset(blocks[i], 1, size);
        bytes += (long)size;
    }
    look(&resident, &huge);
    long others = made() - before;
    expect(huge <= others && resident - begin < bytes / 1024 * 5 / 4 + PAGE + others, "small blocks", resident, huge);
    for (int i = 0; i < SMALL; i++)
        free(blocks[i]);
    char *large = malloc(LARGE);
    if (large == NULL)
        return 2;
    memset(large, 1, LARGE);
    look(&resident, &huge);
    others = made() - before;
    expect(huge <= LARGE / 1024 + PAGE + others, "a large block", resident, huge);
    puts(huge > 0 ? "huge pages in the large block" : "no huge pages to be had");
    free(large);
    malloc_trim(0);
    look(&resident, &huge);
    others = made() - before;
    expect(huge <= others && resident - begin < 2 * PAGE + others, "afterwards", resident, huge);
    puts("done");
    return 0;
}
