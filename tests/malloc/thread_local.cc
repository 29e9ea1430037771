// C++ thread_local objects that free and allocate in their destructors, in threads by the thousand,
// together with thread-specific values whose destructors run after them.

#include "common.h"

#include <memory>
#include <string>
#include <vector>

namespace {

constexpr int Threads = 3000, Wave = 50;
int destroyed;
pthread_key_t key;

struct Keeper {
    std::vector<std::string> strings;
    std::unique_ptr<Keeper> next;

    ~Keeper() {
        std::vector<std::string> copies(strings.rbegin(), strings.rend());
        for (const auto &copy : copies) REQUIRE(copy.size() >= 40);
        strings = std::move(copies);
        __atomic_add_fetch(&destroyed, 1, __ATOMIC_RELAXED);
    }
};

thread_local Keeper keeper;
thread_local struct block *raw;

// A thread_local that first lives while another one dies.
struct Late {
    std::string text = std::string(100, 'l');
    ~Late() { delete[] new char[text.size() * 50]; }
};

struct Opener {
    int number = 0;
    ~Opener() {
        thread_local Late late;
        REQUIRE(late.text[number] == 'l');
    }
};

thread_local Opener opener;

void after_thread_locals(void *value) {
    REQUIRE(value == raw);
    block_free(static_cast<struct block *>(value));
    block_free(block_new(70000, 9));
}

void *thread(void *argument) {
    auto number = static_cast<int>(reinterpret_cast<uintptr_t>(argument));
    opener.number = number % 100;
    for (int i = 0; i < 20; i++) keeper.strings.push_back(std::string(40 + i * (number % 64), 'x'));
    keeper.next = std::make_unique<Keeper>();
    raw = block_new(1 + number % 2000, static_cast<uint32_t>(number));
    REQUIRE(pthread_setspecific(key, raw) == 0);
    return nullptr;
}

}  // namespace

int main() {
    REQUIRE(pthread_key_create(&key, after_thread_locals) == 0);
    for (int wave = 0; wave < Threads / Wave; wave++) {
        pthread_t threads[Wave];
        for (int i = 0; i < Wave; i++)
            threads[i] = thread_start(thread, reinterpret_cast<void *>(uintptr_t(wave * Wave + i + 1)));
        for (pthread_t one : threads) REQUIRE(pthread_join(one, nullptr) == 0);
    }
    REQUIRE(destroyed == Threads * 2);
    return done();
}
