// Random numbers that are the same on every machine: the standard library leaves the algorithms of
// its distributions open.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <numbers>

namespace juku {

// SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
// Small enough to be made anew for each thing that needs numbers of its own.
class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    // A generator for one thing of one kind: the same (seed, kind, id) gives the same numbers.
    static Random For(std::uint64_t seed, std::uint64_t kind, std::uint64_t id) {
        Random random(seed);
        random.state_ = random.Next() ^ (kind * 0xD1B54A32D192ED03u);
        random.state_ = random.Next() ^ (id * 0xABC98388FB8FAC03u);
        return random;
    }

    std::uint64_t Next() {
        std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return z ^ (z >> 31);
    }
    // [0, 1)
    double Uniform() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }
    // [0, n)
    int Below(int n) { return static_cast<int>(Uniform() * n); }
    bool Chance(double probability) { return Uniform() < probability; }
    // Mean 0, deviation 1 (Box and Muller, 1958).
    double Normal() {
        const double radius = std::sqrt(-2.0 * std::log(1.0 - Uniform()));
        return radius * std::cos(2.0 * std::numbers::pi * Uniform());
    }
    // One of an array or a vector, which must not be empty.
    template <typename Values>
    const auto& Of(const Values& values) {
        return values[static_cast<std::size_t>(Below(static_cast<int>(std::size(values))))];
    }

  private:
    std::uint64_t state_;
};

}  // namespace juku
