#include "replication/masked_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <mutex>
#include <set>

#include "base/check.h"
#include "base/log.h"
#include "base/text.h"
#include "model/format.h"
#include "replication/masked_table.h"
#include "replication/sealed_text.h"
#include "replication/target_table.h"

namespace biwa {

namespace {

// Sets of columns of one table that may still be asked for.
constexpr std::size_t kSchemasKept = 16;

// Clear values of hashed keys, of changes that are not durable yet: the warehouse may ask for such
// rows, and has only the hashes.
class ClearKeys {
  public:
    void Remember(const MaskedTable& table, const TableChanges& changes, KeyedHash& hash) {
        std::string text;
        std::string hex(KeyedHash::kHexBytes, ' ');
        for (std::size_t i = 0; i < changes.unchanged.size(); ++i) {
            const auto row = changes.unchanged[i].row;
            if (i > 0 && changes.unchanged[i - 1].row == row) continue;
            for (const auto column : table.clear->key) {
                const auto& cells = changes.rows.cells(column);
                if (!table.masks[column] || cells.IsNull(row)) continue;
                text.clear();
                AppendText(cells, row, text);
                hash.Hex(text, hex.data());
                open_[hex] = text;
            }
        }
    }
    void Commit(std::uint64_t order) {
        if (!open_.empty()) committed_.push_back({order, std::exchange(open_, {})});
    }
    void Forget(std::uint64_t durable_order) {
        while (!committed_.empty() && committed_.front().order <= durable_order) {
            committed_.pop_front();
        }
    }
    const std::string* Find(const std::string& hex) const {
        if (const auto found = open_.find(hex); found != open_.end()) return &found->second;
        for (const auto& part : committed_) {
            if (const auto found = part.keys.find(hex); found != part.keys.end()) {
                return &found->second;
            }
        }
        return nullptr;
    }

  private:
    using Keys = std::map<std::string, std::string>;  // by hash
    struct Part {
        std::uint64_t order;
        Keys keys;
    };
    Keys open_;  // of a transaction that has not ended
    std::deque<Part> committed_;
};

// With fewer columns tables look alike that have nothing to do with one another.
constexpr std::size_t kColumnsOfCopy = 3;

// Numbers of columns (Column::number), by the target's table and the column, in small letters.
using ColumnNumbers = std::map<std::pair<std::string, std::string>, std::int32_t>;

// Before the first stream the warehouse has no such books.
Result<bool> HasStreamBooks(ReadSession& session) {
    const auto books = BIWA_TRY(
        session.Query("SELECT 1 FROM duckdb_tables() WHERE schema_name = '_biwa' AND table_name = "
                      "'stream_columns' AND database_name = current_database()"));
    const auto* found = BIWA_TRY(books->Next());
    return found != nullptr && found->rows > 0;
}

Result<ColumnNumbers> ReadColumnNumbers(Warehouse& warehouse, const std::string& dataset) {
    ColumnNumbers numbers;
    const auto session = BIWA_TRY(warehouse.OpenSession());
    if (!BIWA_TRY(HasStreamBooks(*session))) return numbers;
    const auto rows = BIWA_TRY(
        session->Query(fmt::format("SELECT lower(table_name), lower(column_name), number FROM "
                                   "_biwa.stream_columns WHERE dataset = {}",
                                   QuoteLiteral(dataset))));
    while (const auto* block = BIWA_TRY(rows->Next())) {
        const auto& columns = block->columns;
        for (std::size_t row = 0; row < block->rows; ++row) {
            numbers[{std::string(columns[0].GetString(row)),
                     std::string(columns[1].GetString(row))}] = columns[2].Get<std::int32_t>(row);
        }
    }
    return numbers;
}

// The tables of all streams, by what they would be called in the dataset, in small letters.
Result<std::map<std::string, SourceTable>> ReadStreamTables(Warehouse& warehouse,
                                                            const TargetDataset& dataset) {
    std::map<std::string, SourceTable> tables;
    const auto session = BIWA_TRY(warehouse.OpenSession());
    if (!BIWA_TRY(HasStreamBooks(*session))) return tables;
    const auto rows = BIWA_TRY(
        session->Query("SELECT source_schema, source_table, source_id FROM _biwa.stream_tables"));
    while (const auto* block = BIWA_TRY(rows->Next())) {
        for (std::size_t row = 0; row < block->rows; ++row) {
            SourceTable table;
            table.schema = block->columns[0].GetString(row);
            table.name = block->columns[1].GetString(row);
            table.id = block->columns[2].GetString(row);
            const auto target = TargetTable(dataset, table.schema, table.name);
            tables[SmallLetters(target.name)] = std::move(table);
        }
    }
    return tables;
}

// What the source, its snapshots and its changes know together. From any thread.
class Masking {
  public:
    Masking(MaskPolicy policy, Warehouse& warehouse, TargetDataset dataset)
        : policy_(std::move(policy)),
          warehouse_(warehouse),
          dataset_(std::move(dataset)),
          hash_(policy_.key) {}

    // What the warehouse says by now.
    Status ReadRecord() {
        auto record = BIWA_TRY(ReadMaskRecord(warehouse_, dataset_.name));
        auto numbers = BIWA_TRY(ReadColumnNumbers(warehouse_, dataset_.name));
        auto stream_tables = BIWA_TRY(ReadStreamTables(warehouse_, dataset_));
        std::lock_guard lock(mutex_);
        stream_tables_ = std::move(stream_tables);
        record_ = std::move(record);
        numbers_ = std::move(numbers);
        return {};
    }

    const std::string& key() const { return policy_.key; }
    KeyedHash hash() const {
        std::lock_guard lock(mutex_);
        return hash_;
    }

    // The table as the source described it, become as it comes out.
    Result<SourceTable> Describe(SourceTable clear) {
        std::lock_guard lock(mutex_);
        auto& state = tables_[clear.ToString()];
        BIWA_TRY(CheckRenamed(clear, clear.columns, state));
        state.clear = clear;
        state.kept = KeptMasks(clear);
        auto masked = MaskTable(policy_, state.kept, clear,
                                std::make_shared<const TableSchema>(clear.columns), hash_);
        if (!masked) {
            if (clear.refusal.empty()) {
                clear.refusal = "cannot be masked: " + masked.error().message;
                clear.mend_sql = masked.error().hint;
            }
            // Nothing of it may be read, and nobody should take it for readable.
            clear.columns = {};
            return clear;
        }
        for (const bool beside : {false, true}) {
            const auto* recorded = Recorded(clear, beside);
            if (recorded == nullptr) continue;
            if (auto other = FindOtherMask(policy_, *masked, clear, *recorded)) {
                return tl::unexpected(std::move(*other));
            }
        }
        for (const auto& lost : LostOf(clear, clear.columns)) {
            clear.notes.push_back(fmt::format("masks name {}, which is not there any more", lost));
        }
        clear.columns = *masked->masked;
        clear.masks = masked->Describe();
        Keep(state, std::move(*masked));
        return clear;
    }

    // Own names of masks whose table is not among these.
    std::vector<std::string> LostTables(const std::vector<SourceTable>& clear) const {
        std::vector<std::string> lost;
        if (policy_.by_default) return lost;
        for (const auto& one : FindLostMasks(policy_, clear)) {
            if (one.table == nullptr && IsMask(one.columns)) lost.push_back(one.columns);
        }
        return lost;
    }
    // Whether the table is new here, and has a column of that name which nothing names.
    bool MayBe(const std::string& lost, const SourceTable& table) const {
        std::lock_guard lock(mutex_);
        if (Recorded(table, false) != nullptr) return false;
        return std::any_of(
            table.columns.columns.begin(), table.columns.columns.end(), [&](const Column& column) {
                return lost.ends_with("." + column.name) && !IsNamed(policy_, table, column.name);
            });
    }
    // Whether the table may be another one that is masked here: by its id, whatever it is called,
    // or, where it is new, as it has most of that one's columns: a copy, or what was left of it
    // when it was made anew. If a column that is masked there would be clear here, that, as
    // "schema.table.column".
    Result<std::string> MayBeCopyOf(const SourceTable& table) const {
        std::lock_guard lock(mutex_);
        if (policy_.by_default) return {};
        const auto same =
            std::find_if(stream_tables_.begin(), stream_tables_.end(), [&](const auto& one) {
                return !table.id.empty() && one.second.id == table.id && HasBooks(one.first);
            });
        if (same != stream_tables_.end()) {
            if (same->second.ToString() == table.ToString()) return {};
            return ClearHere(table, same->second);
        }
        const auto target = SmallLetters(TargetTable(dataset_, table.schema, table.name).name);
        const auto known = stream_tables_.find(target);
        // One that was made anew may have been so as whatever else.
        const bool is_known =
            known == stream_tables_.end()
                ? Recorded(table, false) != nullptr
                : table.id.empty() || known->second.id.empty() || known->second.id == table.id;
        if (is_known) return {};
        for (const auto& [name, other] : stream_tables_) {
            if (!IsLike(table, name, other)) continue;
            auto column = BIWA_TRY(ClearHere(table, other));
            if (!column.empty()) return column;
        }
        return {};
    }
    const std::vector<std::string>& patterns() const { return policy_.tables; }

    // As the source described it; one that it did not describe, as it is.
    SourceTable Clear(const SourceTable& masked) const {
        std::lock_guard lock(mutex_);
        const auto found = tables_.find(masked.ToString());
        if (found == tables_.end() || found->second.clear.name.empty()) return masked;
        auto clear = found->second.clear;
        clear.id = masked.id;
        return clear;
    }
    std::vector<SourceTable> Clear(const std::vector<SourceTable>& masked) const {
        std::vector<SourceTable> clear;
        for (const auto& table : masked) clear.push_back(Clear(table));
        return clear;
    }

    // For the table's columns in changes, which may be older or newer than those described.
    Result<MaskedTable> ForChanges(const TableChanges& changes) {
        std::lock_guard lock(mutex_);
        SourceTable table;
        table.schema = changes.schema;
        table.name = changes.name;
        auto& state = tables_[table.ToString()];
        for (const auto& known : state.schemas) {
            if (known.clear == changes.columns) return known;
        }
        // Of one that is not at the source any more, all that was masked is.
        if (state.clear.name.empty()) state.kept = KeptMasks(table);
        BIWA_TRY(CheckRenamed(table, *changes.columns, state));
        auto masked = BIWA_TRY(MaskTable(policy_, state.kept, table, changes.columns, hash_));
        for (const auto& lost : LostOf(table, *changes.columns)) {
            LogWarn("masks name {}, which is not in the changes of {} any more", lost,
                    table.ToString());
        }
        Keep(state, masked);
        return masked;
    }

    // What the source says of names that were given to other columns.
    Status CheckNames(const TableChanges& changes) const {
        std::lock_guard lock(mutex_);
        SourceTable table;
        table.schema = changes.schema;
        table.name = changes.name;
        for (const auto& [written, now] : changes.renamed) {
            auto before = written;
            for (const auto& column : changes.columns->columns) {
                if (SmallLetters(column.name) == SmallLetters(written)) before = column.name;
            }
            if (BIWA_TRY(IsMasked(table, before)) && !BIWA_TRY(IsMasked(table, now))) {
                return Renamed(table, before, now);
            }
        }
        return {};
    }

    void Remember(const MaskedTable& table, const TableChanges& changes) {
        std::lock_guard lock(mutex_);
        keys_.Remember(table, changes, hash_);
    }
    void Committed(std::uint64_t order) {
        std::lock_guard lock(mutex_);
        keys_.Commit(order);
    }
    void Durable(std::uint64_t order) {
        std::lock_guard lock(mutex_);
        keys_.Forget(order);
    }

    // The columns that came out as those of `masked`.
    Result<MaskedTable> ForRows(const SourceTable& masked) const {
        std::lock_guard lock(mutex_);
        const auto found = tables_.find(masked.ToString());
        if (found != tables_.end()) {
            for (const auto& known : found->second.schemas) {
                if (known.masked->columns == masked.columns.columns) return known;
            }
        }
        return Corrupt(fmt::format("rows of {} are asked for in columns that it never had",
                                   masked.ToString()));
    }

    // Puts the clear values of hashed columns into a key of the warehouse.
    Status Unmask(const MaskedTable& table, std::vector<std::string>& key) const {
        std::lock_guard lock(mutex_);
        for (std::size_t i = 0; i < table.clear->key.size(); ++i) {
            if (!table.masks[table.clear->key[i]]) continue;
            const auto* clear = keys_.Find(key[i]);
            if (clear == nullptr) return Corrupt("the clear value of a hashed key is not known");
            key[i] = *clear;
        }
        return {};
    }

  private:
    struct Table {
        SourceTable clear;
        std::map<std::string, Mask> kept;
        std::deque<MaskedTable> schemas;  // the newest first
    };

    // Whether that is a table of this dataset, which has been copied: only then its id is one of
    // this source.
    bool HasBooks(const std::string& target) const {
        const auto found = numbers_.lower_bound({target, ""});
        return found != numbers_.end() && found->first.first == target;
    }

    // A column of the table that is masked in the other one, and that nothing names here.
    Result<std::string> ClearHere(const SourceTable& table, const SourceTable& other) const {
        for (const auto& column : table.columns.columns) {
            if (IsNamed(policy_, table, column.name)) continue;
            if (!BIWA_TRY(FindMask(policy_, other, column.name))) continue;
            return other.ToString() + "." + column.name;
        }
        return {};
    }

    // Whether it has three quarters of the columns that the other has here or drops, three at
    // least.
    bool IsLike(const SourceTable& table, const std::string& other_target,
                const SourceTable& other) const {
        std::set<std::string> columns;
        for (auto one = numbers_.lower_bound({other_target, ""});
             one != numbers_.end() && one->first.first == other_target; ++one) {
            columns.insert(one->first.second);
        }
        if (columns.empty()) return false;
        std::size_t common = 0;
        for (const auto& column : table.columns.columns) {
            const auto mask = FindMask(policy_, other, column.name);
            if (mask && *mask) columns.insert(SmallLetters(column.name));
            if (columns.contains(SmallLetters(column.name))) ++common;
        }
        return common >= kColumnsOfCopy && common * 4 >= columns.size() * 3;
    }

    static void Keep(Table& state, MaskedTable masked) {
        state.schemas.push_front(std::move(masked));
        if (state.schemas.size() > kSchemasKept) state.schemas.pop_back();
    }

    bool IsMask(const std::string& columns) const {
        return std::any_of(policy_.masks.begin(), policy_.masks.end(),
                           [&](const MaskPolicy::Rule& rule) { return rule.columns == columns; });
    }

    // `beside`: of what is being copied beside the table that readers see.
    const std::map<std::string, std::string>* Recorded(const SourceTable& table,
                                                       bool beside) const {
        const auto target = TargetTable(dataset_, table.schema, table.name);
        const auto found = record_.find((beside ? BesideTable(target) : target).name);
        return found == record_.end() ? nullptr : &found->second;
    }

    // Masks of columns that were written masked and have gone from the source: changes from before
    // may still be on their way, whatever the policy says by now.
    std::map<std::string, Mask> KeptMasks(const SourceTable& table) const {
        std::map<std::string, Mask> kept;
        const auto* recorded = Recorded(table, false);
        if (recorded == nullptr) return kept;
        for (const auto& [column, text] : *recorded) {
            if (text.empty() || table.columns.Find(column)) continue;
            const auto mask = ParseMask(text.substr(0, text.find(" by ")));
            kept[column] = mask.value_or(Mask{MaskKind::kNull, 0});
        }
        return kept;
    }

    // A column as it was before, in the warehouse or in changes.
    struct KnownColumn {
        std::string name;
        std::int32_t number = 0;
        bool is_masked = false;
    };
    std::vector<KnownColumn> KnownColumns(const SourceTable& table, const Table& state) const {
        std::vector<KnownColumn> known;
        if (const auto* recorded = Recorded(table, false)) {
            const auto target = TargetTable(dataset_, table.schema, table.name).name;
            for (const auto& [column, text] : *recorded) {
                const auto number = numbers_.find({SmallLetters(target), SmallLetters(column)});
                known.push_back(
                    {column, number == numbers_.end() ? 0 : number->second, !text.empty()});
            }
        }
        for (const auto& schema : state.schemas) {
            for (std::size_t i = 0; i < schema.masks.size(); ++i) {
                const auto& column = schema.clear->columns[i];
                known.push_back({column.name, column.number, schema.masks[i].has_value()});
            }
        }
        return known;
    }

    // Names of masks, not of clear, whose column these columns lack.
    std::vector<std::string> LostOf(const SourceTable& table, const TableSchema& columns) const {
        SourceTable now = table;
        now.columns = columns;
        std::vector<std::string> names;
        for (const auto& lost : FindLostMasks(policy_, {now})) {
            if (lost.table != nullptr && IsMask(lost.columns)) names.push_back(lost.columns);
        }
        return names;
    }

    // By what the policy says of its name.
    Result<bool> IsMasked(const SourceTable& table, const std::string& column) const {
        if (BIWA_TRY(FindMask(policy_, table, column))) return true;
        return policy_.by_default && !IsNamed(policy_, table, column);
    }

    // That nothing which is masked comes in clear because its column has another name now. Where
    // columns have numbers these tell, whatever names were exchanged; else a masked column has gone
    // and another has come.
    Status CheckRenamed(const SourceTable& table, const TableSchema& columns,
                        const Table& state) const {
        const auto known = KnownColumns(table, state);
        if (known.empty()) return {};
        const auto lost = policy_.by_default ? std::vector<std::string>() : LostOf(table, columns);
        for (const auto& column : columns.columns) {
            if (BIWA_TRY(IsMasked(table, column.name))) continue;
            const bool is_named = IsNamed(policy_, table, column.name);
            bool is_known = false;
            std::string before;
            for (const auto& one : known) {
                is_known = is_known || one.name == column.name;
                if (!one.is_masked || one.name == column.name) continue;
                const bool is_same = column.number != 0 && column.number == one.number;
                const bool may_be_same =
                    (column.number == 0 || one.number == 0) && !columns.Find(one.name).has_value();
                // Who has named the column, and its old name no more, knows what it is.
                if (is_same && (!is_named || BIWA_TRY(IsMasked(table, one.name)))) {
                    return Renamed(table, one.name, column.name);
                }
                if (may_be_same) before = one.name;
            }
            if (is_known || is_named) continue;
            if (!before.empty()) return Renamed(table, before, column.name);
            const auto is_another = [&](const std::string& name) {
                return column.number != 0 &&
                       std::any_of(known.begin(), known.end(), [&](const KnownColumn& one) {
                           return one.number != 0 && name.ends_with("." + one.name);
                       });
            };
            if (lost.empty() || std::all_of(lost.begin(), lost.end(), is_another)) continue;
            return UserError(
                fmt::format("{} is masked and has gone, and {}.{} is new: was it renamed? Nothing "
                            "of it was copied",
                            lost.front(), table.ToString(), column.name),
                fmt::format("Name {}.{} in masks or in clear, take {} out, and `biwa apply`.",
                            table.ToString(), column.name, lost.front()));
        }
        return {};
    }

    static tl::unexpected<Error> Renamed(const SourceTable& table, const std::string& before,
                                         const std::string& now) {
        return UserError(
            fmt::format(
                "column {1} of {0} was masked, and is called {2} now, which would be clear. "
                "Nothing of it was copied",
                table.ToString(), before, now),
            fmt::format("Name {0}.{2} in masks, and what {0}.{1} is now, if it is there; and `biwa "
                        "apply`.",
                        table.ToString(), before, now));
    }

    const MaskPolicy policy_;
    Warehouse& warehouse_;
    const TargetDataset dataset_;
    mutable std::mutex mutex_;  // guards all below
    KeyedHash hash_;
    MaskRecord record_;
    ColumnNumbers numbers_;
    std::map<std::string, SourceTable> stream_tables_;  // by the target's name, in small letters
    std::map<std::string, Table> tables_;
    ClearKeys keys_;
};

class MaskedSnapshot final : public SnapshotReader {
  public:
    MaskedSnapshot(std::unique_ptr<SnapshotReader> clear, std::shared_ptr<Masking> masking)
        : clear_(std::move(clear)), masking_(std::move(masking)) {}

    Result<std::vector<SnapshotRange>> Split(const SourceTable& table) override {
        auto ranges = BIWA_TRY(clear_->Split(masking_->Clear(table)));
        // A range may be written as keys from … to …, and is written down until it is copied.
        if (BIWA_TRY(masking_->ForRows(table)).has_masked_key()) {
            for (auto& range : ranges) range.text = Seal(masking_->key(), range.text);
        }
        return ranges;
    }
    // Hashes repeat as the values do; what other masks leave of them may be alike.
    Result<std::set<std::string>> TextsThatSeldomRepeat(
        const SourceTable& table, const std::vector<SnapshotRange>& ranges) override {
        const auto masked = BIWA_TRY(masking_->ForRows(table));
        auto found = BIWA_TRY(clear_->TextsThatSeldomRepeat(
            masking_->Clear(table), BIWA_TRY(ClearRanges(ranges, masked.has_masked_key()))));
        for (std::size_t i = 0; i < masked.masks.size(); ++i) {
            const auto& mask = masked.masks[i];
            if (mask && mask->kind != MaskKind::kHash) found.erase(masked.clear->columns[i].name);
        }
        return found;
    }
    Result<std::unique_ptr<RowReader>> Read(const SourceTable& table,
                                            const SnapshotRange& range) override {
        auto masked = BIWA_TRY(masking_->ForRows(table));
        const auto clear_range = BIWA_TRY(ClearRange(range, masked.has_masked_key()));
        return MaskRows(BIWA_TRY(clear_->Read(masking_->Clear(table), clear_range)),
                        std::move(masked), masking_->hash());
    }

    Result<bool> AreCurrent(const SourceTable& table,
                            const std::vector<SnapshotRange>& ranges) override {
        const bool is_sealed = BIWA_TRY(masking_->ForRows(table)).has_masked_key();
        return clear_->AreCurrent(masking_->Clear(table), BIWA_TRY(ClearRanges(ranges, is_sealed)));
    }

    std::uint64_t unrepresentable() const override { return clear_->unrepresentable(); }

  private:
    Result<SnapshotRange> ClearRange(const SnapshotRange& range, bool is_sealed) const {
        auto clear_range = range;
        if (is_sealed) clear_range.text = BIWA_TRY(Unseal(masking_->key(), range.text));
        return clear_range;
    }
    Result<std::vector<SnapshotRange>> ClearRanges(const std::vector<SnapshotRange>& ranges,
                                                   bool is_sealed) const {
        std::vector<SnapshotRange> clear_ranges;
        for (const auto& range : ranges) {
            clear_ranges.push_back(BIWA_TRY(ClearRange(range, is_sealed)));
        }
        return clear_ranges;
    }

    const std::unique_ptr<SnapshotReader> clear_;
    const std::shared_ptr<Masking> masking_;
};

class MaskedChanges final : public ChangeSource {
  public:
    MaskedChanges(std::unique_ptr<ChangeSource> clear, std::shared_ptr<Masking> masking)
        : clear_(std::move(clear)), masking_(std::move(masking)), hash_(masking_->hash()) {}

    Result<std::optional<ChangeBatch>> Poll(const Position& durable,
                                            std::chrono::milliseconds timeout) override {
        masking_->Durable(durable.order);
        auto batch = BIWA_TRY(clear_->Poll(durable, timeout));
        if (!batch) return batch;
        for (auto& part : batch->tables) {
            BIWA_TRY(masking_->CheckNames(part));
            const auto table = BIWA_TRY(masking_->ForChanges(part));
            if (!table.is_masked()) continue;
            if (!part.unchanged.empty() && table.has_masked_key()) masking_->Remember(table, part);
            BIWA_TRY(MaskChanges(table, part, hash_));
        }
        if (batch->commit) masking_->Committed(batch->commit->order);
        return batch;
    }
    Status Acknowledge(const Position& durable) override { return clear_->Acknowledge(durable); }
    std::uint64_t unrepresentable() const override { return clear_->unrepresentable(); }

  private:
    const std::unique_ptr<ChangeSource> clear_;
    const std::shared_ptr<Masking> masking_;
    KeyedHash hash_;
};

class MaskedSource final : public StreamSource {
  public:
    MaskedSource(std::unique_ptr<StreamSource> clear, std::shared_ptr<Masking> masking)
        : clear_(std::move(clear)), masking_(std::move(masking)) {}

    Result<std::vector<SourceTable>> Tables(const std::vector<std::string>& patterns,
                                            IfMissing if_missing) override {
        BIWA_TRY(masking_->ReadRecord());
        auto clear = BIWA_TRY(clear_->Tables(patterns, if_missing));
        BIWA_TRY(RefuseRenamed(clear));
        BIWA_TRY(RefuseCopies(clear));
        std::vector<SourceTable> tables;
        for (auto& table : clear) {
            tables.push_back(BIWA_TRY(masking_->Describe(std::move(table))));
        }
        return tables;
    }
    Status CheckStart() override { return clear_->CheckStart(); }
    Result<StreamStart> Start(const std::vector<SourceTable>& tables, bool replace) override {
        auto start = BIWA_TRY(clear_->Start(masking_->Clear(tables), replace));
        start.snapshot = Mask(std::move(start.snapshot));
        return start;
    }
    Status Publish(const std::vector<SourceTable>& tables) override {
        return clear_->Publish(masking_->Clear(tables));
    }
    Result<std::unique_ptr<SnapshotReader>> ResumeSnapshot() override {
        return Mask(BIWA_TRY(clear_->ResumeSnapshot()));
    }
    Result<std::string> CheckHistory(const std::string& known, const Position& from) override {
        return clear_->CheckHistory(known, from);
    }
    Result<std::unique_ptr<ChangeSource>> Follow(const std::vector<FollowedTable>& tables,
                                                 const Position& from,
                                                 std::chrono::milliseconds idle_every) override {
        auto clear = tables;
        for (auto& one : clear) one.table = masking_->Clear(one.table);
        return std::make_unique<MaskedChanges>(BIWA_TRY(clear_->Follow(clear, from, idle_every)),
                                               masking_);
    }
    Result<std::unique_ptr<RowReader>> ReadRows(
        const SourceTable& table, const std::vector<std::vector<std::string>>& keys) override {
        auto masked = BIWA_TRY(masking_->ForRows(table));
        auto clear_keys = keys;
        for (auto& key : clear_keys) BIWA_TRY(masking_->Unmask(masked, key));
        auto clear_table = table;
        clear_table.columns = *masked.clear;
        return MaskRows(BIWA_TRY(clear_->ReadRows(clear_table, clear_keys)), std::move(masked),
                        masking_->hash());
    }
    Result<std::unique_ptr<RowReader>> ReadKeys(const SourceTable& table,
                                                const KeyRange& range) override {
        const auto masked = BIWA_TRY(masking_->ForRows(table));
        if (masked.has_masked_key()) {
            return UserError(
                fmt::format("the key of {} is masked: its rows are in no order", table.ToString()),
                "`biwa stream recopy` reads all of it anew.");
        }
        auto clear_table = table;
        clear_table.columns = *masked.clear;
        return clear_->ReadKeys(clear_table, range);
    }
    Result<Position> Head() override { return clear_->Head(); }
    Result<SourceProgress> Progress() override { return clear_->Progress(); }
    Status Remove() override { return clear_->Remove(); }

  private:
    // A masked table under another name would come in clear.
    Status RefuseRenamed(std::vector<SourceTable>& tables) {
        if (masking_->LostTables(tables).empty()) return {};
        // These may be some tables of the stream only.
        const auto all = BIWA_TRY(clear_->Tables(masking_->patterns(), IfMissing::kPassOver));
        for (const auto& lost : masking_->LostTables(all)) {
            for (auto& table : tables) {
                if (!table.refusal.empty() || !masking_->MayBe(lost, table)) continue;
                const auto column = lost.substr(lost.rfind('.') + 1);
                table.refusal = fmt::format(
                    "is new and has a column {}, while the table of the mask {} has gone: it may "
                    "be the same one under another name",
                    column, lost);
                table.mend_sql =
                    fmt::format("name {}.{} in masks or in clear, take {} out, and `biwa apply`",
                                table.ToString(), column, lost);
            }
        }
        return {};
    }

    // So would a copy of one, or what was left of it when it was made anew.
    Status RefuseCopies(std::vector<SourceTable>& tables) {
        for (auto& table : tables) {
            if (!table.refusal.empty()) continue;
            const auto masked = BIWA_TRY(masking_->MayBeCopyOf(table));
            if (masked.empty()) continue;
            table.refusal = fmt::format(
                "looks like a table whose column {} is masked: it may be a copy of it, or what it "
                "was "
                "before it was made anew",
                masked);
            table.mend_sql = fmt::format("name {}.{} in masks or in clear, and `biwa apply`",
                                         table.ToString(), masked.substr(masked.rfind('.') + 1));
        }
        return {};
    }

    std::unique_ptr<SnapshotReader> Mask(std::unique_ptr<SnapshotReader> snapshot) {
        return std::make_unique<MaskedSnapshot>(std::move(snapshot), masking_);
    }

    const std::unique_ptr<StreamSource> clear_;
    const std::shared_ptr<Masking> masking_;
};

bool AnyMasked(const MaskRecord& record) {
    return std::any_of(record.begin(), record.end(), [](const auto& table) {
        return std::any_of(table.second.begin(), table.second.end(),
                           [](const auto& column) { return !column.second.empty(); });
    });
}

}  // namespace

Result<MaskRecord> ReadMaskRecord(Warehouse& warehouse, const std::string& dataset) {
    const auto session = BIWA_TRY(warehouse.OpenSession());
    const auto rows = BIWA_TRY(session->Query(
        fmt::format("SELECT table_name, column_name, coalesce(comment, '') FROM duckdb_columns() "
                    "WHERE schema_name = {} AND database_name = current_database()",
                    QuoteLiteral(dataset))));
    MaskRecord record;
    while (const auto* block = BIWA_TRY(rows->Next())) {
        for (std::size_t row = 0; row < block->rows; ++row) {
            const auto text = [&](std::size_t column) {
                return std::string(block->columns[column].GetString(row));
            };
            record[text(0)][text(1)] = MaskOfComment(text(2));
        }
    }
    return record;
}

Result<std::unique_ptr<StreamSource>> MaskSource(std::unique_ptr<StreamSource> source,
                                                 MaskPolicy policy, Warehouse& warehouse,
                                                 const TargetDataset& dataset) {
    if (policy.empty() && !AnyMasked(BIWA_TRY(ReadMaskRecord(warehouse, dataset.name)))) {
        return source;
    }
    return std::make_unique<MaskedSource>(
        std::move(source), std::make_shared<Masking>(std::move(policy), warehouse, dataset));
}

}  // namespace biwa
