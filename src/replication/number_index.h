// Which place each of a set of whole numbers has: the keys of changes that are folded.
//
// Four numbers that follow one another share a line of the processor's cache, as rows mostly come,
// and change, in the order of their keys; and a number can be asked for some rows before it is
// looked up. Waiting for memory is what folding costs.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace biwa {

class NumberIndex {
  public:
    // The place of `number`: `next` where it is new, which it then has.
    std::uint32_t PlaceOf(std::uint64_t number, std::uint32_t next) {
        if (size_ >= size_max_) Grow(2 * slots_.size());
        auto& slot = Find(number);
        if (slot.place_after == 0) {
            slot = {number, next + 1};
            ++size_;
        }
        return slot.place_after - 1;
    }
    // Has the memory brought in where `number` is looked up.
    void Prefetch(std::uint64_t number) const {
        if (!slots_.empty()) __builtin_prefetch(&slots_[Home(number)]);
    }
    void Reserve(std::size_t numbers) {
        const auto slots = std::bit_ceil(numbers * kSlotsOf8 / 5);
        if (slots > slots_.size()) Grow(slots);
    }
    void Clear() { *this = NumberIndex(); }

  private:
    struct Slot {
        std::uint64_t number = 0;
        std::uint32_t place_after = 0;  // 0: free
    };
    static constexpr std::size_t kFirstSlots = 64;
    static constexpr std::size_t kSlotsOf8 = 8;  // for five numbers at the most

    std::size_t Home(std::uint64_t number) const {
        const auto product = static_cast<unsigned __int128>(number >> 2) * 0x9E37'79B9'7F4A'7C15U;
        const auto mixed = static_cast<std::uint64_t>(product >> 64 ^ product);
        return ((mixed << 2) | (number & 3)) & (slots_.size() - 1);
    }
    Slot& Find(std::uint64_t number) {
        for (auto at = Home(number);; at = (at + 1) & (slots_.size() - 1)) {
            auto& slot = slots_[at];
            if (slot.place_after == 0 || slot.number == number) return slot;
        }
    }
    void Grow(std::size_t slots) {
        std::vector<Slot> before(slots < kFirstSlots ? kFirstSlots : slots);
        before.swap(slots_);
        size_max_ = slots_.size() / kSlotsOf8 * 5;
        for (const auto& slot : before) {
            if (slot.place_after != 0) Find(slot.number) = slot;
        }
    }

    std::vector<Slot> slots_;
    std::size_t size_ = 0, size_max_ = 0;
};

}  // namespace biwa
