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
#include "replication/mask_books.h"
#include "replication/masked_table.h"
#include "replication/sealed_text.h"

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

// What the source, its snapshots and its changes know together. From any thread.
class Masking {
  public:
    Masking(MaskPolicy policy, Warehouse& warehouse, TargetDataset dataset, std::string stream)
        : policy_(std::move(policy)),
          warehouse_(warehouse),
          dataset_(std::move(dataset)),
          stream_(std::move(stream)),
          hash_(policy_.key) {}

    // What the warehouse says by now.
    Status ReadBooks() {
        auto books = BIWA_TRY(MaskBooks::Read(warehouse_, dataset_, stream_));
        std::lock_guard lock(mutex_);
        books_ = std::move(books);
        // What of that was not applied is read again, and said again.
        for (auto& [name, table] : tables_) {
            table.latest.clear();
            table.dropped.clear();
        }
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
        if (!clear.id.empty() && !state.clear.id.empty() && clear.id != state.clear.id) {
            state.schemas.clear();
        }
        BIWA_TRY(CheckRenamed(clear, clear.columns, KnownColumns(clear, state)));
        state.clear = clear;
        state.kept = KeptMasks(clear);
        if (clear.refusal.empty()) BIWA_TRY(RefuseDoubtful(clear));
        if (clear.columns.columns.empty()) return clear;
        auto masked = MaskTable(policy_, state.kept, clear,
                                std::make_shared<const TableSchema>(clear.columns), hash_);
        if (!masked) {
            const auto& error = masked.error();
            if (clear.refusal.empty()) {
                Refuse(clear, "cannot be masked: " + error.message, error.hint);
            }
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
        clear.is_masked_by_name = true;
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
        const auto same = std::find_if(
            books_.stream_tables.begin(), books_.stream_tables.end(), [&](const auto& one) {
                return !table.id.empty() && one.second.id == table.id && HasBooks(one.first);
            });
        if (same != books_.stream_tables.end()) {
            if (same->second.ToString() == table.ToString()) return {};
            return ClearHere(table, same->second);
        }
        const auto target = SmallLetters(TargetTable(dataset_, table.schema, table.name).name);
        const auto known = books_.stream_tables.find(target);
        // One that was made anew may have been so as whatever else.
        const bool is_known =
            known == books_.stream_tables.end()
                ? Recorded(table, false) != nullptr
                : table.id.empty() || known->second.id.empty() || known->second.id == table.id;
        if (is_known) return {};
        for (const auto& [name, other] : books_.stream_tables) {
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
    // kConflict: which is which is not certain.
    Result<MaskedTable> ForChanges(const TableChanges& changes) {
        std::lock_guard lock(mutex_);
        SourceTable table;
        table.schema = changes.schema;
        table.name = changes.name;
        auto& state = tables_[table.ToString()];
        for (const auto& known : state.schemas) {
            if (known.clear == changes.columns) return known;
        }
        table.id = state.clear.id;
        // Of one that is not at the source any more, all that was masked is.
        if (state.clear.name.empty()) state.kept = KeptMasks(table);
        BIWA_TRY(CheckGone(table, *changes.columns, KnownColumns(table, state)));
        auto known = KnownBefore(table, *changes.columns, state);
        if (auto checked = CheckRenamed(table, *changes.columns, known); !checked) {
            BIWA_TRY(Forgive(known, table, state));
            if (!CheckRenamed(table, *changes.columns, known))
                return tl::unexpected(checked.error());
            return Fail(ErrorKind::kConflict, std::move(checked).error().message);
        }
        BIWA_TRY(CheckOrder(table, changes.columns->columns, state));
        auto masked = BIWA_TRY(MaskTable(policy_, state.kept, table, changes.columns, hash_));
        for (const auto& lost : LostOf(table, *changes.columns)) {
            LogWarn("masks name {}, which is not in the changes of {} any more", lost,
                    table.ToString());
        }
        state.latest = Booked(masked);
        state.dropped.clear();
        Keep(state, masked);
        return masked;
    }

    // Whether the columns of the table as it is now are still those that it was described with, as
    // far as their names say so. kConflict: they may not be.
    Status CheckStill(const MaskedTable& described, const SourceTable& now) const {
        std::lock_guard lock(mutex_);
        const auto before = Booked(described);
        const auto& columns = now.columns.columns;
        const auto masks = BIWA_TRY(MasksOf(now, columns));
        const bool is_certain =
            !FindExchanged(before, columns, masks) && !FindSuccessors(before, columns, masks) &&
            std::all_of(columns.begin(), columns.end(), [&](const Column& column) {
                const auto place = described.clear->Find(column.name);
                const auto number = place ? described.clear->columns[*place].number : 0;
                return number == 0 || column.number == 0 || number == column.number;
            });
        if (is_certain) return {};
        return Fail(ErrorKind::kConflict,
                    fmt::format("columns of {} may have exchanged their names", now.ToString()));
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
            if (ShowsMore(BIWA_TRY(MaskNow(table, before)), BIWA_TRY(MaskNow(table, now)))) {
                return Renamed(table, before, now);
            }
        }
        return {};
    }

    // Clear columns that got other names are gone by the ones that they had.
    void NoteDropped(TableChanges& changes) {
        if (changes.dropped.empty() && changes.renamed.empty()) return;
        std::lock_guard lock(mutex_);
        SourceTable table;
        table.schema = changes.schema;
        table.name = changes.name;
        for (const auto& [before, now] : changes.renamed) {
            const auto is_masked = IsMasked(table, before);
            if (is_masked && !*is_masked) changes.dropped.push_back(SmallLetters(before));
        }
        tables_[table.ToString()].dropped.insert(changes.dropped.begin(), changes.dropped.end());
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
        // Of changes that have come since the books were read: the columns of the last ones, and
        // those of them, in small letters, that the log has said were dropped then.
        std::vector<BookedColumn> latest;
        std::set<std::string> dropped;
    };

    // Whether that is a table of this dataset, which has been copied: only then its id is one of
    // this source.
    bool HasBooks(const std::string& target) const { return books_.columns.contains(target); }

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
        const auto known = books_.columns.find(other_target);
        if (known == books_.columns.end()) return false;
        std::set<std::string> columns;
        for (const auto& column : known->second) {
            if (column.is_here) columns.insert(SmallLetters(column.name));
        }
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
        const auto found = books_.record.find((beside ? BesideTable(target) : target).name);
        return found == books_.record.end() ? nullptr : &found->second;
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
        std::string mask = {};  // BookedColumn::mask
        // Whether the source had it when it was read last; one that was gone then does not come
        // again under another name.
        bool was_there = true;
    };
    // Those of the warehouse. Null where it has none.
    const std::vector<BookedColumn>* BookedOf(const SourceTable& table) const {
        return books_.Find(TargetTable(dataset_, table.schema, table.name));
    }
    // One that was made anew numbers its columns anew.
    bool IsAnother(const SourceTable& table) const {
        const auto target = TargetTable(dataset_, table.schema, table.name);
        const auto there = books_.stream_tables.find(SmallLetters(target.name));
        return there != books_.stream_tables.end() && !table.id.empty() &&
               !there->second.id.empty() && there->second.id != table.id;
    }
    std::vector<KnownColumn> KnownColumns(const SourceTable& table, const Table& state) const {
        std::vector<KnownColumn> known;
        std::set<std::string> names;
        const auto* booked = BookedOf(table);
        if (booked != nullptr) {
            const bool is_another = IsAnother(table);
            for (const auto& one : *booked) {
                known.push_back({one.name, is_another ? 0 : one.number, one.mask});
                names.insert(SmallLetters(one.name));
            }
        }
        if (const auto* recorded = Recorded(table, false)) {
            for (const auto& [column, text] : *recorded) {
                if (names.contains(SmallLetters(column))) continue;
                known.push_back({column, 0, text.substr(0, text.find(" by ")), booked == nullptr});
            }
        }
        for (const auto& schema : state.schemas) {
            for (std::size_t i = 0; i < schema.masks.size(); ++i) {
                const auto& column = schema.clear->columns[i];
                known.push_back({column.name, column.number,
                                 schema.masks[i] ? ToString(*schema.masks[i]) : std::string()});
            }
        }
        return known;
    }

    // For columns of changes: the catalogue may have been read later than these were written, and a
    // name that it had for a column by then tells nothing of one that is what it was in the changes
    // before, or in the warehouse: by name, number and mask.
    std::vector<KnownColumn> KnownBefore(const SourceTable& table, const TableSchema& columns,
                                         const Table& state) const {
        auto known = KnownColumns(table, state);
        auto before = state.latest;
        if (const auto* booked = BookedOf(table); before.empty() && booked && !IsAnother(table)) {
            before = *booked;
        }
        std::map<std::int32_t, std::string> same;  // name by number
        for (const auto& one : before) {
            const auto place = columns.Find(one.name);
            if (!place || one.number == 0 || columns.columns[*place].number != one.number) continue;
            const auto mask = MaskNow(table, one.name);
            if (mask && *mask == one.mask) same[one.number] = one.name;
        }
        std::erase_if(known, [&](const KnownColumn& one) {
            const auto found = same.find(one.number);
            return found != same.end() && found->second != one.name;
        });
        return known;
    }

    // Leaves out the masks of columns that were called otherwise for a while, and are called now
    // what shows no more: nobody could name them as they were. Only of those in the warehouse's
    // books, which tell them at the next look too, after a restart as well.
    Status Forgive(std::vector<KnownColumn>& known, const SourceTable& table,
                   const Table& state) const {
        const auto* booked = BookedOf(table);
        if (booked == nullptr || IsAnother(table)) return {};
        for (const auto& now : state.clear.columns.columns) {
            const auto is_it = [&](const auto& one) {
                return now.number != 0 && one.number == now.number;
            };
            if (std::none_of(booked->begin(), booked->end(), is_it)) continue;
            const auto mask = BIWA_TRY(MaskNow(table, now.name));
            const bool shows_more = std::any_of(
                known.begin(), known.end(),
                [&](const KnownColumn& one) { return is_it(one) && ShowsMore(one.mask, mask); });
            if (shows_more) continue;
            for (auto& one : known) {
                if (is_it(one)) one.mask.clear();
            }
        }
        return {};
    }

    static void Refuse(SourceTable& table, std::string why, std::string mend) {
        table.refusal = std::move(why);
        table.mend_sql = std::move(mend);
        // Nothing of it may be read, and nobody should take it for readable.
        table.columns = {};
    }

    Result<std::vector<std::string>> MasksOf(const SourceTable& table,
                                             const std::vector<Column>& columns) const {
        std::vector<std::string> masks;
        for (const auto& column : columns) {
            masks.push_back(BIWA_TRY(MaskNow(table, column.name)));
        }
        return masks;
    }

    // Of many the first ones.
    static std::string Names(const std::vector<std::string>& names, const char* between) {
        constexpr std::size_t kNamed = 10;
        const auto end =
            names.begin() + static_cast<std::ptrdiff_t>(std::min(kNamed, names.size()));
        auto text = fmt::format("{}", fmt::join(names.begin(), end, between));
        if (names.size() > kNamed) text += fmt::format(" ({} in all)", names.size());
        return text;
    }
    static std::string Exchanged(const MaskDoubt& doubt) {
        return fmt::format(
            "has column {} where {} was, which is masked: columns were moved, or have exchanged "
            "their names",
            doubt.now.front(), doubt.masked);
    }
    static std::string Succeeded(const MaskDoubt& doubt) {
        return fmt::format(
            "has lost a column, and the log was not read that says how: {} may be {}, which was "
            "masked, under another name",
            Names(doubt.now, " or "), doubt.masked);
    }
    static std::string Mend(const std::string& table, const MaskDoubt& doubt) {
        return fmt::format(
            "mask {} as well (in {}; of a key only `hash` will do), and `biwa apply`: it is copied "
            "anew. If the values are what they were before, take that out again then",
            Names(doubt.now, " and "), table);
    }

    // Where columns have no numbers, one that would be clear may be one that is masked, for all
    // that the warehouse and the source say.
    Status RefuseDoubtful(SourceTable& table) const {
        const auto& now = table.columns.columns;
        const auto masks = BIWA_TRY(MasksOf(table, now));
        const auto target = TargetTable(dataset_, table.schema, table.name);
        const auto name = table.ToString();
        if (const auto* before = books_.Find(target)) {
            if (const auto doubt = FindExchanged(*before, now, masks)) {
                Refuse(table, Exchanged(*doubt), Mend(name, *doubt));
                return {};
            }
        }
        // What becomes of those that are followed is read in the log.
        const auto copied = books_.Find(BesideTable(target)) ? BesideTable(target) : target;
        const auto* before = books_.Find(copied);
        if (before == nullptr || books_.IsFollowed(copied)) return {};
        if (const auto doubt = FindSuccessors(*before, now, masks)) {
            Refuse(table, Succeeded(*doubt), Mend(name, *doubt));
        }
        return {};
    }

    static std::vector<BookedColumn> Booked(const MaskedTable& table) {
        std::vector<BookedColumn> columns;
        for (std::size_t i = 0; i < table.masks.size(); ++i) {
            const auto& column = table.clear->columns[i];
            columns.push_back({column.name, column.number, static_cast<std::int32_t>(i + 1),
                               ToSql(column.type),
                               table.masks[i] ? ToString(*table.masks[i]) : std::string()});
        }
        return columns;
    }

    // The same of columns in changes. kConflict, which says why.
    Status CheckOrder(const SourceTable& table, const std::vector<Column>& columns,
                      const Table& state) const {
        const auto* booked = BookedOf(table);
        auto before = state.latest;
        if (!before.empty()) {
            // They tell.
        } else if (booked != nullptr) {
            before = *booked;
        } else if (!state.schemas.empty()) {
            // Made since it was asked for.
            before = Booked(state.schemas.front());
        }
        std::erase_if(before, [&](const BookedColumn& one) {
            return state.dropped.contains(SmallLetters(one.name));
        });
        const auto masks = BIWA_TRY(MasksOf(table, columns));
        if (const auto doubt = FindExchanged(before, columns, masks)) {
            return Fail(ErrorKind::kConflict, Exchanged(*doubt));
        }
        if (const auto doubt = FindSuccessors(before, columns, masks)) {
            return Fail(ErrorKind::kConflict, Succeeded(*doubt));
        }
        return {};
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

    // By what the policy says of its name; as people write it, and empty where it is clear.
    Result<std::string> MaskNow(const SourceTable& table, const std::string& column) const {
        const auto mask = BIWA_TRY(FindMask(policy_, table, column));
        return mask ? ToString(*mask) : std::string();
    }
    Result<bool> IsMasked(const SourceTable& table, const std::string& column) const {
        return !BIWA_TRY(MaskNow(table, column)).empty();
    }

    // That nothing which is masked comes in clear because its column has another name now. Where
    // columns have numbers these tell, whatever names were exchanged; else a masked column has gone
    // and another has come.
    Status CheckRenamed(const SourceTable& table, const TableSchema& columns,
                        const std::vector<KnownColumn>& known) const {
        if (known.empty()) return {};
        const auto lost = policy_.by_default ? std::vector<std::string>() : LostOf(table, columns);
        for (const auto& column : columns.columns) {
            const auto mask = BIWA_TRY(MaskNow(table, column.name));
            const bool is_named = IsNamed(policy_, table, column.name);
            bool is_known = false;
            std::string before;
            for (const auto& one : known) {
                if (!one.was_there) continue;
                is_known = is_known || one.name == column.name;
                if (!ShowsMore(one.mask, mask) || one.name == column.name) continue;
                const bool is_same = column.number != 0 && column.number == one.number;
                const bool may_be_same =
                    (column.number == 0 || one.number == 0) && !columns.Find(one.name).has_value();
                // Who has named the column, and its old name no more, knows what it is.
                if (is_same && (!is_named || BIWA_TRY(IsMasked(table, one.name)))) {
                    return Renamed(table, one.name, column.name);
                }
                if (may_be_same) before = one.name;
            }
            if (!mask.empty() || is_known || is_named) continue;
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

    // Where columns have numbers, those of changes that have none were dropped since, and their
    // names do not tell which they were: a masked one may have got the name of one that was clear,
    // and have gone by it. Such changes have all columns of then in the order of their numbers.
    // kConflict.
    Status CheckGone(const SourceTable& table, const TableSchema& columns,
                     const std::vector<KnownColumn>& known) const {
        const auto& then = columns.columns;
        std::set<std::int32_t> placed;
        for (const auto& column : then) placed.insert(column.number);
        std::set<std::int32_t> open;  // numbers that are known, and none of these columns'
        bool has_numbers = placed.size() > 1;
        for (const auto& one : known) {
            has_numbers = has_numbers || one.number != 0;
            if (one.number != 0 && !placed.contains(one.number)) open.insert(one.number);
        }
        if (!has_numbers || !placed.contains(0)) return {};
        const auto newest = std::max(open.empty() ? 0 : *open.rbegin(), *placed.rbegin());
        for (std::size_t begin = 0; begin < then.size(); ++begin) {
            if (then[begin].number != 0) continue;
            auto end = begin;
            while (end < then.size() && then[end].number == 0) ++end;
            const auto low = begin == 0 ? 0 : then[begin - 1].number;
            const auto high = std::max(low + 1, end == then.size() ? newest + 1 : then[end].number);
            const auto numbers = static_cast<std::size_t>(high - low - 1);
            const std::vector<std::int32_t> between(open.upper_bound(low), open.lower_bound(high));
            for (auto i = begin; i < end; ++i) {
                const auto mask = BIWA_TRY(MaskNow(table, then[i].name));
                for (const auto& one : known) {
                    if (one.name == then[i].name || !ShowsMore(one.mask, mask)) continue;
                    const auto found = std::find(between.begin(), between.end(), one.number);
                    const auto before = found - between.begin(), behind = between.end() - found;
                    // Those in front of it were some of these too; so were those behind it, unless
                    // they came later than all that is known.
                    const bool may_be = found != between.end() &&
                                        before >= static_cast<std::ptrdiff_t>(i - begin) &&
                                        (end == then.size() || numbers > between.size() ||
                                         behind >= static_cast<std::ptrdiff_t>(end - i));
                    const bool is_unknown =
                        one.number == 0 && one.was_there && !columns.Find(one.name);
                    if (!may_be && !is_unknown) continue;
                    return Fail(ErrorKind::kConflict,
                                fmt::format("column {} was dropped since, and may have been {}, "
                                            "which is masked, under another name",
                                            then[i].name, one.name));
                }
            }
            begin = end;
        }
        return {};
    }

    tl::unexpected<Error> Renamed(const SourceTable& table, const std::string& before,
                                  const std::string& now) const {
        const auto mask = FindMask(policy_, table, now);
        const auto* const what = mask && *mask ? "is masked otherwise" : "would be clear";
        return UserError(
            fmt::format(
                "column {1} of {0} was masked, and is called {2} now, which {3}. Nothing of it was "
                "copied",
                table.ToString(), before, now, what),
            fmt::format("Name {0}.{2} in masks, and what {0}.{1} is now, if it is there; and `biwa "
                        "apply`.",
                        table.ToString(), before, now));
    }

    const MaskPolicy policy_;
    Warehouse& warehouse_;
    const TargetDataset dataset_;
    const std::string stream_;
    mutable std::mutex mutex_;  // guards all below
    KeyedHash hash_;
    MaskBooks books_;
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
        const auto clear_table = masking_->Clear(table);
        auto rows = BIWA_TRY(clear_->Read(clear_table, clear_range));
        if (!masked.is_masked()) return rows;
        BIWA_TRY(clear_->CheckColumns(clear_table));
        return MaskRows(std::move(rows), std::move(masked), masking_->hash());
    }

    Status CheckColumns(const SourceTable& table) override {
        return clear_->CheckColumns(masking_->Clear(table));
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
            auto found = masking_->ForChanges(part);
            if (!found && found.error().kind == ErrorKind::kConflict) {
                Withhold(part, std::move(found).error().message);
                continue;
            }
            const auto table = BIWA_TRY(std::move(found));
            masking_->NoteDropped(part);
            if (!table.is_masked()) {
                part.columns = table.masked;
                continue;
            }
            if (!part.unchanged.empty() && table.has_masked_key()) masking_->Remember(table, part);
            BIWA_TRY(MaskChanges(table, part, hash_));
        }
        if (batch->commit) masking_->Committed(batch->commit->order);
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
        withheld.columns = std::move(part.columns);
        withheld.rows = RowStore(withheld.columns->columns);
        withheld.recopy = std::move(why);
        part = std::move(withheld);
    }

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
        BIWA_TRY(masking_->ReadBooks());
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
    Status Publish(const std::vector<SourceTable>& tables,
                   const std::set<std::string>& as_they_are) override {
        return clear_->Publish(masking_->Clear(tables), as_they_are);
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
        auto rows = BIWA_TRY(clear_->ReadRows(clear_table, clear_keys));
        if (!masked.is_masked()) return rows;
        // As they are while the rows are being read.
        for (const auto& now : BIWA_TRY(clear_->Tables({table.ToString()}, IfMissing::kPassOver))) {
            BIWA_TRY(masking_->CheckStill(masked, now));
        }
        return MaskRows(std::move(rows), std::move(masked), masking_->hash());
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

Result<std::unique_ptr<StreamSource>> MaskSource(std::unique_ptr<StreamSource> source,
                                                 MaskPolicy policy, Warehouse& warehouse,
                                                 const TargetDataset& dataset,
                                                 const std::string& stream) {
    if (policy.empty() && !AnyMasked(BIWA_TRY(ReadMaskRecord(warehouse, dataset.name)))) {
        return source;
    }
    return std::make_unique<MaskedSource>(
        std::move(source),
        std::make_shared<Masking>(std::move(policy), warehouse, dataset, stream));
}

}  // namespace biwa
