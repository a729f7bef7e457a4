// Which of a table's columns those of a change are that was made before the catalogue was read.
//
// What is sent of a table has the names and types of then, and no numbers. But it has all columns
// of then, in the order of their numbers, and a number is never given again. So each column of
// today's whose number is no greater than that of one that was there, was there too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "model/table.h"

namespace biwa::postgres {

struct ColumnPlace {
    std::optional<std::size_t> column;  // of today's
    bool is_gone = false;               // dropped since; if neither, nothing is certain
};

// For each of the columns of then. `known` are today's, by number; `same_type` compares one of then
// with one of today's. A name counts only where no number of today's tells: after a column that was
// dropped, whenever that was.
std::vector<ColumnPlace> PlaceColumns(
    const std::vector<std::string>& names, const TableSchema& known,
    const std::function<bool(std::size_t, std::size_t)>& same_type);

// Whether the i-th column of then can be that of today's which is at `place` and has `number`, by
// their counts alone: all of today's before it were there, and of those that have gone since no
// more than there are numbers between. One of today's may have the name of one that has gone.
inline bool MayBe(std::size_t i, std::size_t place, std::int32_t number) {
    return place <= i && i < static_cast<std::size_t>(number);
}

// Which of today's columns each of those of then may be, by all that people do: some of today's,
// by their places among `known`. Where the names that are left stand in the order that they had,
// each is the column that has its name. One whose name has gone may have got another name, and that
// of a neighbour that was dropped for it. Else whatever the counts and types allow.
std::vector<std::vector<std::size_t>> MayBePlaces(
    const std::vector<std::string>& names, const TableSchema& known,
    const std::function<bool(std::size_t, std::size_t)>& same_type);

}  // namespace biwa::postgres
