// For tests: a warehouse with the table raw.t of a stream "s", and a source to be asked for its
// rows.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "replication/applier.h"
#include "replication/target_table.h"
#include "replication/testing.h"

namespace biwa::replication_testing {

// Answers for rows that are asked for by key, with the table as it is in the end.
class EndOfHistory final : public StreamSource {
  public:
    EndOfHistory(KeyShape shape, const Rows& rows, std::uint64_t head)
        : shape_(shape), rows_(rows), head_(head) {}

    Result<std::unique_ptr<RowReader>> ReadRows(
        const SourceTable& table, const std::vector<std::vector<std::string>>& keys) override {
        EXPECT_EQ(table.ToString(), "public.t");
        std::vector<Row> found;
        for (const auto& key : keys) {
            ++asked_for;
            for (const auto& [number, row] : rows_) {
                if (KeyTexts(shape_, number) == key) found.push_back(row);
            }
        }
        return std::make_unique<RowsReader>(shape_, std::move(found));
    }
    Result<Position> Head() override { return Position{head_, ""}; }

    // Not of an applier's world.
    Result<std::vector<SourceTable>> Tables(const std::vector<std::string>&, IfMissing) override {
        return UserError("no");
    }
    Status CheckStart() override { return UserError("no"); }
    Result<StreamStart> Start(const std::vector<SourceTable>&, bool) override {
        return UserError("no");
    }
    Status Publish(const std::vector<SourceTable>&) override { return UserError("no"); }
    Result<std::unique_ptr<SnapshotReader>> ResumeSnapshot() override { return UserError("no"); }
    Result<std::unique_ptr<ChangeSource>> Follow(const std::vector<FollowedTable>&, const Position&,
                                                 std::chrono::milliseconds) override {
        return UserError("no");
    }
    Result<std::string> CheckHistory(const std::string&, const Position&) override {
        return UserError("no");
    }
    Result<SourceProgress> Progress() override { return UserError("no"); }
    Status Remove() override { return UserError("no"); }

    int asked_for = 0;

  private:
    const KeyShape shape_;
    const Rows& rows_;
    const std::uint64_t head_;
};

struct World {
    explicit World(KeyShape key_shape, std::uint64_t overlap_until = 0, std::uint64_t head = 0)
        : World(key_shape, SchemaOf(key_shape), overlap_until, head) {}
    World(KeyShape key_shape, TableSchema columns, std::uint64_t overlap_until, std::uint64_t head)
        : shape(key_shape),
          schema(std::make_shared<const TableSchema>(std::move(columns))),
          source(key_shape, rows, head) {
        auto opened = OpenDuckDb({});
        EXPECT_TRUE(opened);
        warehouse = std::move(*opened);
        EXPECT_TRUE(PrepareStateTables(*warehouse));
        state.phase = StreamPhase::kStreaming;
        state.tables.push_back({.schema = "public", .name = "t"});
        state.tables[0].phase = TablePhase::kLive;
        state.tables[0].overlap_until = overlap_until;
        auto transaction = warehouse->Begin();
        EXPECT_TRUE(SavePhase(**transaction, "s", StreamPhase::kStreaming));
        EXPECT_TRUE(SaveTable(**transaction, "s", state.tables[0]));
        EXPECT_TRUE(PrepareTarget(**transaction, {"raw", "t"}, *schema));
        EXPECT_TRUE((*transaction)->Commit());
    }

    void Store(std::vector<Row> stored) {
        class Source final : public RowSource {
          public:
            Source(KeyShape shape, std::vector<Row> rows)
                : columns_(SchemaOf(shape).columns),
                  reader_(std::make_unique<RowsReader>(shape, std::move(rows))) {}
            const std::vector<Column>& columns() const override { return columns_; }
            std::size_t rows_estimate() const override { return 1; }
            Result<std::unique_ptr<RowReader>> Open() override { return std::move(reader_); }

          private:
            const std::vector<Column> columns_;
            std::unique_ptr<RowReader> reader_;
        };
        Source stored_source(shape, std::move(stored));
        auto transaction = warehouse->Begin();
        EXPECT_TRUE(
            (*transaction)
                ->ExecuteWith("INSERT INTO raw.t SELECT * FROM $rows", {{"rows", stored_source}}));
        EXPECT_TRUE((*transaction)->Commit());
    }

    std::unique_ptr<Applier> NewApplier() {
        return std::make_unique<Applier>(
            *warehouse, "s", state,
            [](const StreamState::Table& table) {
                return TableName{"raw", table.name};
            },
            source);
    }

    const KeyShape shape;
    const std::shared_ptr<const TableSchema> schema;
    Rows rows;  // as the source has them in the end
    EndOfHistory source;
    std::unique_ptr<Warehouse> warehouse;
    StreamState state;
};

}  // namespace biwa::replication_testing
