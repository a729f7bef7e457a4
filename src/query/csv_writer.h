// Results as CSV (RFC 4180, but lines end with "\n"): a line of column names, then the rows. A text
// is quoted where it must be; NULL is an empty field and an empty text is "".
#pragma once

#include <string>
#include <vector>

#include "query/sink.h"

namespace biwa {

class CsvSink final : public ResultSink {
  public:
    explicit CsvSink(ByteOutput output) : output_(std::move(output)) {}

    Status Begin(const std::vector<Column>& columns) override;
    Status Block(const RowBlock& block) override;
    Status End(const QueryStats& stats) override;

  private:
    Status Flush();

    ByteOutput output_;
    std::string buffer_;
    std::string cell_;
};

}  // namespace biwa
