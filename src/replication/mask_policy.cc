#include "replication/mask_policy.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "replication/masking.h"

namespace biwa {

namespace {

// Whether a text is what a pattern with any number of * stands for.
bool MatchesWildcards(std::string_view pattern, std::string_view text) {
    std::size_t p = 0, t = 0;
    std::size_t star = std::string_view::npos, resume = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            resume = t;
        } else if (p < pattern.size() && pattern[p] == text[t]) {
            ++p;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

bool HasWildcard(const std::string& columns) { return columns.find('*') != std::string::npos; }

std::string Show(const std::optional<Mask>& mask) { return mask ? ToString(*mask) : "clear"; }

}  // namespace

bool Covers(const std::string& columns, const SourceTable& table, const std::string& column) {
    if (MatchesWildcards(columns, table.ToString() + "." + column)) return true;
    return table.schema == "public" && MatchesWildcards(columns, table.name + "." + column);
}

bool IsNamed(const MaskPolicy& policy, const SourceTable& table, const std::string& column) {
    const auto covers = [&](const std::string& columns) { return Covers(columns, table, column); };
    return std::any_of(policy.masks.begin(), policy.masks.end(),
                       [&](const MaskPolicy::Rule& rule) { return covers(rule.columns); }) ||
           std::any_of(policy.clear.begin(), policy.clear.end(), covers);
}

Result<std::optional<Mask>> FindMask(const MaskPolicy& policy, const SourceTable& table,
                                     const std::string& column) {
    struct Found {
        const std::string* columns;
        std::optional<Mask> mask;  // nothing: clear
    };
    std::vector<Found> own, with_wildcard;
    const auto look = [&](const std::string& columns, const std::optional<Mask>& mask) {
        if (!Covers(columns, table, column)) return;
        (HasWildcard(columns) ? with_wildcard : own).push_back({&columns, mask});
    };
    for (const auto& rule : policy.masks) look(rule.columns, rule.mask);
    for (const auto& columns : policy.clear) look(columns, std::nullopt);
    const auto& found = own.empty() ? with_wildcard : own;
    for (const auto& other : found) {
        if (other.mask == found.front().mask) continue;
        return UserError(
            fmt::format("column {}.{} is {} by \"{}\" and {} by \"{}\"", table.ToString(), column,
                        Show(found.front().mask), *found.front().columns, Show(other.mask),
                        *other.columns),
            own.empty() ? "Name the column itself: that counts." : "Leave one of them.");
    }
    if (!found.empty()) return found.front().mask;
    if (policy.by_default) return std::optional(Mask{MaskKind::kNull, 0});
    return std::optional<Mask>();
}

std::string MaskText(const MaskPolicy& policy, const Mask& mask) {
    if (mask.kind != MaskKind::kHash) return ToString(mask);
    std::string hex(KeyedHash::kHexBytes, ' ');
    KeyedHash(policy.key).Hex("which key is this?", hex.data());
    return fmt::format("hash by {} ({})", policy.key_reference, hex.substr(0, 8));
}

std::vector<LostMask> FindLostMasks(const MaskPolicy& policy,
                                    const std::vector<SourceTable>& tables) {
    std::vector<LostMask> lost;
    std::vector<std::string> names;
    for (const auto& rule : policy.masks) names.push_back(rule.columns);
    names.insert(names.end(), policy.clear.begin(), policy.clear.end());
    for (const auto& name : names) {
        if (HasWildcard(name)) continue;
        const SourceTable* of = nullptr;
        bool is_there = false;
        std::vector<std::string> candidates;
        for (const auto& table : tables) {
            const auto begins = [&](const std::string& full) {
                return name.starts_with(full + ".");
            };
            const bool is_plain = table.schema == "public" && !begins(table.ToString());
            if (begins(table.ToString()) || (is_plain && begins(table.name))) of = &table;
            for (const auto& column : table.columns.columns) {
                is_there = is_there || Covers(name, table, column.name);
                candidates.push_back((table.schema == "public" ? table.name : table.ToString()) +
                                     "." + column.name);
                if (table.schema == "public") {
                    candidates.push_back(table.ToString() + "." + column.name);
                }
            }
        }
        if (is_there) continue;
        const auto meant = DidYouMean(name, candidates);
        lost.push_back({name, of,
                        meant.empty() ? "Take it out, or write it as the source does."
                                      : fmt::format("Did you mean \"{}\"?", meant)});
    }
    return lost;
}

}  // namespace biwa
