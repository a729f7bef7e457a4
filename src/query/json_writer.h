// Results as JSON: {"columns": [{"name", "type"}], "rows": [[…]], "row_count", "truncated",
// "seconds"}.
//
// A number is a JSON number where JavaScript reads it back without loss: integers within ±2^53 and
// finite floats. Larger integers and all decimals are strings of digits; NaN and the infinities are
// the strings "NaN", "Infinity", "-Infinity". Dates and times are ISO text, bytes base64, lists
// arrays; the text of a JSON column stays text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "query/sink.h"

namespace biwa {

// `text` is UTF-8; what is not comes out as U+FFFD, so that the result is always JSON.
void AppendJsonString(std::string_view text, std::string& out);
void AppendJsonCell(const Cells& cells, std::size_t row, std::string& out);
// [{"name": …, "type": …}, …]
void AppendJsonColumns(const std::vector<Column>& columns, std::string& out);
// [cell, …],[cell, …] without what stands around the rows
void AppendJsonRows(const RowBlock& block, std::string& out);
// {"kind": "user", "message": …, "hint": … or null}
std::string ErrorToJson(const Error& error);

class JsonSink final : public ResultSink {
  public:
    explicit JsonSink(ByteOutput output) : output_(std::move(output)) {}

    Status Begin(const std::vector<Column>& columns) override;
    Status Block(const RowBlock& block) override;
    Status End(const QueryStats& stats) override;

    // Nothing has gone to the output yet, so an error can still be told in another way.
    bool silent() const { return silent_; }
    // Closes what was begun with "error" in place of "row_count" and the rest.
    Status EndWith(const Error& error);

  private:
    Status Flush();

    ByteOutput output_;
    std::string buffer_;
    bool silent_ = true;
    bool first_row_ = true;
};

}  // namespace biwa
