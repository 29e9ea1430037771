// A C++ library that a C program opens privately: the C++ runtime comes with it, long after the allocator.
#include <cstddef>
#include <new>

// Volatile: the compiler would see that no block is so large.
static volatile std::size_t huge = std::size_t(1) << 60;

extern "C" int extension_catches() {
    int caught = 0;
    try {
        ::operator delete(::operator new(huge));
    } catch (const std::bad_alloc &) {
        caught += 1;
    }
    std::set_new_handler([] { throw 5; });
    if (::operator new(huge, std::nothrow) == nullptr) caught += 10;
    std::set_new_handler(nullptr);
    return caught;
}
