// Tables as every part sees them: names, columns, keys.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/type.h"

namespace biwa {

// A table or view of the warehouse: dataset and name.
struct TableName {
    std::string dataset;
    std::string name;

    std::string ToString() const { return dataset + "." + name; }
    std::string ToSql() const;  // "dataset"."name"
    friend auto operator<=>(const TableName&, const TableName&) = default;
};

struct Column {
    std::string name;
    Type type;
    bool nullable = true;
    // Why the warehouse's type is not quite the source's; empty when it is.
    std::string note;
    // What rows from before the column was added have in it, as text that casts to the type;
    // nothing when they have NULL.
    std::optional<std::string> fill = {};
    // How its values were masked before they came here, as text for people; empty when they are
    // as the source has them. The warehouse keeps it with the column.
    std::string mask = {};
    // They may have something that `fill` cannot tell: should the column be new, rows that were
    // there before have to be read again.
    bool fill_unknown = false;
    // Most values stand in one row only, or two, by what the source counts of its tables. A hint,
    // and false where it does not count.
    bool seldom_repeats = false;
    // Tells the column from another that had its name before or has it later; 0: not known.
    std::int32_t number = 0;
    // Where masks are: its place among the columns that the source has, from 1, and the type that
    // it has there, in the warehouse's words.
    std::int32_t place = 0;
    std::string type_at_source = {};

    friend bool operator==(const Column& a, const Column& b) {
        return a.name == b.name && a.type == b.type;
    }
};

// How the warehouse stores texts that seldom repeat. All others are as its engine chooses.
enum class TextStorage {
    kCompressed,
    kPlain,  // written and read faster, in about twice the space
};

struct TableSchema {
    std::vector<Column> columns;
    // Positions in columns of what tells rows apart, in key order.
    std::vector<std::size_t> key;
    // Rows may be alike: the key is then all columns, and NULLs are in it.
    bool key_repeats = false;
    // Rows may go without a change that says so: the key of an insert may be here still.
    bool rows_vanish = false;
    // Columns of the source that a mask drops. Nothing of them is here but what they are known by.
    std::vector<Column> withheld = {};

    std::optional<std::size_t> Find(std::string_view column) const;
    std::vector<std::string> ColumnNames() const;
};

}  // namespace biwa
