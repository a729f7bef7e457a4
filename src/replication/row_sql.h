// Pieces of the warehouse's SQL about rows and their keys.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/rows.h"
#include "model/table.h"

namespace biwa {

// "a"."x", "a"."y"
std::string QuotedList(const std::vector<Column>& columns, std::string_view prefix = "");
std::string KeyList(const TableSchema& columns, std::string_view prefix = "");
std::vector<Column> KeyColumns(const TableSchema& columns);

// "a.id = b.id AND …"
std::string OnKey(const TableSchema& columns, std::string_view a, std::string_view b);

// Behind "FROM rows AS a": without those whose key is none of the table's; what a source gives for
// some keys may be of others (StreamSource::ReadRows).
std::string OnlyKeys(const TableSchema& columns, std::string_view a, std::string_view keys);

// The value as text that the source reads too.
std::string AsText(const Column& column);
// The value of such a text.
std::string FromText(const Column& column, const std::string& text);

// What a reader gives, as a source of rows that is read once.
class ReaderSource final : public RowSource {
  public:
    ReaderSource(const std::vector<Column>& columns, std::unique_ptr<RowReader> reader)
        : columns_(columns), reader_(std::move(reader)) {}
    const std::vector<Column>& columns() const override { return columns_; }
    std::size_t rows_estimate() const override { return 1; }
    Result<std::unique_ptr<RowReader>> Open() override;

  private:
    const std::vector<Column>& columns_;
    std::unique_ptr<RowReader> reader_;
};

}  // namespace biwa
