// What the warehouse knows of a dataset's tables as their sources had them when they were read
// last: by that a masked column is found under whatever name it has now.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/table.h"
#include "replication/mask_policy.h"
#include "replication/target_table.h"
#include "source/source.h"
#include "warehouse/warehouse.h"

namespace biwa {

// What the warehouse says of the dataset's columns.
Result<MaskRecord> ReadMaskRecord(Warehouse& warehouse, const std::string& dataset);

// A column of the source, as it was then.
struct BookedColumn {
    std::string name;
    std::int32_t number = 0;  // Column::number
    std::int32_t place = 0;   // Column::place
    std::string type = {};    // Column::type_at_source
    std::string mask = {};    // as people write it: "truncate 3"; empty of one that was clear
    bool is_here = true;      // and not dropped by its mask
};

// Whether what was masked in the one way would show more in the other.
bool ShowsMore(const std::string& was, const std::string& now);

struct MaskBooks {
    MaskRecord record;
    // Of each target its columns in the order of their places, those that a mask drops too; by its
    // name, in small letters.
    std::map<std::string, std::vector<BookedColumn>> columns;
    // The tables of all streams, by what they would be called in the dataset, in small letters.
    std::map<std::string, SourceTable> stream_tables;
    // Targets, in small letters, of tables whose changes the stream follows, so that it reads in
    // the log what has become of their columns.
    std::map<std::string, bool> is_followed;
    // What masked columns of tables that are not followed were called meanwhile, by
    // SourceTable::id: name, number and mask.
    std::map<std::string, std::vector<BookedColumn>> heard;

    // `stream`: whose tables these are; "" where none is to be taken as followed.
    static Result<MaskBooks> Read(Warehouse& warehouse, const TargetDataset& dataset,
                                  const std::string& stream);

    // Null where nothing is known.
    const std::vector<BookedColumn>* Find(const TableName& target) const;
    bool IsFollowed(const TableName& target) const;
};

// Columns that would be clear now, or masked otherwise, one of which may be one that was masked.
struct MaskDoubt {
    std::string masked;  // as it was called
    std::vector<std::string> now;
};

// For tables of sources that do not number their columns. `masks`: one a column of `now`, as in
// BookedColumn.
//
// Where what has gone is known to have gone: columns that have exchanged their names stand in
// another order than before. So do those that were moved, and nobody can tell the one from the
// other.
std::optional<MaskDoubt> FindExchanged(const std::vector<BookedColumn>& before,
                                       const std::vector<Column>& now,
                                       const std::vector<std::string>& masks);
// Where a column has gone, its name at least, and others may have got the names that they have by
// that: those that would show more and stand, by order and types, where a masked one may have come
// to, new ones too. What was moved, or got another type at the same time, is not thought of.
std::optional<MaskDoubt> FindSuccessors(const std::vector<BookedColumn>& before,
                                        const std::vector<Column>& now,
                                        const std::vector<std::string>& masks);

}  // namespace biwa
