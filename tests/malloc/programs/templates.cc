// Something for a compiler to work on: recursion in types, containers of containers, ranges of lambdas.

#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <regex>
#include <sstream>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

template <int N> struct Fibonacci {
    static constexpr long value = Fibonacci<N - 1>::value + Fibonacci<N - 2>::value;
    std::tuple<std::array<int, N>, std::shared_ptr<Fibonacci<N - 1>>> rest;
};
template <> struct Fibonacci<1> { static constexpr long value = 1; };
template <> struct Fibonacci<0> { static constexpr long value = 0; };

template <typename... Types> struct Cell {
    std::variant<Types...> value;
    std::map<std::string, std::vector<std::variant<Types...>>> more;
};

template <std::size_t... Indices> long sums(std::index_sequence<Indices...>) {
    return (... + static_cast<long>(Indices * Indices));
}

int main() {
    std::unordered_map<std::string, Cell<int, double, std::string>> cells;
    for (int i = 0; i < 2000; i++) {
        auto &cell = cells["cell" + std::to_string(i % 300)];
        if (i % 2) cell.value = i * 0.5;
        else cell.value = std::string(static_cast<std::size_t>(i % 100), 'c');
        cell.more["list"].emplace_back(i);
    }
    std::vector<std::function<int(int)>> steps;
    for (int i = 0; i < 50; i++) steps.emplace_back([i](int x) { return x * 3 % 1009 + i; });
    int result = std::accumulate(steps.begin(), steps.end(), 1, [](int x, const auto &step) { return step(x); });
    std::string text = "a1b22c333";
    std::regex digits("[0-9]+");
    std::ostringstream out;
    for (std::sregex_iterator it(text.begin(), text.end(), digits), end; it != end; ++it) out << it->str() << ' ';
    std::cout << Fibonacci<60>::value << ' ' << sums(std::make_index_sequence<300>()) << ' ' << cells.size() << ' '
              << result << ' ' << out.str() << '\n';
}
