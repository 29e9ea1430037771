// A library to be preloaded beside the malloc: its static initialisers use the heap before the
// malloc's own constructor may have run, and its destructors when that may be over.

#include "common.h"

#include <map>
#include <string>

namespace {

struct Early {
    std::map<int, std::string> numbers;
    struct block *raw;

    Early() {
        for (int i = 0; i < 1000; i++) numbers[i] = std::to_string(i) + std::string(i % 300, 'e');
        raw = block_new(300000, 17);
        try {
            throw std::string("early");
        } catch (const std::string &text) {
            REQUIRE(text == "early");
        }
    }

    ~Early() {
        for (int i = 0; i < 1000; i++) REQUIRE(numbers[i].size() == std::to_string(i).size() + i % 300);
        block_free(raw);
        numbers.clear();
        say(1, "early is over\n");
    }
} early;

}  // namespace

extern "C" __attribute__((visibility("default"))) size_t early_count() { return early.numbers.size(); }
