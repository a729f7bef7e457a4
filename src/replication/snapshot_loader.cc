#include "replication/snapshot_loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "base/text.h"

namespace biwa {

namespace {

// The engine writes groups of 122,880 rows while they come. Of less, a slice's rows are kept,
// copied once more and written by one thread when it ends; so each reader should bring some groups.
constexpr std::int64_t kReaderRowsMin = 2 * 122'880;

// The rows of ranges that are handed out until the slice of time is over.
class SliceRows final : public RowSource {
  public:
    SliceRows(SnapshotReader& snapshot, const SourceTable& source,
              const std::vector<SnapshotRange>& ranges, const SnapshotOptions& options,
              std::atomic<std::int64_t>& rows_copied, std::stop_token stop)
        : snapshot_(snapshot),
          source_(source),
          ranges_(ranges),
          readers_(std::min(options.readers, ranges.size())),
          end_(std::chrono::steady_clock::now() + options.slice),
          end_of_few_(end_ + 4 * options.slice),
          rows_enough_(rows_copied + static_cast<std::int64_t>(readers_) * kReaderRowsMin),
          rows_copied_(rows_copied),
          stop_(std::move(stop)) {}

    const std::vector<Column>& columns() const override { return source_.columns.columns; }
    std::size_t threads_max() const override { return readers_; }
    std::size_t rows_estimate() const override {
        return static_cast<std::size_t>(std::max<std::int64_t>(1, source_.rows_estimate));
    }
    // What lies still in memory is of more use: the source's own, on the same machine.
    bool are_read_soon() const override { return false; }
    Result<std::unique_ptr<RowReader>> Open() override { return std::make_unique<Reader>(*this); }

    // How many of the ranges, from the front, were handed out; all of them are read to their ends
    // when the statement is through.
    std::size_t handed_out() const { return next_; }

  private:
    class Reader final : public RowReader {
      public:
        explicit Reader(SliceRows& rows) : rows_(rows) {}
        Result<std::size_t> Fill(RowBlock& block) override {
            for (;;) {
                if (rows_.stop_.stop_requested()) return Unavailable("stopped");
                if (!range_) {
                    const auto* range = rows_.NextRange();
                    if (range == nullptr) return std::size_t{0};
                    range_ = BIWA_TRY(rows_.snapshot_.Read(rows_.source_, *range));
                }
                const auto rows = BIWA_TRY(range_->Fill(block));
                if (rows > 0) {
                    rows_.rows_copied_ += static_cast<std::int64_t>(rows);
                    return rows;
                }
                range_.reset();
            }
        }

      private:
        SliceRows& rows_;
        std::unique_ptr<RowReader> range_;
    };

    const SnapshotRange* NextRange() {
        std::lock_guard lock(mutex_);
        if (next_ == ranges_.size()) return nullptr;
        const auto end = rows_copied_ < rows_enough_ ? end_of_few_ : end_;
        if (next_ > 0 && std::chrono::steady_clock::now() >= end) return nullptr;
        return &ranges_[next_++];
    }

    SnapshotReader& snapshot_;
    const SourceTable& source_;
    const std::vector<SnapshotRange>& ranges_;
    const std::size_t readers_;
    const std::chrono::steady_clock::time_point end_, end_of_few_;
    const std::int64_t rows_enough_;
    std::atomic<std::int64_t>& rows_copied_;
    const std::stop_token stop_;
    std::mutex mutex_;
    std::size_t next_ = 0;
};

}  // namespace

Status CopySlice(Warehouse& warehouse, const std::string& stream, SnapshotReader& snapshot,
                 const SourceTable& source, const TableName& target, StreamState::Table& table,
                 const SnapshotOptions& options, std::atomic<std::int64_t>& rows_copied,
                 std::stop_token stop) {
    std::string names;
    for (const auto& column : source.columns.columns) {
        names += (names.empty() ? "" : ", ") + QuoteIdentifier(column.name);
    }
    const auto before = rows_copied.load();
    const auto copy = [&]() -> Status {
        auto transaction = BIWA_TRY(warehouse.Begin());
        SliceRows rows(snapshot, source, table.ranges_left, options, rows_copied, stop);
        BIWA_TRY(transaction->ExecuteWith(
            fmt::format("INSERT INTO {} ({}) SELECT * FROM $rows", target.ToSql(), names),
            {{"rows", rows}}));
        const auto end = table.ranges_left.begin() + static_cast<std::ptrdiff_t>(rows.handed_out());
        BIWA_TRY(SaveRangesDone(*transaction, stream, table, {table.ranges_left.begin(), end}));
        BIWA_TRY(transaction->Commit());
        table.ranges_left.erase(table.ranges_left.begin(), end);
        return {};
    };
    auto copied = copy();
    if (!copied) rows_copied = before;
    return copied;
}

}  // namespace biwa
