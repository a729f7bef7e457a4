#include "model/mask.h"

#include <array>
#include <charconv>

namespace biwa {

namespace {

struct Name {
    MaskKind kind;
    std::string_view name;
};
constexpr std::array<Name, 6> kNames = {{{MaskKind::kDrop, "drop"},
                                         {MaskKind::kNull, "null"},
                                         {MaskKind::kHash, "hash"},
                                         {MaskKind::kEmail, "email"},
                                         {MaskKind::kYear, "year"},
                                         {MaskKind::kMonth, "month"}}};
constexpr std::string_view kTruncate = "truncate ";

}  // namespace

std::optional<Mask> ParseMask(std::string_view text) {
    for (const auto& [kind, name] : kNames) {
        if (text == name) return Mask{kind, 0};
    }
    if (text.substr(0, kTruncate.size()) != kTruncate) return std::nullopt;
    text.remove_prefix(kTruncate.size());
    Mask mask{MaskKind::kTruncate, 0};
    const auto* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, mask.characters);
    const bool is_good = parsed.ec == std::errc() && parsed.ptr == end && mask.characters >= 1 &&
                         mask.characters <= kTruncateCharactersMax;
    return is_good ? std::optional(mask) : std::nullopt;
}

std::string ToString(const Mask& mask) {
    for (const auto& [kind, name] : kNames) {
        if (mask.kind == kind) return std::string(name);
    }
    return std::string(kTruncate) + std::to_string(mask.characters);
}

const std::vector<std::string>& MaskNames() {
    static const std::vector<std::string> names = {"drop", "null",  "hash",      "email",
                                                   "year", "month", "truncate N"};
    return names;
}

}  // namespace biwa
