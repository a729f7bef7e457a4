#include "warehouse/duckdb/key_filter.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace biwa::duck {

namespace {

constexpr std::size_t kBitsOfKey = 16;
constexpr std::size_t kWordBits = 64;
// 8 kB stay in the processor's nearest cache, and a table is made for each statement.
constexpr std::size_t kWordsMin = 1024;

// 2^64 over the golden ratio: multiplied by it, numbers that follow one another are spread evenly
// over the upper bits (Knuth, The Art of Computer Programming, 6.4).
constexpr std::uint64_t kSpread = 0x9E3779B97F4A7C15;

using Hashes = std::array<std::uint64_t, kBlockRows>;

std::uint64_t Mixed(std::uint64_t hash, std::uint64_t value) {
    hash = (hash ^ value) * kSpread;
    return hash ^ hash >> 32;
}

std::uint64_t EightFrom(const char* bytes) {
    std::uint64_t part = 0;
    std::memcpy(&part, bytes, sizeof part);
    return part;
}

// Of its length and the bytes at its start, in its middle and at its end: all of a text that is no
// longer than 16, and of others what tells keys apart: numbers, UUIDs, paths, addresses.
std::uint64_t Mixed(std::uint64_t hash, const StringCell& cell) {
    const std::size_t size = cell.length;
    if (size <= StringCell::kInlineMax) {
        // The rest of the cell is zeros.
        std::uint32_t last = 0;
        std::memcpy(&last, cell.inlined + 8, sizeof last);
        return Mixed(hash ^ size, EightFrom(cell.inlined) ^ std::uint64_t{last} * kSpread);
    }
    const auto* const bytes = cell.pointer;
    const auto ends = EightFrom(bytes) ^ EightFrom(bytes + size - 8) * kSpread;
    return Mixed(hash ^ size, ends ^ std::rotl(EightFrom(bytes + size / 2 - 4), 32));
}

template <typename T>
void MixNumbers(const Cells& cells, std::size_t rows, Hashes& hashes) {
    for (std::size_t row = 0; row < rows; ++row) {
        hashes[row] = Mixed(hashes[row], static_cast<std::uint64_t>(cells.Get<T>(row)));
    }
}

void MixIn(const Cells& cells, std::size_t rows, Hashes& hashes) {
    switch (cells.type.id) {
        case TypeId::kText:
        case TypeId::kBytes:
        case TypeId::kJson:
            for (std::size_t row = 0; row < rows; ++row) {
                // What stands where nothing is may point to nowhere.
                if (cells.IsNull(row)) continue;
                hashes[row] = Mixed(hashes[row], cells.Get<StringCell>(row));
            }
            return;
        default:
            break;
    }
    switch (CellBytes(cells.type)) {
        case 1:
            MixNumbers<std::uint8_t>(cells, rows, hashes);
            return;
        case 2:
            MixNumbers<std::uint16_t>(cells, rows, hashes);
            return;
        case 4:
            MixNumbers<std::uint32_t>(cells, rows, hashes);
            return;
        case 8:
            MixNumbers<std::uint64_t>(cells, rows, hashes);
            return;
        default:
            for (std::size_t row = 0; row < rows; ++row) {
                const auto value = cells.Get<Int128>(row);
                hashes[row] =
                    Mixed(Mixed(hashes[row], value.low), static_cast<std::uint64_t>(value.high));
            }
    }
}

Hashes HashesOf(std::span<const Cells* const> key, std::size_t rows) {
    Hashes hashes;
    std::fill_n(hashes.begin(), rows, 0);
    for (const auto* cells : key) MixIn(*cells, rows, hashes);
    return hashes;
}

// Two bits of a word, by bits of the hash that have not chosen the word.
std::uint64_t BitsOf(std::uint64_t hash) {
    return std::uint64_t{1} << (hash & 63) | std::uint64_t{1} << (hash >> 6 & 63);
}

}  // namespace

bool KeyFilter::CanTell(const Type& type) {
    switch (type.id) {
        case TypeId::kFloat:     // 0 and -0
        case TypeId::kDouble:    //
        case TypeId::kInterval:  // a month and 30 days
        case TypeId::kList:
            return false;
        default:
            return true;
    }
}

KeyFilter::KeyFilter(std::size_t keys) {
    const auto words = std::bit_ceil(std::max(kWordsMin, keys * kBitsOfKey / kWordBits));
    words_ = std::make_unique<std::atomic<std::uint64_t>[]>(words);
    shift_ = static_cast<unsigned>(64 - std::countr_zero(words));
}

void KeyFilter::Add(std::span<const Cells* const> key, std::size_t rows) {
    const auto hashes = HashesOf(key, rows);
    for (std::size_t row = 0; row < rows; ++row) {
        words_[hashes[row] >> shift_].fetch_or(BitsOf(hashes[row]), std::memory_order_relaxed);
    }
}

template <typename HashAt>
void KeyFilter::LookUp(std::size_t rows, bool* may_have, const HashAt& hash_at) const {
    const auto* const words = words_.get();
    const auto shift = shift_;
    for (std::size_t row = 0; row < rows; ++row) {
        const std::uint64_t hash = hash_at(row);
        const auto word = words[hash >> shift].load(std::memory_order_relaxed);
        may_have[row] = (word >> (hash & 63) & word >> (hash >> 6 & 63) & 1) != 0;
    }
}

void KeyFilter::MayHave(std::span<const Cells* const> key, std::size_t rows, bool* may_have) const {
    // Most keys are one number: without a detour over memory.
    if (key.size() == 1 && !IsString(key[0]->type)) {
        const auto look_up = [&]<typename T>(T) {
            LookUp(rows, may_have, [cells = key[0]](std::size_t row) {
                return Mixed(0, static_cast<std::uint64_t>(cells->Get<T>(row)));
            });
        };
        switch (CellBytes(key[0]->type)) {
            case 4:
                return look_up(std::uint32_t{});
            case 8:
                return look_up(std::uint64_t{});
            default:
                break;
        }
    }
    const auto hashes = HashesOf(key, rows);
    LookUp(rows, may_have, [&](std::size_t row) { return hashes[row]; });
}

}  // namespace biwa::duck
