// What is done to the values of a column before anything of them is kept.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace biwa {

enum class MaskKind {
    kDrop,      // the column is left out
    kNull,      // every value is NULL
    kHash,      // HMAC-SHA-256 of the value's text, in hex
    kTruncate,  // the first characters
    kEmail,     // *** and what stands behind the last @
    kYear,      // the first day of the year
    kMonth,     // the first day of the month
};

struct Mask {
    MaskKind kind = MaskKind::kNull;
    int characters = 0;  // kTruncate

    friend bool operator==(const Mask&, const Mask&) = default;
};

inline constexpr int kTruncateCharactersMax = 1000;

// As it stands in a project file: "drop", "truncate 3". Nothing when it is no mask.
std::optional<Mask> ParseMask(std::string_view text);
std::string ToString(const Mask& mask);
// What ParseMask reads, for people; "truncate N" among them.
const std::vector<std::string>& MaskNames();

}  // namespace biwa
