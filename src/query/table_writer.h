// Results as an aligned table for people at a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "query/sink.h"

namespace biwa {

// Cells of a terminal that UTF-8 text takes: two for East Asian wide and fullwidth characters, none
// for combining ones.
std::size_t DisplayWidth(std::string_view text);

// The text as far as it fits into `cells`, with "…" at its end where something was cut off.
std::string CutToWidth(std::string_view text, std::size_t cells);

// Numbers are right-aligned; a long value is cut and ends with "…"; NULL is shown as "NULL";
// control characters, which a terminal would obey, are shown as escapes. The widths come from the
// first kMeasuredRows rows, which wait in memory; later rows go out as they come, cut to those
// widths.
class TableSink final : public ResultSink {
  public:
    static constexpr std::size_t kMeasuredRows = 1000;
    static constexpr std::size_t kColumnWidthMax = 60;

    explicit TableSink(ByteOutput output) : output_(std::move(output)) {}

    Status Begin(const std::vector<Column>& columns) override;
    Status Block(const RowBlock& block) override;
    Status End(const QueryStats& stats) override;

  private:
    void WriteHead();
    void WriteRow(const std::vector<std::string>& row);
    Status Flush();

    ByteOutput output_;
    std::vector<Column> columns_;
    std::vector<std::size_t> widths_;
    std::vector<std::vector<std::string>> waiting_;
    bool measured_ = false;
    std::string buffer_;
};

}  // namespace biwa
