#include "replication/target_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.h"
#include "replication/masking.h"

namespace biwa {

namespace {

constexpr std::string_view kBesidePrefix = "_biwa_beside_";
constexpr std::string_view kFormer = "_biwa_former_";  // within a transaction
constexpr std::string_view kMasked = "masked: ";
constexpr std::string_view kAfterMask = "; ";
constexpr const char* kKept = "is not at the source any more; its last values are kept";
constexpr std::string_view kCalled = "is called ";
constexpr std::string_view kNow = " at the source now";

std::string CalledNow(const std::string& name) {
    return std::string(kCalled) + name + std::string(kNow);
}

bool SaysItIsGone(std::string_view comment) {
    return comment == kKept || (comment.starts_with(kCalled) && comment.ends_with(kNow));
}

// How many decimal digits a whole number of the type may have.
int Digits(const Type& type) {
    switch (type.id) {
        case TypeId::kInt16:
            return 5;
        case TypeId::kInt32:
            return 10;
        case TypeId::kInt64:
            return 19;
        default:
            return 0;
    }
}

struct StoredColumn : TargetBooks::Entry {
    Column column = {};
};

// The warehouse finds names whatever their capitals.
std::string OfTarget(const TableName& target) {
    return fmt::format("dataset = {} AND lower(table_name) = lower({})",
                       QuoteLiteral(target.dataset), QuoteLiteral(target.name));
}

Result<std::vector<StoredColumn>> ReadStored(WriteTransaction& transaction, const TableName& target,
                                             const TargetBooks& books) {
    std::vector<StoredColumn> stored;
    const auto rows =
        BIWA_TRY(transaction.Query(fmt::format("SELECT * FROM {} LIMIT 0", target.ToSql())));
    for (const auto& column : rows->columns()) {
        const auto* known = books.Find(target.name, column.name);
        stored.push_back({known == nullptr ? TargetBooks::Entry() : *known, column});
    }
    return stored;
}

Result<std::string> CommentOf(WriteTransaction& transaction, const TableName& target,
                              const std::string& column) {
    const auto rows = BIWA_TRY(transaction.Query(fmt::format(
        "SELECT coalesce(comment, '') FROM duckdb_columns() WHERE schema_name = {} AND "
        "lower(table_name) = lower({}) AND lower(column_name) = lower({}) AND database_name = "
        "current_database()",
        QuoteLiteral(target.dataset), QuoteLiteral(target.name), QuoteLiteral(column))));
    const auto* block = BIWA_TRY(rows->Next());
    return block == nullptr ? std::string() : std::string(block->columns[0].GetString(0));
}

// What no stream made: tables that are in no books of columns, and views that stand for no renamed
// table.
std::string TakenSql(const std::string& dataset) {
    return fmt::format(
        "SELECT lower(table_name) AS name FROM duckdb_tables() AS t WHERE schema_name = {0} AND "
        "database_name = current_database() AND NOT EXISTS (FROM _biwa.stream_columns AS c "
        "WHERE c.dataset = {0} AND lower(c.table_name) = lower(t.table_name)) "
        "UNION ALL SELECT lower(view_name) FROM duckdb_views() WHERE schema_name = {0} AND "
        "database_name = current_database() AND NOT internal AND "
        "NOT (coalesce(comment, '') LIKE '{1}%{2}')",
        QuoteLiteral(dataset), kCalled, kNow);
}

// The first column's texts.
Result<std::set<std::string>> ReadNames(Result<std::unique_ptr<RowStream>> answer) {
    std::set<std::string> names;
    const auto rows = BIWA_TRY(std::move(answer));
    while (const auto* block = BIWA_TRY(rows->Next())) {
        for (std::size_t row = 0; row < block->rows; ++row) {
            names.emplace(block->columns[0].GetString(row));
        }
    }
    return names;
}

// Makes room for the target, where it is not there: a table that was renamed at the source has left
// a view under its old name. kUser where the name is of something that is not ours.
Status MakeRoom(WriteTransaction& transaction, const TableName& target, DatasetLook& look) {
    if (look.taken.contains(SmallLetters(target.name))) {
        return UserError(fmt::format("the warehouse has a {} already, which no stream made: it is "
                                     "left as it is",
                                     target.ToString()),
                         "Give that another name, or the stream another dataset.");
    }
    if (look.views.erase(SmallLetters(target.name)) == 0) return {};
    return transaction.Execute("DROP VIEW " + target.ToSql());
}

// The engine tries each way of compressing on all values and keeps the best; for texts, looking for
// those that repeat costs a quarter of the whole copy. Where they do not, it keeps FSST: that alone
// is then tried. (Bytes may be such that it makes them larger.) FSST is a third of the whole copy.
const char* Compression(const Column& column, TextStorage texts) {
    const bool is_text = column.type.id == TypeId::kText || column.type.id == TypeId::kJson;
    if (!is_text || !column.seldom_repeats) return "";
    return texts == TextStorage::kPlain ? " USING COMPRESSION uncompressed"
                                        : " USING COMPRESSION fsst";
}

Status MakeRoom(WriteTransaction& transaction, const TableName& target) {
    auto look = BIWA_TRY(DatasetLook::Read(transaction, target.dataset, target.name));
    return MakeRoom(transaction, target, look);
}

std::string MaskComment(const std::string& mask) { return std::string(kMasked) + mask; }

// The text, behind the mask that the comment before has.
std::string BehindMask(const std::string& before, const std::string& text) {
    const auto mask = MaskOfComment(before);
    return mask.empty() ? text : MaskComment(mask) + std::string(kAfterMask) + text;
}

// What is said behind the mask.
std::string SaidBehindMask(const std::string& comment) {
    const auto mask = MaskOfComment(comment);
    if (mask.empty()) return comment;
    return comment.substr(
        std::min(comment.size(), kMasked.size() + mask.size() + kAfterMask.size()));
}

// A row of _biwa.stream_columns.
void AppendBooks(const TableName& target, const Column& column, std::int32_t number,
                 bool is_withheld, std::string& books) {
    books += fmt::format("{}({}, {}, {}, {}, '{}', {}, {}, {}, NULL)", books.empty() ? "" : ", ",
                         QuoteLiteral(target.dataset), QuoteLiteral(target.name),
                         QuoteLiteral(column.name), number, ToSql(column.type), column.place,
                         QuoteLiteral(column.type_at_source), is_withheld);
}

std::string Comment(const TableName& target, const std::string& column, const std::string& text) {
    return fmt::format("COMMENT ON COLUMN {}.{} IS {}", target.ToSql(), QuoteIdentifier(column),
                       text.empty() ? "NULL" : QuoteLiteral(text));
}

void AppendGone(const TableName& target, const std::string& column, const std::string& comment,
                std::vector<std::string>& steps) {
    steps.push_back(Comment(target, column, comment));
    // What rows got that were there when it came is not for those that come now.
    steps.push_back(fmt::format("ALTER TABLE {} ALTER COLUMN {} DROP DEFAULT", target.ToSql(),
                                QuoteIdentifier(column)));
}

}  // namespace

Result<TargetBooks> TargetBooks::Read(WriteTransaction& transaction, const std::string& dataset,
                                      const std::string& table) {
    TargetBooks books;
    const auto of_table =
        table.empty() ? std::string()
                      : fmt::format(" AND lower(table_name) = lower({})", QuoteLiteral(table));
    const auto rows = BIWA_TRY(transaction.Query(fmt::format(
        "SELECT table_name, column_name, number, type, NULL, place, is_withheld, type_at_source "
        "FROM "
        "_biwa.stream_columns WHERE dataset = {0}{1} UNION ALL SELECT table_name, column_name, 0, "
        "'', comment, 0, false, '' FROM duckdb_columns() WHERE schema_name = {0}{1} AND comment IS "
        "NOT "
        "NULL AND database_name = current_database()",
        QuoteLiteral(dataset), of_table)));
    while (const auto* block = BIWA_TRY(rows->Next())) {
        for (std::size_t row = 0; row < block->rows; ++row) {
            const auto& columns = block->columns;
            auto& entries = columns[6].Get<bool>(row) ? books.withheld_ : books.columns_;
            auto& column = entries[{SmallLetters(std::string(columns[0].GetString(row))),
                                    SmallLetters(std::string(columns[1].GetString(row)))}];
            if (columns[4].IsNull(row)) {
                column.number = columns[2].Get<std::int32_t>(row);
                column.type = columns[3].GetString(row);
                column.place = columns[5].Get<std::int32_t>(row);
                column.type_at_source = columns[7].GetString(row);
            } else {
                column.comment = columns[4].GetString(row);
            }
        }
    }
    return books;
}

const TargetBooks::Entry* TargetBooks::Find(const std::string& table,
                                            const std::string& column) const {
    const auto found = columns_.find({SmallLetters(table), SmallLetters(column)});
    return found == columns_.end() ? nullptr : &found->second;
}

std::map<std::string, TargetBooks::Entry> TargetBooks::Withheld(const std::string& table) const {
    std::map<std::string, Entry> found;
    const auto name = SmallLetters(table);
    for (auto one = withheld_.lower_bound({name, ""});
         one != withheld_.end() && one->first.first == name; ++one) {
        found.emplace(one->first.second, one->second);
    }
    return found;
}

void TargetBooks::Forget(const std::string& table) {
    const auto name = SmallLetters(table);
    for (auto* const entries : {&columns_, &withheld_}) {
        const auto begin = entries->lower_bound({name, ""});
        auto end = begin;
        while (end != entries->end() && end->first.first == name) ++end;
        entries->erase(begin, end);
    }
}

Result<DatasetLook> DatasetLook::Read(WriteTransaction& transaction, const std::string& dataset,
                                      const std::string& table) {
    const auto name = QuoteLiteral(SmallLetters(table));
    const auto of_table = table.empty() ? std::string() : " WHERE name = " + name;
    DatasetLook look;
    look.books = BIWA_TRY(TargetBooks::Read(transaction, dataset, table));
    look.taken = BIWA_TRY(ReadNames(
        transaction.Query(fmt::format("SELECT name FROM ({}){}", TakenSql(dataset), of_table))));
    look.views = BIWA_TRY(ReadNames(transaction.Query(
        fmt::format("SELECT name FROM (SELECT lower(view_name) AS name FROM duckdb_views() WHERE "
                    "schema_name = {} AND database_name = current_database()){}",
                    QuoteLiteral(dataset), of_table))));
    return look;
}

TableName TargetTable(const TargetDataset& dataset, const std::string& source_schema,
                      const std::string& source_table) {
    return {dataset.name, source_schema == dataset.usual_schema
                              ? source_table
                              : source_schema + "__" + source_table};
}

std::string MaskOfComment(const std::string& comment) {
    if (!comment.starts_with(kMasked)) return "";
    const auto mask = comment.substr(kMasked.size());
    return mask.substr(0, mask.find(kAfterMask));
}

std::string WithoutKey(const std::string& mask) { return mask.substr(0, mask.find(" by ")); }

TableName BesideTable(const TableName& target) {
    return {target.dataset, std::string(kBesidePrefix) + target.name};
}

bool IsBesideTable(const std::string& name) { return name.starts_with(kBesidePrefix); }

bool Widens(const Type& from, const Type& to) {
    if (from == to) return true;
    const bool is_whole = Digits(from) > 0;
    const auto places_before = [](const Type& type) { return type.width - type.scale; };
    switch (to.id) {
        case TypeId::kInt32:
        case TypeId::kInt64:
            return is_whole && Digits(from) < Digits(to);
        case TypeId::kInt128:
            return is_whole;
        case TypeId::kDouble:
            return from.id == TypeId::kFloat || from.id == TypeId::kInt16 ||
                   from.id == TypeId::kInt32;
        case TypeId::kDecimal:
            if (is_whole) return places_before(to) >= Digits(from);
            return from.id == TypeId::kDecimal && to.scale >= from.scale &&
                   places_before(to) >= places_before(from);
        case TypeId::kText:
            return is_whole || from.id == TypeId::kDecimal || from.id == TypeId::kUuid ||
                   from.id == TypeId::kBool;
        case TypeId::kList:
            return from.id == TypeId::kList && Widens(*from.element, *to.element);
        default:
            return false;
    }
}

Result<TargetFit> FitTarget(WriteTransaction& transaction, const TableName& target,
                            const TableSchema& columns) {
    return FitTarget(transaction, target, columns,
                     BIWA_TRY(TargetBooks::Read(transaction, target.dataset, target.name)));
}

Result<TargetFit> FitTarget(WriteTransaction& transaction, const TableName& target,
                            const TableSchema& columns, const TargetBooks& all_books) {
    // The warehouse finds names whatever their capitals.
    auto stored = BIWA_TRY(ReadStored(transaction, target, all_books));
    std::map<std::string, StoredColumn*> by_name;
    std::map<std::int32_t, StoredColumn*> by_number;
    for (auto& one : stored) {
        by_name[SmallLetters(one.column.name)] = &one;
        if (one.number != 0) by_number[one.number] = &one;
    }
    std::map<std::string, bool> at_source;
    for (const auto& column : columns.columns) at_source[SmallLetters(column.name)] = true;

    // Books and comments are written together.
    const bool is_new = std::all_of(stored.begin(), stored.end(),
                                    [](const StoredColumn& one) { return one.type.empty(); });

    TargetFit fit;
    std::string books;
    bool books_changed = false, places_changed = false;
    const auto stands_as = [](const TargetBooks::Entry& entry, const Column& column) {
        return entry.place == column.place && entry.type_at_source == column.type_at_source;
    };
    std::map<std::string, std::string> new_name;
    for (const auto& column : columns.columns) {
        const auto name = QuoteIdentifier(column.name);
        const auto by = by_name.find(SmallLetters(column.name));
        const auto* found = by == by_name.end() ? nullptr : by->second;
        // Where the source does not say, a column is the one that has its name.
        const auto number = column.number != 0 || found == nullptr ? column.number : found->number;
        const auto known = by_number.find(number);
        const bool is_renamed = known != by_number.end() && known->second != found &&
                                !at_source.contains(SmallLetters(known->second->column.name)) &&
                                known->second->type == ToSql(column.type) &&
                                (found == nullptr || found->number == 0);
        // Made for a change that was not committed then, and is read again: it is in no book yet. A
        // column that is kept has a comment.
        const bool is_ahead = found != nullptr && found->number == 0 && !is_renamed &&
                              (is_new || found->comment.empty());
        if (found != nullptr && !by_number.empty() && !is_renamed && !is_ahead &&
            found->number != number) {
            fit.recopy = fmt::format("column {} is another than before", column.name);
            return fit;
        }
        // Its values would have to be found under its old name, in another type.
        const bool is_converted = known != by_number.end() && known->second != found &&
                                  !is_renamed &&
                                  !at_source.contains(SmallLetters(known->second->column.name));
        // The source does not know the name any more: it may have been one of several of a column
        // that this table has.
        const bool may_be_renamed =
            found == nullptr && column.number == 0 &&
            std::any_of(by_number.begin(), by_number.end(), [&](const auto& one) {
                return !at_source.contains(SmallLetters(one.second->column.name));
            });
        if (is_converted || may_be_renamed) {
            fit.recopy = fmt::format("column {} was renamed, and more", column.name);
            return fit;
        }
        AppendBooks(target, column, number, false, books);
        books_changed = books_changed || found == nullptr || found->number != number ||
                        found->type != ToSql(column.type);
        places_changed = places_changed || (found != nullptr && !stands_as(*found, column));
        if (found != nullptr) {
            const auto& comment = found->comment;
            const auto mask = MaskOfComment(comment);
            if (SaysItIsGone(SaidBehindMask(comment))) {
                if (column.number == 0) fit.back.push_back(column.name);
                fit.comments.push_back(
                    Comment(target, found->column.name, mask.empty() ? "" : MaskComment(mask)));
            }
        }
        bool has_old_values = is_renamed;
        if (is_renamed) {
            const auto& old_name = known->second->column.name;
            if (MaskOfComment(known->second->comment) != column.mask) {
                // What is NULL anyway needs nothing of what was.
                has_old_values = false;
                if (column.mask != "null") {
                    fit.recopy = fmt::format("column {} was {} and is masked otherwise",
                                             column.name, old_name);
                    return fit;
                }
            }
            new_name[old_name] = column.name;
            if (has_old_values) {
                fit.renamed.emplace_back(old_name, column.name);
                fit.before_rows.push_back(fmt::format("UPDATE {} SET {} = {}", target.ToSql(), name,
                                                      QuoteIdentifier(old_name)));
            }
            // One that was kept may have the name: its values make room.
            if (found != nullptr && found->column.type != column.type) {
                fit.recopy = fmt::format("column {} is another than before", column.name);
                return fit;
            }
        }
        if (found == nullptr) {
            if (!is_renamed && column.fill_unknown) {
                fit.recopy = fmt::format(
                    "column {} was added with values for the rows that were there", column.name);
                return fit;
            }
            // The rows that are there are not sent again: they get here what they got at the
            // source. As a plain literal: a default that has to be calculated makes DuckDB change a
            // setting, and settings are locked.
            const auto fill = column.fill && !is_renamed ? " DEFAULT " + QuoteLiteral(*column.fill)
                                                         : std::string();
            fit.alter.push_back(fmt::format("ALTER TABLE {} ADD COLUMN {} {}{}", target.ToSql(),
                                            name, ToSql(column.type), fill));
            if (!column.mask.empty()) {
                fit.alter.push_back(Comment(target, column.name, MaskComment(column.mask)));
            }
            continue;
        }
        if (is_new) {
            if (!column.mask.empty()) {
                fit.alter.push_back(Comment(target, column.name, MaskComment(column.mask)));
            }
        } else if (MaskOfComment(found->comment) != column.mask) {
            fit.recopy = fmt::format("column {} is masked otherwise", column.name);
            return fit;
        }
        // The target may be ahead of the books: it was altered for a change that is read again.
        const auto& there = found->column.type;
        const bool is_as_before = found->type.empty() || found->type == ToSql(column.type);
        if (is_as_before && Widens(column.type, there)) continue;
        if (!Widens(there, column.type)) {
            fit.recopy =
                fmt::format("column {} was {} and has become {}", column.name,
                            found->type.empty() ? ToSql(there) : found->type, ToSql(column.type));
            return fit;
        }
        if (there == column.type) continue;
        fit.alter.push_back(fmt::format("ALTER TABLE {} ALTER COLUMN {} TYPE {}", target.ToSql(),
                                        name, ToSql(column.type)));
    }
    for (const auto& one : stored) {
        if (at_source.contains(SmallLetters(one.column.name))) continue;
        // It came too early, for a change that is read again: all rows have in it what the engine
        // gives those too that are written until then.
        if (!is_new && one.type.empty() && !SaysItIsGone(SaidBehindMask(one.comment))) continue;
        fit.kept.push_back(one.column);
        if (one.type.empty()) continue;
        books_changed = true;
        const auto renamed = new_name.find(one.column.name);
        const auto comment =
            BehindMask(one.comment,
                       renamed == new_name.end() ? std::string(kKept) : CalledNow(renamed->second));
        if (one.comment != comment) AppendGone(target, one.column.name, comment, fit.alter);
    }
    const auto withheld = all_books.Withheld(target.name);
    bool has_same_withheld = withheld.size() == columns.withheld.size();
    for (const auto& column : columns.withheld) {
        AppendBooks(target, column, column.number, true, books);
        const auto found = withheld.find(SmallLetters(column.name));
        const bool is_same = found != withheld.end() && found->second.number == column.number;
        has_same_withheld = has_same_withheld && is_same;
        places_changed = places_changed || !is_same || !stands_as(found->second, column);
    }
    places_changed = places_changed || !has_same_withheld;
    if (!books_changed && !places_changed) return fit;
    fit.may_be_booked_ahead = !books_changed && has_same_withheld;
    auto& steps = books_changed ? fit.before_rows : fit.books;
    steps.push_back("DELETE FROM _biwa.stream_columns WHERE " + OfTarget(target));
    steps.push_back("INSERT INTO _biwa.stream_columns VALUES " + books);
    return fit;
}

Result<GoneMarks> MarkGone(WriteTransaction& transaction, const TableName& target,
                           const std::vector<std::string>& columns, const NewNames& renamed) {
    GoneMarks marks;
    const auto books = BIWA_TRY(TargetBooks::Read(transaction, target.dataset, target.name));
    const auto stored = BIWA_TRY(ReadStored(transaction, target, books));
    std::set<std::string> meant;
    for (const auto& column : columns) meant.insert(SmallLetters(column));
    std::map<std::string, std::string> new_names;
    for (const auto& [before, now] : renamed) new_names.emplace(SmallLetters(before), now);
    std::string gone, names, masks, given;
    const auto in_small_letters = [](const std::string& column) {
        return fmt::format("lower({})", QuoteLiteral(column));
    };
    const auto take_out = [&](const std::string& column, const std::string& mask) {
        const auto written = in_small_letters(column);
        const auto now = new_names.find(SmallLetters(column));
        if (now == new_names.end()) {
            gone += (gone.empty() ? "" : ", ") + written;
            return;
        }
        given += (given.empty() ? "" : ", ") + written;
        names += fmt::format(" WHEN {} THEN {}", written, QuoteLiteral(now->second));
        masks += fmt::format(" WHEN {} THEN {}", written, QuoteLiteral(mask));
    };
    for (const auto& [column, entry] : books.Withheld(target.name)) {
        const bool is_known =
            meant.contains(column) || (new_names.contains(column) && entry.place != 0);
        if (is_known) take_out(column, ToString(Mask{MaskKind::kDrop, 0}));
    }
    for (const auto& one : stored) {
        const auto name = SmallLetters(one.column.name);
        const bool is_meant = meant.contains(name);
        const bool has_place = !one.type.empty() && one.place != 0;
        if ((is_meant && !one.type.empty()) || (has_place && new_names.contains(name))) {
            take_out(one.column.name, WithoutKey(MaskOfComment(one.comment)));
        }
        if (!is_meant || SaysItIsGone(SaidBehindMask(one.comment))) continue;
        AppendGone(target, one.column.name, BehindMask(one.comment, kKept), marks.alter);
    }
    if (!gone.empty()) {
        marks.books.push_back(
            fmt::format("DELETE FROM _biwa.stream_columns WHERE {} AND lower(column_name) IN ({})",
                        OfTarget(target), gone));
    }
    if (!given.empty()) {
        // All at once: names may have been exchanged.
        marks.books.push_back(fmt::format(
            "UPDATE _biwa.stream_columns SET column_name = CASE lower(column_name){} END, "
            "mask_before = coalesce(mask_before, CASE lower(column_name){} END), is_withheld = "
            "true WHERE {} AND lower(column_name) IN ({})",
            names, masks, OfTarget(target), given));
    }
    return marks;
}

Result<std::string> PrepareTarget(WriteTransaction& transaction, const TableName& target,
                                  const TableSchema& columns, TextStorage texts) {
    auto look = BIWA_TRY(DatasetLook::Read(transaction, target.dataset, target.name));
    return PrepareTarget(transaction, target, columns, texts, look);
}

Result<std::string> PrepareTarget(WriteTransaction& transaction, const TableName& target,
                                  const TableSchema& columns, TextStorage texts,
                                  DatasetLook& look) {
    std::string definitions;
    for (const auto& column : columns.columns) {
        definitions +=
            fmt::format("{}{} {}{}", definitions.empty() ? "" : ", ", QuoteIdentifier(column.name),
                        ToSql(column.type), Compression(column, texts));
    }
    BIWA_TRY(transaction.Execute("CREATE SCHEMA IF NOT EXISTS " + QuoteIdentifier(target.dataset)));
    BIWA_TRY(MakeRoom(transaction, target, look));
    BIWA_TRY(transaction.Execute(
        fmt::format("CREATE TABLE IF NOT EXISTS {} ({})", target.ToSql(), definitions)));
    const auto fit = BIWA_TRY(FitTarget(transaction, target, columns, look.books));
    if (!fit.recopy.empty()) return fit.recopy;
    for (const auto& step : fit.alter) BIWA_TRY(transaction.Execute(step));
    for (const auto& step : fit.before_rows) BIWA_TRY(transaction.Execute(step));
    for (const auto& step : fit.books) BIWA_TRY(transaction.Execute(step));
    return std::string();
}

Status SwapIn(WriteTransaction& transaction, const TableName& beside, const TableName& target,
              const std::vector<std::string>& key) {
    std::vector<Column> there, copied;
    BIWA_TRY(MakeRoom(transaction, target));
    BIWA_TRY(transaction.Execute(fmt::format("CREATE TABLE IF NOT EXISTS {} AS FROM {} LIMIT 0",
                                             target.ToSql(), beside.ToSql())));
    const auto columns_of = [&](const TableName& table) -> Result<std::vector<Column>> {
        return BIWA_TRY(transaction.Query(fmt::format("FROM {} LIMIT 0", table.ToSql())))
            ->columns();
    };
    there = BIWA_TRY(columns_of(target));
    copied = BIWA_TRY(columns_of(beside));
    // What was kept of columns that the source has no more goes along, by key.
    std::string set, on;
    const auto find = [](const std::vector<Column>& columns, const std::string& name) {
        return std::find_if(columns.begin(), columns.end(), [&](const Column& one) {
            return SmallLetters(one.name) == SmallLetters(name);
        });
    };
    for (const auto& column : there) {
        if (find(copied, column.name) != copied.end()) continue;
        const auto name = QuoteIdentifier(column.name);
        BIWA_TRY(transaction.Execute(fmt::format("ALTER TABLE {} ADD COLUMN {} {}", beside.ToSql(),
                                                 name, ToSql(column.type))));
        const auto before = BIWA_TRY(CommentOf(transaction, target, column.name));
        BIWA_TRY(transaction.Execute(Comment(beside, column.name, BehindMask(before, kKept))));
        set += fmt::format("{}{} = t.{}", set.empty() ? "" : ", ", name, name);
    }
    bool has_key = !key.empty();
    for (const auto& column : key) {
        const auto name = QuoteIdentifier(column);
        const auto old = find(there, column), now = find(copied, column);
        has_key = has_key && old != there.end() && now != copied.end();
        if (!has_key) break;
        // Values of different types are compared as they read: to cast one to the other may fail.
        const auto* const as = old->type == now->type ? "" : "::VARCHAR";
        on += fmt::format("{}b.{}{} = t.{}{}", on.empty() ? "" : " AND ", name, as, name, as);
    }
    // The engine's log names the table of an UPDATE by what it is called when the transaction ends:
    // before its renaming the log would lead to the table that had the name until then.
    const TableName former{target.dataset, std::string(kFormer) + target.name};
    BIWA_TRY(transaction.Execute(
        fmt::format("ALTER TABLE {} RENAME TO {}; ALTER TABLE {} RENAME TO {}", target.ToSql(),
                    QuoteIdentifier(former.name), beside.ToSql(), QuoteIdentifier(target.name))));
    if (!set.empty() && has_key) {
        BIWA_TRY(transaction.Execute(fmt::format("UPDATE {} AS b SET {} FROM {} AS t WHERE {}",
                                                 target.ToSql(), set, former.ToSql(), on)));
    }
    BIWA_TRY(transaction.Execute(fmt::format("DROP TABLE {}", former.ToSql())));
    BIWA_TRY(transaction.Execute("DELETE FROM _biwa.stream_columns WHERE " + OfTarget(target)));
    return transaction.Execute(
        fmt::format("UPDATE _biwa.stream_columns SET table_name = {} WHERE {}",
                    QuoteLiteral(target.name), OfTarget(beside)));
}

Result<bool> IsTable(WriteTransaction& transaction, const TableName& target) {
    const auto rows = BIWA_TRY(transaction.Query(
        fmt::format("SELECT 1 FROM duckdb_tables() WHERE database_name = current_database() AND "
                    "schema_name = {} AND lower(table_name) = lower({})",
                    QuoteLiteral(target.dataset), QuoteLiteral(target.name))));
    return BIWA_TRY(rows->Next()) != nullptr;
}

Status RenameTarget(WriteTransaction& transaction, const TableName& from, const TableName& to) {
    if (SmallLetters(from.name) == SmallLetters(to.name)) {
        // The warehouse does not tell them apart.
        return transaction.Execute(
            fmt::format("UPDATE _biwa.stream_columns SET table_name = {} WHERE {}",
                        QuoteLiteral(to.name), OfTarget(from)));
    }
    // One that waits for its first copy is not here; what has its name is another's.
    if (!BIWA_TRY(IsTable(transaction, from))) return {};
    // It may be back at a name that it had before.
    BIWA_TRY(MakeRoom(transaction, to));
    return transaction.Execute(fmt::format(
        "ALTER TABLE {} RENAME TO {}; CREATE VIEW {} AS FROM {}; "
        "COMMENT ON VIEW {} IS {}; UPDATE _biwa.stream_columns SET table_name = {} WHERE {}",
        from.ToSql(), QuoteIdentifier(to.name), from.ToSql(), to.ToSql(), from.ToSql(),
        QuoteLiteral(CalledNow(to.name)), QuoteLiteral(to.name), OfTarget(from)));
}

Result<std::vector<std::string>> DropGoneColumns(WriteTransaction& transaction,
                                                 const TableName& target) {
    std::vector<std::string> gone;
    {
        const auto rows = BIWA_TRY(transaction.Query(fmt::format(
            "SELECT column_name, comment FROM duckdb_columns() WHERE schema_name = {} AND "
            "lower(table_name) = lower({}) AND comment IS NOT NULL AND database_name = "
            "current_database() ORDER BY column_index",
            QuoteLiteral(target.dataset), QuoteLiteral(target.name))));
        while (const auto* block = BIWA_TRY(rows->Next())) {
            for (std::size_t row = 0; row < block->rows; ++row) {
                const std::string comment(block->columns[1].GetString(row));
                if (SaysItIsGone(SaidBehindMask(comment))) {
                    gone.emplace_back(block->columns[0].GetString(row));
                }
            }
        }
    }
    for (const auto& column : gone) {
        BIWA_TRY(transaction.Execute(
            fmt::format("ALTER TABLE {} DROP COLUMN {}", target.ToSql(), QuoteIdentifier(column))));
    }
    return gone;
}

Status DropTarget(WriteTransaction& transaction, const TableName& target) {
    auto look = BIWA_TRY(DatasetLook::Read(transaction, target.dataset, target.name));
    return DropTarget(transaction, target, look);
}

Status DropTarget(WriteTransaction& transaction, const TableName& target, DatasetLook& look) {
    BIWA_TRY(MakeRoom(transaction, target, look));
    look.books.Forget(target.name);
    return transaction.Execute(
        fmt::format("DROP TABLE IF EXISTS {}; DELETE FROM _biwa.stream_columns WHERE {}",
                    target.ToSql(), OfTarget(target)));
}

Status DropOldNames(WriteTransaction& transaction, const TableName& target) {
    std::vector<std::string> views;
    {
        const auto rows = BIWA_TRY(transaction.Query(fmt::format(
            "SELECT view_name FROM duckdb_views() WHERE schema_name = {} AND comment = {} AND "
            "database_name = current_database()",
            QuoteLiteral(target.dataset), QuoteLiteral(CalledNow(target.name)))));
        while (const auto* block = BIWA_TRY(rows->Next())) {
            for (std::size_t row = 0; row < block->rows; ++row) {
                views.emplace_back(block->columns[0].GetString(row));
            }
        }
    }
    for (const auto& view : views) {
        const TableName old{target.dataset, view};
        BIWA_TRY(transaction.Execute("DROP VIEW IF EXISTS " + old.ToSql()));
        // Renamed more than once.
        BIWA_TRY(DropOldNames(transaction, old));
    }
    return {};
}

Result<std::set<std::string>> NamesTaken(Warehouse& warehouse, const std::string& dataset) {
    const auto session = BIWA_TRY(warehouse.OpenSession());
    return ReadNames(session->Query(TakenSql(dataset)));
}

}  // namespace biwa
