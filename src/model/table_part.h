// What of a table is copied, where it is not all of it.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace biwa {

struct TablePart {
    std::vector<std::string> columns;  // sorted; none: all
    std::string where;                 // in the source's SQL, true of the rows; empty: all

    bool empty() const { return columns.empty() && where.empty(); }
    // For people and for comparing: "columns id, name; where id < 10". Empty when it is all.
    std::string ToString() const {
        std::string text;
        for (const auto& column : columns) text += (text.empty() ? "columns " : ", ") + column;
        if (!where.empty()) text += (text.empty() ? "where " : "; where ") + where;
        return text;
    }
    friend bool operator==(const TablePart&, const TablePart&) = default;
};

// By the table's name at the source, "schema.table". Tables that are not among them are copied
// whole.
using TableParts = std::map<std::string, TablePart>;

}  // namespace biwa
