#include "replication/masked_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/check.h"
#include "replication/mask_books.h"
#include "replication/masked_table.h"
#include "replication/masked_tables.h"
#include "replication/sealed_text.h"

namespace biwa {

namespace {

class MaskedSnapshot final : public SnapshotReader {
  public:
    MaskedSnapshot(std::unique_ptr<SnapshotReader> clear, std::shared_ptr<MaskedTables> tables)
        : clear_(std::move(clear)), tables_(std::move(tables)) {}

    Result<std::vector<SnapshotRange>> Split(const SourceTable& table) override {
        auto ranges = BIWA_TRY(clear_->Split(tables_->Clear(table)));
        // A range may be written as keys from … to …, and is written down until it is copied.
        if (BIWA_TRY(tables_->ForRows(table)).has_masked_key()) {
            for (auto& range : ranges) range.text = Seal(tables_->key(), range.text);
        }
        return ranges;
    }
    // Hashes repeat as the values do; what other masks leave of them may be alike.
    Result<std::set<std::string>> TextsThatSeldomRepeat(
        const SourceTable& table, const std::vector<SnapshotRange>& ranges) override {
        const auto masked = BIWA_TRY(tables_->ForRows(table));
        auto found = BIWA_TRY(clear_->TextsThatSeldomRepeat(
            tables_->Clear(table), BIWA_TRY(ClearRanges(ranges, masked.has_masked_key()))));
        for (std::size_t i = 0; i < masked.masks.size(); ++i) {
            const auto& mask = masked.masks[i];
            if (mask && mask->kind != MaskKind::kHash) found.erase(masked.clear->columns[i].name);
        }
        return found;
    }
    Result<std::unique_ptr<RowReader>> Read(const SourceTable& table,
                                            const SnapshotRange& range) override {
        auto masked = BIWA_TRY(tables_->ForRows(table));
        const auto clear_range = BIWA_TRY(ClearRange(range, masked.has_masked_key()));
        const auto clear_table = tables_->Clear(table);
        auto rows = BIWA_TRY(clear_->Read(clear_table, clear_range));
        if (!masked.is_masked()) return rows;
        BIWA_TRY(clear_->CheckColumns(clear_table));
        return MaskRows(std::move(rows), std::move(masked), tables_->hash());
    }

    Status CheckColumns(const SourceTable& table) override {
        return clear_->CheckColumns(tables_->Clear(table));
    }

    Result<bool> AreCurrent(const SourceTable& table,
                            const std::vector<SnapshotRange>& ranges) override {
        const bool is_sealed = BIWA_TRY(tables_->ForRows(table)).has_masked_key();
        return clear_->AreCurrent(tables_->Clear(table), BIWA_TRY(ClearRanges(ranges, is_sealed)));
    }

    std::uint64_t unrepresentable() const override { return clear_->unrepresentable(); }

  private:
    Result<SnapshotRange> ClearRange(const SnapshotRange& range, bool is_sealed) const {
        auto clear_range = range;
        if (is_sealed) clear_range.text = BIWA_TRY(Unseal(tables_->key(), range.text));
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
    const std::shared_ptr<MaskedTables> tables_;
};

class MaskedChanges final : public ChangeSource {
  public:
    MaskedChanges(std::unique_ptr<ChangeSource> clear, std::shared_ptr<MaskedTables> tables)
        : clear_(std::move(clear)), tables_(std::move(tables)), hash_(tables_->hash()) {}

    Result<std::optional<ChangeBatch>> Poll(const Position& durable,
                                            std::chrono::milliseconds timeout) override {
        tables_->Durable(durable.order);
        auto batch = BIWA_TRY(clear_->Poll(durable, timeout));
        if (!batch) return batch;
        for (auto& part : batch->tables) {
            BIWA_TRY(tables_->Hear(part));
            if (part.names_only) continue;
            BIWA_TRY(tables_->CheckNames(part));
            auto found = tables_->ForChanges(part);
            if (!found && found.error().kind == ErrorKind::kConflict) {
                tables_->HearKnown(part);
                Withhold(part, std::move(found).error().message);
                continue;
            }
            const auto table = BIWA_TRY(std::move(found));
            tables_->NoteDropped(part);
            if (!table.is_masked()) {
                part.columns = table.masked;
                continue;
            }
            if (!part.unchanged.empty() && table.has_masked_key()) tables_->Remember(table, part);
            BIWA_TRY(MaskChanges(table, part, hash_));
        }
        if (batch->commit) tables_->Committed(batch->commit->order);
        return batch;
    }
    Status Acknowledge(const Position& durable) override { return clear_->Acknowledge(durable); }
    std::uint64_t unrepresentable() const override { return clear_->unrepresentable(); }

  private:
    // Leaves of it that the table is to be copied anew: which is refused as long as that holds.
    static void Withhold(TableChanges& part, std::string why) {
        TableChanges withheld;
        withheld.schema = std::move(part.schema);
        withheld.name = std::move(part.name);
        withheld.id = std::move(part.id);
        withheld.columns = std::move(part.columns);
        withheld.rows = RowStore(withheld.columns->columns);
        withheld.heard = std::move(part.heard);
        withheld.recopy = std::move(why);
        part = std::move(withheld);
    }

    const std::unique_ptr<ChangeSource> clear_;
    const std::shared_ptr<MaskedTables> tables_;
    KeyedHash hash_;
};

class MaskedSource final : public StreamSource {
  public:
    MaskedSource(std::unique_ptr<StreamSource> clear, std::shared_ptr<MaskedTables> tables)
        : clear_(std::move(clear)), tables_(std::move(tables)) {}

    Result<std::vector<SourceTable>> Tables(const std::vector<std::string>& patterns,
                                            IfMissing if_missing) override {
        BIWA_TRY(tables_->ReadBooks());
        auto clear = BIWA_TRY(clear_->Tables(patterns, if_missing));
        BIWA_TRY(RefuseRenamed(clear));
        BIWA_TRY(RefuseCopies(clear));
        return Describe(std::move(clear));
    }
    Status CheckStart() override { return clear_->CheckStart(); }
    Result<StreamStart> Start(const std::vector<SourceTable>& tables, bool replace) override {
        auto start = BIWA_TRY(clear_->Start(tables_->Clear(tables), replace));
        start.snapshot = Mask(std::move(start.snapshot));
        return start;
    }
    Status Publish(const std::vector<SourceTable>& tables,
                   const std::set<std::string>& as_they_are) override {
        return clear_->Publish(tables_->Clear(tables), as_they_are);
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
        for (auto& one : clear) one.table = tables_->Clear(one.table);
        return std::make_unique<MaskedChanges>(BIWA_TRY(clear_->Follow(clear, from, idle_every)),
                                               tables_);
    }
    Result<std::unique_ptr<RowReader>> ReadRows(
        const SourceTable& table, const std::vector<std::vector<std::string>>& keys) override {
        auto masked = BIWA_TRY(tables_->ForRows(table));
        auto clear_keys = keys;
        for (auto& key : clear_keys) BIWA_TRY(tables_->Unmask(masked, key));
        auto clear_table = table;
        clear_table.columns = *masked.clear;
        auto rows = BIWA_TRY(clear_->ReadRows(clear_table, clear_keys));
        if (!masked.is_masked()) return rows;
        // As they are while the rows are being read.
        for (const auto& now : BIWA_TRY(clear_->Tables({table.ToString()}, IfMissing::kPassOver))) {
            BIWA_TRY(tables_->CheckStill(masked, now));
        }
        return MaskRows(std::move(rows), std::move(masked), tables_->hash());
    }
    Result<std::unique_ptr<RowReader>> ReadKeys(const SourceTable& table,
                                                const KeyRange& range) override {
        const auto masked = BIWA_TRY(tables_->ForRows(table));
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
    Result<Position> WithNotesOf(const Position& position, const Position& other,
                                 const std::set<std::string>& tables) override {
        return clear_->WithNotesOf(position, other, tables);
    }

  private:
    // Whoever has to name columns anew hears of all tables at once.
    Result<std::vector<SourceTable>> Describe(std::vector<SourceTable> clear) {
        constexpr std::size_t kNamesMax = 50;
        std::vector<SourceTable> tables;
        std::vector<std::string> others;
        std::optional<Error> first;
        for (auto& table : clear) {
            const auto name = table.ToString();
            auto described = tables_->Describe(std::move(table));
            if (described) {
                tables.push_back(std::move(*described));
            } else if (described.error().kind != ErrorKind::kUser) {
                return tl::unexpected(std::move(described).error());
            } else if (!first) {
                first = std::move(described).error();
            } else {
                others.push_back(name);
            }
        }
        if (!first) return tables;
        if (others.empty()) return tl::unexpected(*std::move(first));
        const bool is_cut = others.size() > kNamesMax;
        const auto count = others.size();
        if (is_cut) others.resize(kNamesMax);
        first->message +=
            fmt::format("; there is more to name in {} other table{}: {}{}", count,
                        count == 1 ? "" : "s", fmt::join(others, ", "), is_cut ? ", …" : "");
        return tl::unexpected(*std::move(first));
    }

    // A masked table under another name would come in clear.
    Status RefuseRenamed(std::vector<SourceTable>& tables) {
        if (tables_->LostTables(tables).empty()) return {};
        // These may be some tables of the stream only.
        const auto all = BIWA_TRY(clear_->Tables(tables_->patterns(), IfMissing::kPassOver));
        for (const auto& lost : tables_->LostTables(all)) {
            for (auto& table : tables) {
                if (!table.refusal.empty() || !tables_->MayBe(lost, table)) continue;
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
            const auto masked = BIWA_TRY(tables_->MayBeCopyOf(table));
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
        return std::make_unique<MaskedSnapshot>(std::move(snapshot), tables_);
    }

    const std::unique_ptr<StreamSource> clear_;
    const std::shared_ptr<MaskedTables> tables_;
};

bool AnyMasked(const MaskRecord& record) {
    return std::any_of(record.begin(), record.end(), [](const auto& table) {
        return std::any_of(table.second.begin(), table.second.end(),
                           [](const auto& column) { return !column.second.empty(); });
    });
}

}  // namespace

Result<std::unique_ptr<StreamSource>> MaskSource(std::unique_ptr<StreamSource> source,
                                                 MaskPolicy policy, Warehouse& warehouse,
                                                 const TargetDataset& dataset,
                                                 const std::string& stream) {
    if (policy.empty() && !AnyMasked(BIWA_TRY(ReadMaskRecord(warehouse, dataset.name)))) {
        return source;
    }
    return std::make_unique<MaskedSource>(
        std::move(source),
        std::make_shared<MaskedTables>(std::move(policy), warehouse, dataset, stream));
}

}  // namespace biwa
