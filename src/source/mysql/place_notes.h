// What was read of a binary log before a place in it and bears on what comes after that: whoever
// goes on from there has not read it, and cannot ask for it.
//
// As text, behind the place's own: " gone=app.t new=app.u:c,d! asked=1764100000:app.t,app.u!".
// - `gone`: tables of the stream that were dropped, should CREATE TABLE IF NOT EXISTS make them
// anew.
// - `new`: columns that came since their table's last change, "!" behind those whose default has
//   changed since.
// - `asked`: the catalogue was asked in that second (of the server's clock) for what rows of these
//   tables mean or, "!" behind them, only for what a column that came put into the rows that were
//   there. An ALTER from before, which the log has further on, may have been in the answer.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace biwa::mysql {

using TableName = std::pair<std::string, std::string>;  // schema and name
using TableNames = std::set<TableName>;

struct PlaceNotes {
    TableNames gone;
    // By the column's name in small letters: whether its default may be another by now than what
    // the rows got that were there.
    std::map<TableName, std::map<std::string, bool>> added;
    // The last of these questions to the catalogue, and the tables: whether it was asked only for
    // what a new column has in rows that were there.
    std::int64_t asked_s = 0;
    std::map<TableName, bool> asked_for;

    // "" where there is nothing.
    std::string ToString() const;
    // Takes what ToString wrote from the end of `text`; false where that is something else.
    static bool Take(std::string_view& text, PlaceNotes& notes);
};

// The value behind `name` at the end of `text`, both of which it takes from there.
std::optional<std::string_view> TakeValue(std::string_view& text, std::string_view name);

// "app.t,app.u"; what separates names from one another is written as %20 in them.
std::string NamesText(const TableNames& tables);
bool ParseNames(std::string_view text, TableNames& tables);

}  // namespace biwa::mysql
