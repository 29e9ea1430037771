/* C values of every kind, there and back. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int8_t same_int8(int8_t n) { return n; }
int16_t same_int16(int16_t n) { return n; }
int32_t same_int32(int32_t n) { return n; }
int64_t same_int64(int64_t n) { return n; }
uint8_t same_uint8(uint8_t n) { return n; }
uint16_t same_uint16(uint16_t n) { return n; }
uint32_t same_uint32(uint32_t n) { return n; }
uint64_t same_uint64(uint64_t n) { return n; }

/* Addresses that are odd, and whose low bits are those of any word of the heap. */
static char text[64] = "0123456789abcdef";
struct odd { char *first; int n; char *second; };

char *odd_result(int n) { return text + n; }
bool odd_argument(const char *p, int n) { return p == text + n; }
void odd_out(int n, char **p) { *p = text + n; }
bool odd_callback(char *(*f)(char *), int n) { return f(text + n) == text + n; }
void odd_fields(struct odd *s, int n) { s->first = text + n; s->second = text + n + 1; }
char *odd_malloc(int n)
{
    static char *block;
    if (block == NULL)
        block = calloc(1, 64);
    return block + n;
}

/* Bytes without a NUL, behind which there is a page that nobody may read. */
const char *at_the_end(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages + page, page, PROT_NONE) != 0)
        abort();
    memset(pages + page - size, 'x', size);
    return pages + page - size;
}
const char *not_utf8(void) { return "a\xff" "b\xc3(\xe2\x82z"; }
const char *empty(void) { return ""; }
size_t length(const char *s) { return strlen(s); }
