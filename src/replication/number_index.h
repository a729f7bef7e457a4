// Which place each of a set of whole numbers has: the keys of changes that are folded.
//
// Waiting for memory is what folding costs. New rows mostly have the numbers after those of the
// rows before them, so numbers that come one after another, beyond all others, are one run: its
// first, and how many. All others are in a hash table, where four that follow one another share a
// line of the processor's cache, as rows mostly change, too, in the order of their keys; and where
// a number can be asked for some rows before it is looked up.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace biwa {

class NumberIndex {
  public:
    // The place of `number`: `next` where it is new, which it then has.
    std::uint32_t PlaceOf(std::uint64_t number, std::uint32_t next) {
        if (is_beyond(number)) {
            Append(number, next);
            return next;
        }
        if (const auto* run = RunOf(number)) return run->place + Offset(*run, number);
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
        if (size_ == 0 || is_beyond(number)) return;
        if (!runs_.empty() && number >= runs_.back().first) return;
        __builtin_prefetch(&slots_[Home(number)]);
    }
    // Its memory serves again.
    void Clear() {
        if (size_ > 0) std::fill(slots_.begin(), slots_.end(), Slot());
        size_ = 0;
        runs_.clear();
        has_runs_ = true;
    }

  private:
    struct Slot {
        std::uint64_t number = 0;
        std::uint32_t place_after = 0;  // 0: free
    };
    // Numbers one after another, whose places are so too.
    struct Run {
        std::uint64_t first = 0;
        std::uint32_t place = 0;
        std::uint32_t count = 0;
    };
    static constexpr std::size_t kFirstSlots = 64;
    static constexpr std::size_t kSlotsOf8 = 8;  // for five numbers at the most
    // More than stay in the processor's cache are worth less than the hash table.
    static constexpr std::size_t kRunsMax = 4096;

    static std::uint32_t Offset(const Run& run, std::uint64_t number) {
        return static_cast<std::uint32_t>(number - run.first);
    }
    // Beyond all that were looked up: it cannot be in the hash table.
    bool is_beyond(std::uint64_t number) const {
        if (!has_runs_) return false;
        if (runs_.empty()) return true;
        const auto& last = runs_.back();
        return number >= last.first && number - last.first >= last.count;
    }
    void Append(std::uint64_t number, std::uint32_t next) {
        if (!runs_.empty()) {
            auto& last = runs_.back();
            if (number - last.first == last.count && next == last.place + last.count) {
                ++last.count;
                return;
            }
        }
        runs_.push_back({number, next, 1});
        if (runs_.size() > kRunsMax) GiveUpRuns();
    }
    const Run* RunOf(std::uint64_t number) const {
        if (runs_.empty()) return nullptr;
        const auto* run = &runs_.back();
        if (number < run->first) {
            const auto after = std::upper_bound(
                runs_.begin(), runs_.end(), number,
                [](std::uint64_t one, const Run& other) { return one < other.first; });
            if (after == runs_.begin()) return nullptr;
            run = &*(after - 1);
        }
        return number - run->first < run->count ? run : nullptr;
    }
    void GiveUpRuns() {
        has_runs_ = false;
        for (const auto& run : runs_) {
            for (std::uint32_t i = 0; i < run.count; ++i) {
                if (size_ >= size_max_) Grow(2 * slots_.size());
                Find(run.first + i) = {run.first + i, run.place + i + 1};
                ++size_;
            }
        }
        runs_.clear();
    }

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

    std::vector<Run> runs_;  // ascending
    bool has_runs_ = true;
    std::vector<Slot> slots_;
    std::size_t size_ = 0, size_max_ = 0;  // of the hash table
};

}  // namespace biwa
