/* Calls operator new where there is no C++ library to throw from. */
#include "check.h"

void *_Znwm(size_t);

int main(void) {
    void *block = _Znwm(10);
    CHECK(in_region(block));
    _Znwm((size_t)1 << 60);
    return 0;
}
