// The twenty operators: blocks, alignment, new-handlers that free, give up or throw, and the real std::bad_alloc.
#include "check.h"
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>

namespace {

// Volatile: the compiler would see that no block is so large.
volatile std::size_t huge = std::size_t(1) << 60;
const std::align_val_t LINE{64}, SLAB{1 << 20};

struct Guard {
    int &count;
    ~Guard() { ++count; }
};

int handled;
void give_up() {
    if (++handled == 3) std::set_new_handler(nullptr);
}
void throw_int() { ++handled, throw 5; }
void throw_bad() { ++handled, throw std::bad_alloc(); }

bool at_multiple(void *block, std::align_val_t align) {
    return reinterpret_cast<std::uintptr_t>(block) % static_cast<std::size_t>(align) == 0;
}

// Each of the eight, chosen by number, so that every check below is said once.
void *get(int form, std::size_t bytes) {
    switch (form) {
    case 0: return ::operator new(bytes);
    case 1: return ::operator new[](bytes);
    case 2: return ::operator new(bytes, LINE);
    case 3: return ::operator new[](bytes, SLAB);
    case 4: return ::operator new(bytes, std::nothrow);
    case 5: return ::operator new[](bytes, std::nothrow);
    case 6: return ::operator new(bytes, LINE, std::nothrow);
    default: return ::operator new[](bytes, SLAB, std::nothrow);
    }
}

void put(int form, void *block, std::size_t bytes) {
    switch (form) {
    case 0: return ::operator delete(block);
    case 1: return ::operator delete[](block);
    case 2: return ::operator delete(block, bytes, LINE);
    case 3: return ::operator delete[](block, bytes, SLAB);
    case 4: return ::operator delete(block, std::nothrow);
    case 5: return ::operator delete[](block, std::nothrow);
    case 6: return ::operator delete(block, LINE, std::nothrow);
    default: return ::operator delete[](block, SLAB, std::nothrow);
    }
}

void blocks() {
    for (int form = 0; form < 8; form++)
        for (std::size_t bytes = 0; bytes < 300000; bytes = bytes * 2 + 1) {
            void *block = get(form, bytes);
            CHECK(block && in_region(block));
            CHECK(form % 4 != 2 || at_multiple(block, LINE));
            CHECK(form % 4 != 3 || at_multiple(block, SLAB));
            std::memset(block, 1, bytes);
            put(form, block, bytes);
        }
    ::operator delete(::operator new(7), std::size_t(7));
    ::operator delete[](::operator new[](7), std::size_t(7));
    ::operator delete(::operator new(7, LINE), LINE);
    ::operator delete[](::operator new[](7, LINE), LINE);
    ::operator delete(nullptr);
    ::operator delete[](nullptr, std::nothrow);
}

// What comes of a request that cannot be met: 'n' null, 'b' bad_alloc, 'i' an int. Destructors must have run.
char outcome(int form) {
    int destroyed = 0;
    char seen = '?';
    try {
        Guard guard{destroyed};
        if (get(form, huge) == nullptr) seen = 'n';
    } catch (const std::bad_alloc &e) {
        CHECK(std::string(e.what()) == "std::bad_alloc");
        seen = 'b';
    } catch (int) {
        seen = 'i';
    }
    CHECK(destroyed == 1);
    return seen;
}

void failures() {
    for (int form = 0; form < 8; form++) {
        bool throws = form < 4;
        std::set_new_handler(nullptr);
        CHECK(outcome(form) == (throws ? 'b' : 'n'));
        handled = 0, std::set_new_handler(give_up);
        CHECK(outcome(form) == (throws ? 'b' : 'n') && handled == 3);
        handled = 0, std::set_new_handler(throw_int);
        CHECK(outcome(form) == (throws ? 'i' : 'n') && handled == 1);
        handled = 0, std::set_new_handler(throw_bad);
        CHECK(outcome(form) == (throws ? 'b' : 'n') && handled == 1);
        // Nothing is left of the exceptions that the nothrow forms caught.
        CHECK(std::uncaught_exceptions() == 0 && !std::current_exception());
    }
    std::set_new_handler(nullptr);
}

struct Early {
    std::string text = std::string(1000, 'e');
} early;

} // namespace

int main() {
    CHECK(in_region(early.text.data()));
    blocks();
    failures();
    std::thread threads[4];
    for (auto &thread : threads) thread = std::thread([] {
        for (int i = 0; i < 1000; i++) {
            try {
                get(i % 4, huge);
                CHECK(false);
            } catch (const std::bad_alloc &) {
            }
        }
    });
    for (auto &thread : threads) thread.join();
    return 0;
}
