#include "replication/masked_tables.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "model/format.h"

namespace biwa {

namespace {

// Sets of columns of one table that may still be asked for.
constexpr std::size_t kSchemasKept = 16;

// With fewer columns tables look alike that have nothing to do with one another.
constexpr std::size_t kColumnsOfCopy = 3;

void Refuse(SourceTable& table, std::string why, std::string mend) {
    table.refusal = std::move(why);
    table.mend_sql = std::move(mend);
    // Nothing of it may be read, and nobody should take it for readable.
    table.columns = {};
}

// Of many the first ones.
std::string Names(const std::vector<std::string>& names, const char* between) {
    constexpr std::size_t kNamed = 10;
    const auto end = names.begin() + static_cast<std::ptrdiff_t>(std::min(kNamed, names.size()));
    auto text = fmt::format("{}", fmt::join(names.begin(), end, between));
    if (names.size() > kNamed) text += fmt::format(" ({} in all)", names.size());
    return text;
}

std::string Exchanged(const MaskDoubt& doubt) {
    return fmt::format(
        "has column {} where {} was, which is masked: columns were moved, or have exchanged "
        "their names",
        doubt.now.front(), doubt.masked);
}

std::string Succeeded(const MaskDoubt& doubt) {
    return fmt::format(
        "has lost a column, and the log was not read that says how: {} may be {}, which was "
        "masked, under another name",
        Names(doubt.now, " or "), doubt.masked);
}

std::string Mend(const std::string& table, const MaskDoubt& doubt) {
    return fmt::format(
        "mask {} as well (in {}; of a key only `hash` will do), and `biwa apply`: it is copied "
        "anew. If the values are what they were before, take that out again then",
        Names(doubt.now, " and "), table);
}

std::vector<BookedColumn> Booked(const MaskedTable& table) {
    std::vector<BookedColumn> columns;
    for (std::size_t i = 0; i < table.masks.size(); ++i) {
        const auto& column = table.clear->columns[i];
        columns.push_back({column.name, column.number, static_cast<std::int32_t>(i + 1),
                           ToSql(column.type),
                           table.masks[i] ? ToString(*table.masks[i]) : std::string()});
    }
    return columns;
}

}  // namespace

Status MaskedTables::ReadBooks() {
    auto books = BIWA_TRY(MaskBooks::Read(warehouse_, dataset_, stream_));
    std::lock_guard lock(mutex_);
    books_ = std::move(books);
    // What of that was not applied is read again, and said again.
    for (auto& [key, table] : tables_) {
        table.latest.clear();
        table.dropped.clear();
    }
    return {};
}

KeyedHash MaskedTables::hash() const {
    std::lock_guard lock(mutex_);
    return hash_;
}

MaskedTables::Table& MaskedTables::Describing(const SourceTable& clear) {
    const auto name = clear.ToString();
    auto& latest = described_[name];
    if (latest != clear.id) {
        // Of those before that one changes may still come.
        for (auto one = tables_.lower_bound({name, ""});
             one != tables_.end() && one->first.first == name;) {
            one = one->first.second == latest ? std::next(one) : tables_.erase(one);
        }
        latest = clear.id;
    }
    return tables_[{name, clear.id}];
}

std::vector<const MaskedTables::Table*> MaskedTables::Find(const SourceTable& masked) const {
    const auto name = masked.ToString();
    std::vector<const Table*> found;
    const auto add = [&](const std::string& id) {
        const auto one = tables_.find({name, id});
        if (one != tables_.end()) found.push_back(&one->second);
    };
    add(masked.id);
    const auto latest = described_.find(name);
    if (latest != described_.end() && latest->second != masked.id) add(latest->second);
    return found;
}

SourceTable MaskedTables::TableOf(const TableChanges& changes) const {
    SourceTable table;
    table.schema = changes.schema;
    table.name = changes.name;
    table.id = changes.id;
    const auto latest = described_.find(table.ToString());
    if (table.id.empty() && latest != described_.end()) table.id = latest->second;
    return table;
}

bool MaskedTables::IsDescribed(const SourceTable& table) const {
    const auto latest = described_.find(table.ToString());
    return latest != described_.end() && latest->second == table.id;
}

Result<SourceTable> MaskedTables::Describe(SourceTable clear) {
    std::lock_guard lock(mutex_);
    auto& state = Describing(clear);
    BIWA_TRY(CheckRenamed(clear, clear.columns, KnownColumns(clear, state)));
    state.clear = clear;
    state.kept = KeptMasks(clear);
    clear.is_masked_by_name = true;
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
    if (auto other = FindOther(clear, *masked)) return tl::unexpected(std::move(*other));
    for (const auto& lost : LostOf(clear, clear.columns)) {
        clear.notes.push_back(fmt::format("masks name {}, which is not there any more", lost));
    }
    clear.columns = *masked->masked;
    clear.masks = masked->Describe();
    Keep(state, std::move(*masked));
    return clear;
}

std::optional<Error> MaskedTables::FindOther(const SourceTable& clear,
                                             const MaskedTable& masked) const {
    if (stream_.empty()) return std::nullopt;
    for (const bool beside : {false, true}) {
        const auto* recorded = Recorded(clear, beside);
        if (recorded == nullptr) continue;
        auto followed = *recorded;
        if (const auto* booked = BookedOf(clear); booked != nullptr && !beside) {
            // One that had gone, and is back, is not written to: with another mask the table is
            // copied anew.
            std::erase_if(followed, [&](const auto& column) {
                return std::none_of(booked->begin(), booked->end(), [&](const BookedColumn& one) {
                    return SmallLetters(one.name) == SmallLetters(column.first);
                });
            });
        }
        if (auto other = FindOtherMask(policy_, masked, clear, followed)) return other;
    }
    return std::nullopt;
}

std::vector<std::string> MaskedTables::LostTables(const std::vector<SourceTable>& clear) const {
    std::vector<std::string> lost;
    if (policy_.by_default) return lost;
    for (const auto& one : FindLostMasks(policy_, clear)) {
        if (one.table == nullptr && IsMask(one.columns)) lost.push_back(one.columns);
    }
    return lost;
}

bool MaskedTables::MayBe(const std::string& lost, const SourceTable& table) const {
    std::lock_guard lock(mutex_);
    if (Recorded(table, false) != nullptr) return false;
    return std::any_of(
        table.columns.columns.begin(), table.columns.columns.end(), [&](const Column& column) {
            return lost.ends_with("." + column.name) && !IsNamed(policy_, table, column.name);
        });
}

Result<std::string> MaskedTables::MayBeCopyOf(const SourceTable& table) const {
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

SourceTable MaskedTables::Clear(const SourceTable& masked) const {
    std::lock_guard lock(mutex_);
    for (const auto* state : Find(masked)) {
        if (state->clear.name.empty()) continue;
        auto clear = state->clear;
        clear.id = masked.id;
        return clear;
    }
    return masked;
}

std::vector<SourceTable> MaskedTables::Clear(const std::vector<SourceTable>& masked) const {
    std::vector<SourceTable> clear;
    for (const auto& table : masked) clear.push_back(Clear(table));
    return clear;
}

Result<MaskedTable> MaskedTables::ForChanges(const TableChanges& changes) {
    std::lock_guard lock(mutex_);
    const auto table = TableOf(changes);
    auto& state = tables_[{table.ToString(), table.id}];
    for (const auto& known : state.schemas) {
        if (known.clear == changes.columns) return known;
    }
    // Of one that is not at the source any more, all that was masked is.
    if (state.clear.name.empty()) state.kept = KeptMasks(table);
    BIWA_TRY(CheckGone(table, *changes.columns, KnownColumns(table, state)));
    auto known = KnownBefore(table, *changes.columns, state);
    if (auto checked = CheckRenamed(table, *changes.columns, known); !checked) {
        BIWA_TRY(Forgive(known, table, state));
        // Nobody could name columns of a table that has not this name any more.
        if (IsDescribed(table) && !CheckRenamed(table, *changes.columns, known)) {
            return tl::unexpected(checked.error());
        }
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

Status MaskedTables::CheckStill(const MaskedTable& described, const SourceTable& now) const {
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

Status MaskedTables::CheckNames(const TableChanges& changes) const {
    std::lock_guard lock(mutex_);
    const auto table = TableOf(changes);
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

void MaskedTables::NoteDropped(TableChanges& changes) {
    if (changes.dropped.empty() && changes.renamed.empty()) return;
    std::lock_guard lock(mutex_);
    const auto table = TableOf(changes);
    for (const auto& [before, now] : changes.renamed) {
        const auto is_masked = IsMasked(table, before);
        if (is_masked && !*is_masked) changes.dropped.push_back(SmallLetters(before));
    }
    tables_[{table.ToString(), table.id}].dropped.insert(changes.dropped.begin(),
                                                         changes.dropped.end());
}

Status MaskedTables::Hear(TableChanges& changes) {
    std::lock_guard lock(mutex_);
    const auto table = TableOf(changes);
    auto& state = tables_[{table.ToString(), table.id}];
    if (state.heard_in != changes.columns) {
        std::vector<TableChanges::HeardColumn> heard;
        for (const auto& column : changes.columns->columns) {
            auto mask = BIWA_TRY(MaskNow(table, column.name));
            if (column.number == 0 || mask.empty()) continue;
            heard.push_back({column.number, column.name, std::move(mask)});
        }
        for (const auto& one : changes.may_be) {
            auto mask = BIWA_TRY(MaskNow(table, one.name));
            if (!mask.empty()) heard.push_back({one.number, one.name, std::move(mask)});
        }
        state.heard_in = changes.columns;
        state.heard =
            std::make_shared<const std::vector<TableChanges::HeardColumn>>(std::move(heard));
    }
    changes.heard = state.heard;
    return {};
}

void MaskedTables::HearKnown(TableChanges& changes) const {
    std::lock_guard lock(mutex_);
    const auto table = TableOf(changes);
    const auto found = tables_.find({table.ToString(), table.id});
    if (found == tables_.end()) return;
    auto heard = changes.heard ? *changes.heard : std::vector<TableChanges::HeardColumn>();
    for (const auto& one : KnownColumns(table, found->second)) {
        if (one.number != 0 && !one.mask.empty()) {
            heard.push_back({one.number, one.name, one.mask});
        }
    }
    changes.heard =
        std::make_shared<const std::vector<TableChanges::HeardColumn>>(std::move(heard));
}

void MaskedTables::Remember(const MaskedTable& table, const TableChanges& changes) {
    std::lock_guard lock(mutex_);
    keys_.Remember(table, changes, hash_);
}

void MaskedTables::Committed(std::uint64_t order) {
    std::lock_guard lock(mutex_);
    keys_.Commit(order);
}

void MaskedTables::Durable(std::uint64_t order) {
    std::lock_guard lock(mutex_);
    keys_.Forget(order);
}

Result<MaskedTable> MaskedTables::ForRows(const SourceTable& masked) const {
    std::lock_guard lock(mutex_);
    for (const auto* state : Find(masked)) {
        for (const auto& known : state->schemas) {
            if (known.masked->columns == masked.columns.columns) return known;
        }
    }
    return Corrupt(
        fmt::format("rows of {} are asked for in columns that it never had", masked.ToString()));
}

Status MaskedTables::Unmask(const MaskedTable& table, std::vector<std::string>& key) const {
    std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < table.clear->key.size(); ++i) {
        if (!table.masks[table.clear->key[i]]) continue;
        const auto* clear = keys_.Find(key[i]);
        if (clear == nullptr) return Corrupt("the clear value of a hashed key is not known");
        key[i] = *clear;
    }
    return {};
}

Result<std::string> MaskedTables::ClearHere(const SourceTable& table,
                                            const SourceTable& other) const {
    for (const auto& column : table.columns.columns) {
        if (IsNamed(policy_, table, column.name)) continue;
        if (!BIWA_TRY(FindMask(policy_, other, column.name))) continue;
        return other.ToString() + "." + column.name;
    }
    return {};
}

bool MaskedTables::IsLike(const SourceTable& table, const std::string& other_target,
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

void MaskedTables::Keep(Table& state, MaskedTable masked) {
    state.schemas.push_front(std::move(masked));
    if (state.schemas.size() > kSchemasKept) state.schemas.pop_back();
}

bool MaskedTables::IsMask(const std::string& columns) const {
    return std::any_of(policy_.masks.begin(), policy_.masks.end(),
                       [&](const MaskPolicy::Rule& rule) { return rule.columns == columns; });
}

const std::map<std::string, std::string>* MaskedTables::Recorded(const SourceTable& table,
                                                                 bool beside) const {
    const auto target = TargetTable(dataset_, table.schema, table.name);
    const auto found = books_.record.find((beside ? BesideTable(target) : target).name);
    return found == books_.record.end() ? nullptr : &found->second;
}

std::map<std::string, Mask> MaskedTables::KeptMasks(const SourceTable& table) const {
    std::map<std::string, Mask> kept;
    const auto* recorded = Recorded(table, false);
    if (recorded == nullptr) return kept;
    for (const auto& [column, text] : *recorded) {
        if (text.empty() || table.columns.Find(column)) continue;
        const auto mask = ParseMask(WithoutKey(text));
        kept[column] = mask.value_or(Mask{MaskKind::kNull, 0});
    }
    return kept;
}

const std::vector<BookedColumn>* MaskedTables::BookedOf(const SourceTable& table) const {
    return books_.Find(TargetTable(dataset_, table.schema, table.name));
}

bool MaskedTables::IsAnother(const SourceTable& table) const {
    const auto target = TargetTable(dataset_, table.schema, table.name);
    const auto there = books_.stream_tables.find(SmallLetters(target.name));
    return there != books_.stream_tables.end() && !table.id.empty() && !there->second.id.empty() &&
           there->second.id != table.id;
}

std::vector<MaskedTables::KnownColumn> MaskedTables::KnownColumns(const SourceTable& table,
                                                                  const Table& state) const {
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
            known.push_back({column, 0, WithoutKey(text), booked == nullptr});
        }
    }
    // Where it is followed the books say all.
    const auto heard = books_.heard.find(table.id);
    if (heard != books_.heard.end() &&
        !books_.IsFollowed(TargetTable(dataset_, table.schema, table.name))) {
        for (const auto& one : heard->second) known.push_back({one.name, one.number, one.mask});
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

std::vector<MaskedTables::KnownColumn> MaskedTables::KnownBefore(const SourceTable& table,
                                                                 const TableSchema& columns,
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

Status MaskedTables::Forgive(std::vector<KnownColumn>& known, const SourceTable& table,
                             const Table& state) const {
    const auto* booked = BookedOf(table);
    if (booked == nullptr || IsAnother(table)) return {};
    for (const auto& now : state.clear.columns.columns) {
        const auto is_it = [&](const KnownColumn& one) {
            return now.number != 0 && one.number == now.number;
        };
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

Result<std::vector<std::string>> MaskedTables::MasksOf(const SourceTable& table,
                                                       const std::vector<Column>& columns) const {
    std::vector<std::string> masks;
    for (const auto& column : columns) {
        masks.push_back(BIWA_TRY(MaskNow(table, column.name)));
    }
    return masks;
}

Status MaskedTables::RefuseDoubtful(SourceTable& table) const {
    const auto& now = table.columns.columns;
    const auto masks = BIWA_TRY(MasksOf(table, now));
    const auto target = TargetTable(dataset_, table.schema, table.name);
    const auto name = table.ToString();
    // What becomes of those that are followed is read in the log.
    const auto copied = books_.Find(BesideTable(target)) ? BesideTable(target) : target;
    const auto* before = books_.Find(copied);
    std::optional<MaskDoubt> succeeded;
    if (before != nullptr && !books_.IsFollowed(copied)) {
        succeeded = FindSuccessors(*before, now, masks);
    }
    before = books_.Find(target);
    auto exchanged = before == nullptr ? std::nullopt : FindExchanged(*before, now, masks);
    if (exchanged) {
        const auto why = Exchanged(*exchanged);
        if (succeeded) {
            for (auto& one : succeeded->now) {
                if (one != exchanged->now.front()) exchanged->now.push_back(std::move(one));
            }
        }
        Refuse(table, why, Mend(name, *exchanged));
    } else if (succeeded) {
        Refuse(table, Succeeded(*succeeded), Mend(name, *succeeded));
    }
    return {};
}

Status MaskedTables::CheckOrder(const SourceTable& table, const std::vector<Column>& columns,
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

std::vector<std::string> MaskedTables::LostOf(const SourceTable& table,
                                              const TableSchema& columns) const {
    SourceTable now = table;
    now.columns = columns;
    std::vector<std::string> names;
    for (const auto& lost : FindLostMasks(policy_, {now})) {
        if (lost.table != nullptr && IsMask(lost.columns)) names.push_back(lost.columns);
    }
    return names;
}

Result<std::string> MaskedTables::MaskNow(const SourceTable& table,
                                          const std::string& column) const {
    const auto mask = BIWA_TRY(FindMask(policy_, table, column));
    return mask ? ToString(*mask) : std::string();
}

Result<bool> MaskedTables::IsMasked(const SourceTable& table, const std::string& column) const {
    return !BIWA_TRY(MaskNow(table, column)).empty();
}

Status MaskedTables::CheckRenamed(const SourceTable& table, const TableSchema& columns,
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

Status MaskedTables::CheckGone(const SourceTable& table, const TableSchema& columns,
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
                const bool is_unknown = one.number == 0 && one.was_there && !columns.Find(one.name);
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

tl::unexpected<Error> MaskedTables::Renamed(const SourceTable& table, const std::string& before,
                                            const std::string& now) const {
    const auto mask = FindMask(policy_, table, now);
    const auto* const what = mask && *mask ? "is masked otherwise" : "would be clear";
    return UserError(
        fmt::format(
            "column {1} of {0} was masked, and is called {2} now, which {3}. Nothing of it was "
            "copied",
            table.ToString(), before, now, what),
        fmt::format(
            "Name {0}.{2} in masks (\"*.{2}\" where it is called otherwise again), and what "
            "{0}.{1} is now, if it is there; and `biwa apply`.",
            table.ToString(), before, now));
}

}  // namespace biwa
