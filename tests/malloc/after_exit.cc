// Memory used and freed after main: handlers of atexit and on_exit, destructors of static objects
// and of priority 101, while a thread that nobody joined goes on allocating.

#include "common.h"

#include <string>
#include <vector>

namespace {

struct block *held;

struct Static {
    std::vector<std::string> texts;
    Static() {
        for (int i = 0; i < 100; i++) texts.push_back(std::string(1000, 's'));
    }
    ~Static() {
        texts.push_back(std::string(200000, 't'));
        REQUIRE(texts.front()[999] == 's' && texts.back()[199999] == 't');
        say(1, "static destructor\n");
    }
} object;

void at_exit() {
    held = block_resize(held, 9000);
    block_free(block_new(800000, 4));
    say(1, "atexit\n");
}

void on_exit_handler(int status, void *argument) {
    REQUIRE(status == 5);
    block_free(static_cast<struct block *>(argument));
    say(1, "on_exit\n");
}

__attribute__((destructor(101))) void very_last() {
    block_free(held);
    for (int i = 0; i < 1000; i++) block_free(block_new(i * 7 + 1, i));
    say(1, "last destructor\n");
}

void *forever(void *) {
    uint64_t random = 99;
    for (;;) block_free(block_resize(block_new(random_size(&random), 6), random_size(&random)));
}

}  // namespace

int main() {
    held = block_new(10, 12);
    REQUIRE(atexit(at_exit) == 0);
    REQUIRE(on_exit(on_exit_handler, block_new(333, 8)) == 0);
    REQUIRE(pthread_detach(thread_start(forever, nullptr)) == 0);
    sleep_ms(20);
    done();
    exit(5);
}
