// Which rows of a large table may have one of some keys: a Bloom filter of the keys, one word of
// memory and two bits a key.
//
// A join that looks for some thousand keys in a table has to look at all of its rows, and the
// engine's own hash table costs 10 ns for each of them; this costs 2, and lets one in fifty of
// those that have none of the keys through.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "model/rows.h"

namespace biwa::duck {

class KeyFilter {
  public:
    // Whether two values of the type are equal where, and only where, their bytes are.
    static bool CanTell(const Type& type);

    // Good for so many keys; of more, the more rows it lets through. 2 to 4 bytes a key.
    explicit KeyFilter(std::size_t keys);

    // The first `rows` of the key's columns, whose types it CanTell. From any thread.
    void Add(std::span<const Cells* const> key, std::size_t rows);

    // For each of `rows` rows, at most kBlockRows, whether it may have one of the keys. Whoever
    // asks does so after the last Add. Never false for a row that has one, unless that has a NULL.
    void MayHave(std::span<const Cells* const> key, std::size_t rows, bool* may_have) const;

  private:
    template <typename HashAt>
    void LookUp(std::size_t rows, bool* may_have, const HashAt& hash_at) const;

    std::unique_ptr<std::atomic<std::uint64_t>[]> words_;
    unsigned shift_ = 0;  // of a hash, to the number of its word
};

}  // namespace biwa::duck
