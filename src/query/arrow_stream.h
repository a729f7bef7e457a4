// Results as an Arrow IPC stream (arrow.apache.org/docs/format/Columnar.html, "Serialization and
// Interprocess Communication").
//
// Columns: BOOLEAN bool, SMALLINT int16, INTEGER int32, BIGINT int64, FLOAT float32, DOUBLE
// float64, DECIMAL decimal128, HUGEINT decimal128(38,0), VARCHAR and JSON utf8, BLOB binary, DATE
// date32, TIME time64[us], TIMESTAMP timestamp[us], with time zone timestamp[us, "UTC"], INTERVAL
// and UUID their text as utf8, lists list. Arrow has no infinite dates: they keep their number, the
// largest or the smallest but one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "query/arrow_columns.h"
#include "query/sink.h"

namespace biwa {

// Small blocks are joined to batches: kBatchRows rows or about kBatchBytes, whichever is first.
class ArrowSink final : public ResultSink {
  public:
    static constexpr std::size_t kBatchRows = 64 << 10;
    static constexpr std::size_t kBatchBytes = 8 << 20;

    explicit ArrowSink(ByteOutput output) : output_(std::move(output)) {}

    Status Begin(const std::vector<Column>& columns) override;
    Status Block(const RowBlock& block) override;
    Status End(const QueryStats& stats) override;

    // Nothing has gone to the output yet. The schema goes out with the first batch.
    bool silent() const { return silent_; }

  private:
    Status FlushBatch();

    ByteOutput output_;
    std::vector<Column> columns_;
    std::vector<ArrowColumn> batch_;
    std::size_t rows_ = 0;
    std::string schema_;  // the message, until it is sent
    bool silent_ = true;
};

}  // namespace biwa
