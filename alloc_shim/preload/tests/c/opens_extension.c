/* A program without C++ that opens a C++ library. */
#include "check.h"

int main(int count, char **arguments) {
    CHECK(count == 2 && dlsym(RTLD_DEFAULT, "_ZSt17__throw_bad_allocv") == NULL);
    void *library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
    CHECK(library != NULL);
    int (*catches)(void) = (int (*)(void))dlsym(library, "extension_catches");
    CHECK(catches != NULL && catches() == 11);
    return 0;
}
