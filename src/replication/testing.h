// For tests: a source in this process, whose table's history is a list of changes.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "replication/applier.h"
#include "replication/target_table.h"
#include "source/source.h"
#include "warehouse/duckdb/duckdb_warehouse.h"
#include "warehouse/warehouse.h"

namespace biwa::replication_testing {

// The table's key; a row's key is a small number, shown in one of these ways.
enum class KeyShape { kInt, kText, kComposite, kDouble, kDecimal, kList };

struct Row {
    int key = 0;
    std::int64_t id = 0;  // of the row for all its life
    std::string text;     // "" is NULL
    std::string large;    // what a change may leave out; "" is NULL
};
using Rows = std::map<int, Row>;

struct Change {
    enum class Kind { kInsert, kUpdate, kDelete, kTruncate };
    Kind kind = Kind::kInsert;
    int old_key = 0;  // of updates and deletes
    Row row;
    bool large_left_out = false;
};

inline TableSchema SchemaOf(KeyShape shape) {
    TableSchema schema;
    const auto key = [&](const char* name, Type type) {
        schema.key.push_back(schema.columns.size());
        schema.columns.push_back({name, std::move(type), false, ""});
    };
    if (shape == KeyShape::kInt) key("key", {TypeId::kInt32});
    if (shape == KeyShape::kText) key("Key \"1\"", {TypeId::kText});
    if (shape == KeyShape::kDouble) key("key", {TypeId::kDouble});
    if (shape == KeyShape::kDecimal) key("key", Type::Decimal(20, 2));
    if (shape == KeyShape::kList) key("key", Type::List({TypeId::kInt32}));
    if (shape == KeyShape::kComposite) {
        key("a", {TypeId::kText});
        key("b", {TypeId::kInt16});
    }
    schema.columns.push_back({"k", {TypeId::kInt32}, true, ""});
    schema.columns.push_back({"id", {TypeId::kInt64}, true, ""});
    schema.columns.push_back({"text", {TypeId::kText}, true, ""});
    schema.columns.push_back({"large", {TypeId::kText}, true, ""});
    return schema;
}

// How the warehouse writes the key as text.
inline std::vector<std::string> KeyTexts(KeyShape shape, int key) {
    if (shape == KeyShape::kComposite) {
        return {fmt::format("the key's first part {}", key / 4), fmt::format("{}", key % 4)};
    }
    if (shape == KeyShape::kText) return {fmt::format("鍵の番号は{}'", key)};
    return {fmt::format("{}", key)};
}

template <typename Copy>
void SetKey(KeyShape shape, int key, std::vector<Cells*> cells, std::size_t row, const Copy& copy) {
    const auto texts = KeyTexts(shape, key);
    switch (shape) {
        case KeyShape::kInt:
            return cells[0]->Set<std::int32_t>(row, key);
        case KeyShape::kText:
            return cells[0]->Set(row, copy(texts[0]));
        case KeyShape::kComposite:
            cells[0]->Set(row, copy(texts[0]));
            return cells[1]->Set(row, static_cast<std::int16_t>(key % 4));
        case KeyShape::kDouble:
            // Zero in both of its forms.
            return cells[0]->Set(row, key == 0 && row % 2 == 1 ? -0.0 : key / 2.0);
        case KeyShape::kDecimal:
            return cells[0]->Set(row, Int128{static_cast<std::uint64_t>(key) * 100, 0});
        case KeyShape::kList: {
            const auto at = cells[0]->child_size;
            auto& child = cells[0]->owner->GrowChild(*cells[0], at + 2);
            child.Set<std::int32_t>(at, key);
            child.SetNull(at + 1);
            return cells[0]->Set(row, ListCell{at, 2});
        }
    }
}

template <typename Copy>
void SetText(const std::string& text, Cells& cells, std::size_t row, const Copy& copy) {
    if (text.empty()) {
        cells.SetNull(row);
    } else {
        cells.Set(row, copy(text));
    }
}

template <typename CellsOf, typename Copy>
void SetRow(KeyShape shape, const TableSchema& schema, const Row& from, const CellsOf& cells,
            std::size_t row, const Copy& copy) {
    std::vector<Cells*> key;
    for (std::size_t i = 0; i < schema.key.size(); ++i) key.push_back(&cells(i));
    SetKey(shape, from.key, key, row, copy);
    const auto next = schema.key.size();
    cells(next).template Set<std::int32_t>(row, from.key);
    cells(next + 1).template Set<std::int64_t>(row, from.id);
    SetText(from.text, cells(next + 2), row, copy);
    SetText(from.large, cells(next + 3), row, copy);
}

// Changes as a source gives them; a truncate begins a new part.
inline std::vector<TableChanges> PartsOf(KeyShape shape, const std::vector<Change>& changes,
                                         std::shared_ptr<const TableSchema> schema,
                                         std::uint64_t commit = 1, std::uint64_t sequence = 0) {
    std::vector<TableChanges> parts;
    const auto add_part = [&] {
        auto& part = parts.emplace_back();
        part.schema = "public";
        part.name = "t";
        part.columns = schema;
        part.rows = RowStore(schema->columns);
        std::vector<Column> key;
        for (const auto column : schema->key) key.push_back(schema->columns[column]);
        part.old_keys = RowStore(key);
    };
    add_part();
    for (const auto& change : changes) {
        if (change.kind == Change::Kind::kTruncate) {
            add_part();
            parts.back().truncated_first = true;
            parts.back().truncated_at = {commit, static_cast<Micros>(commit), ++sequence};
            continue;
        }
        auto& part = parts.back();
        const auto row = part.rows.AddRow();
        const auto copy = [&](const std::string& text) { return part.rows.arena().Copy(text); };
        const auto cells = [&](std::size_t i) -> Cells& { return part.rows.cells(i); };
        auto values = change.row;
        if (change.kind == Change::Kind::kDelete) values = {change.old_key, 0, "", ""};
        if (change.large_left_out) values.large = "";
        SetRow(shape, *schema, values, cells, row, copy);
        const auto row32 = static_cast<std::uint32_t>(row);
        if (change.large_left_out) {
            part.unchanged.push_back(
                {row32, static_cast<std::uint32_t>(schema->columns.size() - 1)});
        }
        if (change.kind == Change::Kind::kUpdate && change.old_key != change.row.key) {
            const auto old_row = part.old_keys.AddRow();
            std::vector<Cells*> key;
            for (std::size_t i = 0; i < schema->key.size(); ++i) {
                key.push_back(&part.old_keys.cells(i));
            }
            SetKey(shape, change.old_key, key, old_row,
                   [&](const std::string& text) { return part.old_keys.arena().Copy(text); });
            part.key_changes.push_back({row32, static_cast<std::uint32_t>(old_row)});
        }
        part.kinds.push_back(change.kind == Change::Kind::kInsert   ? ChangeKind::kInsert
                             : change.kind == Change::Kind::kUpdate ? ChangeKind::kUpdate
                                                                    : ChangeKind::kDelete);
        part.SetOrigin({commit, static_cast<Micros>(commit), ++sequence});
    }
    return parts;
}

inline ChangeBatch BatchOf(KeyShape shape, const std::vector<Change>& changes,
                           std::shared_ptr<const TableSchema> schema,
                           std::optional<std::uint64_t> commit) {
    ChangeBatch batch;
    batch.tables = PartsOf(shape, changes, std::move(schema), commit.value_or(1));
    batch.changes = changes.size();
    for (const auto& part : batch.tables) batch.bytes += part.rows.bytes();
    if (commit) batch.commit = Position{*commit, fmt::format("{}", *commit)};
    batch.commit_time = static_cast<Micros>(commit.value_or(1));
    batch.commits = commit ? 1 : 0;
    return batch;
}

// Makes histories that a database could have had: keys are unique at every moment.
class History {
  public:
    explicit History(std::uint64_t seed, int keys = 12) : random_(seed), keys_(keys) {}

    Change Next() {
        Change change;
        const auto dice = Roll(100);
        if (rows_.empty() || (dice < 30 && static_cast<int>(rows_.size()) < keys_)) {
            change.row = {FreeKey(), next_id_++, NewText(), NewText()};
        } else if (dice < 50) {
            change.kind = Change::Kind::kDelete;
            change.old_key = UsedKey();
        } else if (dice < 52) {
            change.kind = Change::Kind::kTruncate;
        } else {
            change.kind = Change::Kind::kUpdate;
            change.old_key = UsedKey();
            change.row = rows_[change.old_key];
            change.row.text = NewText();
            if (dice < 75) {
                change.large_left_out = !change.row.large.empty();
            } else {
                change.row.large = NewText();
            }
            if (dice % 3 == 0 && static_cast<int>(rows_.size()) < keys_) change.row.key = FreeKey();
        }
        Apply(change, rows_);
        return change;
    }

    static void Apply(const Change& change, Rows& rows) {
        if (change.kind == Change::Kind::kTruncate) rows.clear();
        if (change.kind == Change::Kind::kDelete || change.kind == Change::Kind::kUpdate) {
            rows.erase(change.old_key);
        }
        if (change.kind == Change::Kind::kInsert || change.kind == Change::Kind::kUpdate) {
            rows[change.row.key] = change.row;
        }
    }

    int Roll(int sides) { return static_cast<int>(random_() % static_cast<unsigned>(sides)); }
    const Rows& rows() const { return rows_; }

  private:
    std::string NewText() {
        if (Roll(5) == 0) return "";
        const auto* prefix = Roll(2) == 0 ? "" : "a text of more than twelve bytes, ";
        return prefix + std::to_string(random_());
    }
    int FreeKey() {
        for (;;) {
            const int key = Roll(keys_);
            if (!rows_.contains(key)) return key;
        }
    }
    int UsedKey() {
        auto row = rows_.begin();
        std::advance(row, Roll(static_cast<int>(rows_.size())));
        return row->first;
    }

    std::mt19937_64 random_;
    const int keys_;
    Rows rows_;
    std::int64_t next_id_ = 1;
};

inline std::string Line(int key, std::int64_t id, std::string_view text, std::string_view large) {
    return fmt::format("{} {} {} {}", key, id, text, large);
}
inline std::vector<std::string> Lines(const Rows& rows) {
    std::vector<std::string> lines;
    for (const auto& [key, row] : rows) lines.push_back(Line(key, row.id, row.text, row.large));
    std::sort(lines.begin(), lines.end());
    return lines;
}

// The warehouse's rows of raw.t, as Lines gives them.
inline std::vector<std::string> Stored(Warehouse& warehouse, const std::string& table = "raw.t") {
    std::vector<std::string> lines;
    const auto session = warehouse.OpenSession();
    const auto stream =
        (*session)->Query("SELECT k, id, coalesce(text, ''), coalesce(large, '') FROM " + table);
    if (!stream) return {stream.error().message};
    for (;;) {
        const auto block = (*stream)->Next();
        if (!block) return {block.error().message};
        if (*block == nullptr) break;
        const auto& columns = (*block)->columns;
        for (std::size_t row = 0; row < (*block)->rows; ++row) {
            lines.push_back(Line(columns[0].Get<std::int32_t>(row),
                                 columns[1].Get<std::int64_t>(row), columns[2].GetString(row),
                                 columns[3].GetString(row)));
        }
    }
    std::sort(lines.begin(), lines.end());
    return lines;
}

// Rows to be read.
class RowsReader final : public RowReader {
  public:
    RowsReader(KeyShape shape, std::vector<Row> rows) : shape_(shape), rows_(std::move(rows)) {}
    Result<std::size_t> Fill(RowBlock& block) override {
        arena_ = Arena();
        const auto end = std::min(rows_.size(), next_ + kBlockRows);
        std::size_t row = 0;
        for (; next_ < end; ++next_, ++row) {
            SetRow(
                shape_, schema_, rows_[next_],
                [&](std::size_t i) -> Cells& { return block.columns[i]; }, row,
                [&](const std::string& text) { return arena_.Copy(text); });
        }
        return row;
    }

  private:
    const KeyShape shape_;
    const std::vector<Row> rows_;
    const TableSchema schema_ = SchemaOf(shape_);
    std::size_t next_ = 0;
    Arena arena_;
};

// Answers for rows that are asked for by key, with the table as it is in the end.
class EndOfHistory final : public StreamSource {
  public:
    EndOfHistory(KeyShape shape, const Rows& rows, std::uint64_t head)
        : shape_(shape), rows_(rows), head_(head) {}

    Result<std::unique_ptr<RowReader>> ReadKeys(const SourceTable&, const KeyRange&) override {
        return Unavailable("nobody asks for keys here");
    }
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
    Status Publish(const std::vector<SourceTable>&, const std::set<std::string>&) override {
        return UserError("no");
    }
    Result<std::unique_ptr<SnapshotReader>> ResumeSnapshot() override { return UserError("no"); }
    Result<std::unique_ptr<ChangeSource>> Follow(const std::vector<FollowedTable>&, const Position&,
                                                 std::chrono::milliseconds) override {
        return UserError("no");
    }
    Result<std::string> CheckHistory(const std::string& known, const Position&) override {
        return known;
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
    World(KeyShape key_shape, TableSchema columns, std::uint64_t overlap_until, std::uint64_t head,
          const DuckDbOptions& options = {})
        : shape(key_shape),
          schema(std::make_shared<const TableSchema>(std::move(columns))),
          source(key_shape, rows, head) {
        auto opened = OpenDuckDb(options);
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

// A warehouse that breaks at moments of chance, and can be made to stand still. Reading is well.
class BrokenWarehouse final : public Warehouse {
  public:
    enum Moment { kBegin, kStatement, kBeforeCommit, kAfterCommit, kMoments };

    BrokenWarehouse(Warehouse& inner, std::uint64_t seed) : inner_(inner), random_(seed) {}

    // One in so many of each moment breaks; 0: none.
    void BreakOneIn(unsigned many) { one_in_ = many; }
    void Stall(bool stall) {
        std::lock_guard lock(mutex_);
        is_stalled_ = stall;
        goes_on_.notify_all();
    }
    std::array<int, kMoments> broken() const {
        std::lock_guard lock(mutex_);
        return broken_;
    }

    Result<std::unique_ptr<WriteTransaction>> Begin() override {
        {
            std::unique_lock lock(mutex_);
            goes_on_.wait(lock, [&] { return !is_stalled_; });
        }
        BIWA_TRY(MayBreak(kBegin, "no transaction can be begun"));
        return std::make_unique<Transaction>(*this, BIWA_TRY(inner_.Begin()));
    }
    Result<std::unique_ptr<WriteTransaction>> BeginBeside() override {
        return inner_.BeginBeside();
    }
    Result<std::unique_ptr<ReadSession>> OpenSession() override { return inner_.OpenSession(); }
    Result<std::unique_ptr<ReadSession>> OpenSessionOn(const std::vector<std::string>& datasets,
                                                       std::vector<std::string> views) override {
        return inner_.OpenSessionOn(datasets, std::move(views));
    }
    Result<std::unique_ptr<Workbench>> OpenWorkbench() override { return inner_.OpenWorkbench(); }
    Result<std::unique_ptr<ShadowSchema>> MakeShadowSchema() override {
        return inner_.MakeShadowSchema();
    }
    Status Checkpoint() override { return inner_.Checkpoint(); }
    std::uint64_t size_bytes() const override { return inner_.size_bytes(); }
    std::uint64_t free_bytes() const override { return inner_.free_bytes(); }

  private:
    class Transaction final : public WriteTransaction {
      public:
        Transaction(BrokenWarehouse& owner, std::unique_ptr<WriteTransaction> inner)
            : owner_(owner), inner_(std::move(inner)) {}
        Status Execute(std::string_view sql) override {
            BIWA_TRY(owner_.MayBreak(kStatement, "a statement failed"));
            return inner_->Execute(sql);
        }
        Result<std::unique_ptr<RowStream>> Query(std::string_view sql) override {
            return inner_->Query(sql);
        }
        Result<std::vector<ColumnWidth>> Widths(const TableName& table) override {
            return inner_->Widths(table);
        }
        Result<std::uint64_t> ExecuteWith(std::string_view sql,
                                          const std::vector<NamedRows>& rows) override {
            BIWA_TRY(owner_.MayBreak(kStatement, "a statement failed"));
            return inner_->ExecuteWith(sql, rows);
        }
        Status HideUntilCommit(const TableName& table) override {
            BIWA_TRY(owner_.MayBreak(kStatement, "a statement failed"));
            return inner_->HideUntilCommit(table);
        }
        void TakeItEasy(std::function<bool()> nobody_waits) override {
            inner_->TakeItEasy(std::move(nobody_waits));
        }
        void MayRest() override { inner_->MayRest(); }
        Status Commit() override {
            BIWA_TRY(owner_.MayBreak(kBeforeCommit, "nothing was committed"));
            BIWA_TRY(inner_->Commit());
            return owner_.MayBreak(kAfterCommit, "it was committed, and nobody knows");
        }
        void Interrupt() override { inner_->Interrupt(); }

      private:
        BrokenWarehouse& owner_;
        const std::unique_ptr<WriteTransaction> inner_;
    };

    Status MayBreak(Moment moment, const char* what) {
        std::lock_guard lock(mutex_);
        const unsigned one_in = one_in_;  // may be set to 0 meanwhile
        if (one_in == 0 || random_() % one_in != 0) return {};
        ++broken_.at(moment);
        return Unavailable(what);
    }

    Warehouse& inner_;
    mutable std::mutex mutex_;
    std::condition_variable goes_on_;
    std::mt19937_64 random_;
    std::atomic<unsigned> one_in_ = 0;
    bool is_stalled_ = false;
    std::array<int, kMoments> broken_{};
};

}  // namespace biwa::replication_testing
