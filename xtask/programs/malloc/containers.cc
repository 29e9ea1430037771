// The containers of C++: nodes of maps and lists, buffers of vectors and strings, tables.

#include "bench.h"
#include <list>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

static const int ROUNDS = 5;
static const unsigned ITEMS = 60000;

static uint64_t round_of(Random &random) {
    uint64_t sum = 0;
    std::map<uint64_t, std::string> ordered;
    std::unordered_map<std::string, std::vector<unsigned>> table;
    std::list<std::unique_ptr<uint64_t[]>> queue;
    for (unsigned i = 0; i < ITEMS; i++) {
        uint64_t key = random_next(&random) % (ITEMS / 2);
        std::string name = "item number " + std::to_string(key);
        ordered[key] = name;
        table[name].push_back(i);
        queue.push_back(std::make_unique<uint64_t[]>(1 + i % 12));
        queue.back()[0] = i;
        if (queue.size() > 5000) {
            sum += queue.front()[0];
            queue.pop_front();
        }
        if (i % 3 == 0)
            ordered.erase(random_next(&random) % (ITEMS / 2));
    }
    for (const auto &[key, name] : ordered)
        sum += key + name.size() + table[name].size();
    size_t held = 0;
    for (const auto &[name, numbers] : table)
        held += numbers.size();
    require(held == ITEMS, "the number of items");
    return sum;
}

int main() {
    Random random = {1};
    uint64_t sum = 0;
    for (int i = 0; i < ROUNDS; i++)
        sum += round_of(random);
    return told(sum);
}
