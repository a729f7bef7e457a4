// A range of a table's keys.
#pragma once

#include <string>
#include <vector>

#include "base/text.h"

namespace biwa {

// Both ends belong to it. Each is the texts of the key's first columns; without any there is no
// end. Keys are in the order of their type; those that the warehouse has as text (numbers without
// a precision too) in that of the text's bytes.
struct KeyRange {
    std::vector<std::string> from;
    std::vector<std::string> to;
};

// As a condition: `columns`, `from` and `to` in SQL.
inline std::string InRange(const std::vector<std::string>& columns,
                           const std::vector<std::string>& from,
                           const std::vector<std::string>& to) {
    std::string condition;
    const auto add = [&](const char* compared, const std::vector<std::string>& end) {
        if (end.empty()) return;
        const std::vector<std::string> named(
            columns.begin(), columns.begin() + static_cast<std::ptrdiff_t>(end.size()));
        if (!condition.empty()) condition += " AND ";
        condition += "(" + Join(named, ", ") + ") " + compared + " (" + Join(end, ", ") + ")";
    };
    add(">=", from);
    add("<=", to);
    return condition.empty() ? "true" : condition;
}

}  // namespace biwa
