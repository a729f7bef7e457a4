#include "replication/mask_books.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <set>

#include "base/text.h"
#include "replication/stream_options.h"

namespace biwa {

namespace {

// Those of the books that are there: before the first stream none, and of a Biwa before this one
// not all.
Result<std::set<std::string>> FindBooks(ReadSession& session) {
    const auto rows = BIWA_TRY(
        session.Query("SELECT table_name FROM duckdb_tables() WHERE schema_name = '_biwa' AND "
                      "table_name IN ('stream_columns', 'heard_columns') AND database_name = "
                      "current_database()"));
    std::set<std::string> books;
    while (const auto* block = BIWA_TRY(rows->Next())) {
        for (std::size_t row = 0; row < block->rows; ++row) {
            books.emplace(block->columns[0].GetString(row));
        }
    }
    return books;
}

// The row's value of a column that books of a Biwa before this one may lack.
const Cells* CellsOf(const RowStream& rows, const RowBlock& block, const std::string& column) {
    const auto& columns = rows.columns();
    const auto found = std::find_if(columns.begin(), columns.end(),
                                    [&](const Column& one) { return one.name == column; });
    if (found == columns.end()) return nullptr;
    return &block.columns[static_cast<std::size_t>(found - columns.begin())];
}

Status ReadColumns(ReadSession& session, const std::string& dataset, MaskBooks& books) {
    const auto rows = BIWA_TRY(session.Query(fmt::format(
        "SELECT * FROM _biwa.stream_columns WHERE dataset = {}", QuoteLiteral(dataset))));
    std::set<std::pair<std::string, std::string>> seen;
    while (const auto* block = BIWA_TRY(rows->Next())) {
        const auto cells = [&](const char* column) { return CellsOf(*rows, *block, column); };
        const auto* places = cells("place");
        const auto* types = cells("type_at_source");
        const auto* withheld = cells("is_withheld");
        for (std::size_t row = 0; row < block->rows; ++row) {
            BookedColumn column;
            const std::string table(cells("table_name")->GetString(row));
            column.name = cells("column_name")->GetString(row);
            column.number = cells("number")->Get<std::int32_t>(row);
            if (places != nullptr) column.place = places->Get<std::int32_t>(row);
            if (types != nullptr) column.type = types->GetString(row);
            column.is_here = withheld == nullptr || withheld->Get<std::uint8_t>(row) == 0;
            if (!column.is_here) column.mask = ToString(Mask{MaskKind::kDrop, 0});
            if (const auto recorded = books.record.find(table); recorded != books.record.end()) {
                const auto mask = recorded->second.find(column.name);
                // Behind it stands by which key.
                if (column.is_here && mask != recorded->second.end()) {
                    column.mask = mask->second.substr(0, mask->second.find(" by "));
                }
            }
            const auto target = SmallLetters(table);
            if (!seen.emplace(target, SmallLetters(column.name)).second) continue;
            books.columns[target].push_back(std::move(column));
        }
    }
    for (auto& [table, columns] : books.columns) {
        std::stable_sort(
            columns.begin(), columns.end(),
            [](const BookedColumn& a, const BookedColumn& b) { return a.place < b.place; });
    }
    return {};
}

Status ReadTables(ReadSession& session, const TargetDataset& dataset, const std::string& stream,
                  MaskBooks& books) {
    const auto rows =
        BIWA_TRY(session.Query("SELECT stream, source_schema, source_table, source_id, phase FROM "
                               "_biwa.stream_tables ORDER BY stream"));
    const auto live = ToString(TablePhase::kLive);
    while (const auto* block = BIWA_TRY(rows->Next())) {
        for (std::size_t row = 0; row < block->rows; ++row) {
            const auto text = [&](std::size_t column) {
                return std::string(block->columns[column].GetString(row));
            };
            SourceTable table;
            table.schema = text(1);
            table.name = text(2);
            table.id = text(3);
            const auto target = TargetTable(dataset, table.schema, table.name);
            if (!stream.empty() && text(4) == live) {
                if (text(0) == stream) books.is_followed[SmallLetters(target.name)] = true;
                if (text(0) == JoinName(stream)) {
                    books.is_followed[SmallLetters(BesideTable(target).name)] = true;
                }
            }
            // Of one that is being copied beside itself, as it is here: a line's name comes before
            // that of the one beside it.
            books.stream_tables.emplace(SmallLetters(target.name), std::move(table));
        }
    }
    return {};
}

Status ReadHeard(ReadSession& session, MaskBooks& books) {
    const auto rows = BIWA_TRY(
        session.Query("SELECT source_id, column_name, mask, number FROM _biwa.heard_columns"));
    while (const auto* block = BIWA_TRY(rows->Next())) {
        for (std::size_t row = 0; row < block->rows; ++row) {
            const auto text = [&](std::size_t column) {
                return std::string(block->columns[column].GetString(row));
            };
            auto& heard = books.heard[text(0)].emplace_back();
            heard.name = text(1);
            heard.mask = text(2);
            heard.number = block->columns[3].Get<std::int32_t>(row);
        }
    }
    return {};
}

std::map<std::string, std::size_t> PlacesOf(const std::vector<Column>& columns) {
    std::map<std::string, std::size_t> places;
    for (std::size_t i = 0; i < columns.size(); ++i) places[SmallLetters(columns[i].name)] = i;
    return places;
}

bool HasOrder(const std::vector<BookedColumn>& before, const std::vector<Column>& now) {
    return std::all_of(before.begin(), before.end(),
                       [](const BookedColumn& one) { return one.place != 0; }) &&
           std::all_of(now.begin(), now.end(), [](const Column& one) { return one.number == 0; });
}

}  // namespace

Result<MaskRecord> ReadMaskRecord(Warehouse& warehouse, const std::string& dataset) {
    const auto session = BIWA_TRY(warehouse.OpenSession());
    // Views have columns too: that of a table under its former name, without any mark.
    const auto rows = BIWA_TRY(session->Query(fmt::format(
        "SELECT table_name, column_name, coalesce(comment, '') FROM duckdb_columns() "
        "WHERE schema_name = {0} AND database_name = current_database() AND table_oid IN "
        "(SELECT table_oid FROM duckdb_tables() WHERE schema_name = {0} AND database_name = "
        "current_database())",
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

Result<MaskBooks> MaskBooks::Read(Warehouse& warehouse, const TargetDataset& dataset,
                                  const std::string& stream) {
    MaskBooks books;
    books.record = BIWA_TRY(ReadMaskRecord(warehouse, dataset.name));
    const auto session = BIWA_TRY(warehouse.OpenSession());
    const auto there = BIWA_TRY(FindBooks(*session));
    if (!there.contains("stream_columns")) return books;
    BIWA_TRY(ReadColumns(*session, dataset.name, books));
    BIWA_TRY(ReadTables(*session, dataset, stream, books));
    if (there.contains("heard_columns")) BIWA_TRY(ReadHeard(*session, books));
    return books;
}

const std::vector<BookedColumn>* MaskBooks::Find(const TableName& target) const {
    const auto found = columns.find(SmallLetters(target.name));
    return found == columns.end() ? nullptr : &found->second;
}

bool MaskBooks::IsFollowed(const TableName& target) const {
    return is_followed.contains(SmallLetters(target.name));
}

bool ShowsMore(const std::string& was, const std::string& now) {
    static const std::set<std::string> nothing_to_see = {ToString(Mask{MaskKind::kDrop, 0}),
                                                         ToString(Mask{MaskKind::kNull, 0}),
                                                         ToString(Mask{MaskKind::kHash, 0})};
    return !was.empty() && now != was && !nothing_to_see.contains(now);
}

std::optional<MaskDoubt> FindExchanged(const std::vector<BookedColumn>& before,
                                       const std::vector<Column>& now,
                                       const std::vector<std::string>& masks) {
    if (!HasOrder(before, now)) return std::nullopt;
    const auto places = PlacesOf(now);
    std::vector<const BookedColumn*> stayed;
    std::set<std::size_t> places_now;
    for (const auto& one : before) {
        const auto found = places.find(SmallLetters(one.name));
        if (found == places.end()) continue;
        stayed.push_back(&one);
        places_now.insert(found->second);
    }
    // Names that only capitals tell apart are none here.
    if (places_now.size() != stayed.size()) return std::nullopt;
    auto place = places_now.begin();
    for (const auto* one : stayed) {
        const auto& column = now[*place];
        if (ShowsMore(one->mask, masks[*place]) &&
            SmallLetters(column.name) != SmallLetters(one->name)) {
            return MaskDoubt{one->name, {column.name}};
        }
        ++place;
    }
    return std::nullopt;
}

std::optional<MaskDoubt> FindSuccessors(const std::vector<BookedColumn>& before,
                                        const std::vector<Column>& now,
                                        const std::vector<std::string>& masks) {
    if (!HasOrder(before, now)) return std::nullopt;
    const auto there = PlacesOf(now);
    std::set<std::size_t> stayed;
    for (const auto& one : before) {
        if (const auto found = there.find(SmallLetters(one.name)); found != there.end()) {
            stayed.insert(found->second);
        }
    }
    const std::vector<std::size_t> order(stayed.begin(), stayed.end());
    if (order.size() >= before.size()) return std::nullopt;
    const auto gone = before.size() - order.size();
    // The k-th of those that have stayed may be the one that was k-th, or as many places further
    // as have gone. Whether it can be that one: by its own type, and as those in front of it, or
    // behind it, find places too.
    const auto fits = [&](std::size_t k, std::size_t further) {
        const auto& was = before[k + further];
        const auto& column = now[order[k]];
        return was.type.empty() || was.type == ToSql(column.type) ||
               SmallLetters(was.name) == SmallLetters(column.name);
    };
    using Row = std::vector<bool>;
    std::vector<Row> front(order.size(), Row(gone + 1)), back = front;
    for (std::size_t k = 0; k < order.size(); ++k) {
        bool is_free = k == 0;
        for (std::size_t further = 0; further <= gone; ++further) {
            is_free = is_free || front[k - 1][further];
            front[k][further] = is_free && fits(k, further);
        }
    }
    for (std::size_t k = order.size(); k-- > 0;) {
        bool is_free = k + 1 == order.size();
        for (std::size_t further = gone + 1; further-- > 0;) {
            is_free = is_free || back[k + 1][further];
            back[k][further] = is_free && fits(k, further);
        }
    }
    MaskDoubt doubt;
    for (std::size_t k = 0; k < order.size(); ++k) {
        const auto& column = now[order[k]];
        for (std::size_t further = 0; further <= gone; ++further) {
            const auto& was = before[k + further];
            if (!front[k][further] || !back[k][further] || !ShowsMore(was.mask, masks[order[k]]) ||
                SmallLetters(was.name) == SmallLetters(column.name)) {
                continue;
            }
            if (doubt.masked.empty()) doubt.masked = was.name;
            doubt.now.push_back(column.name);
            break;
        }
    }
    // One that has come since may be one that has gone.
    for (std::size_t i = 0; i < now.size(); ++i) {
        if (stayed.contains(i)) continue;
        for (const auto& was : before) {
            const bool may_be = ShowsMore(was.mask, masks[i]) &&
                                !there.contains(SmallLetters(was.name)) &&
                                (was.type.empty() || was.type == ToSql(now[i].type));
            if (!may_be) continue;
            if (doubt.masked.empty()) doubt.masked = was.name;
            doubt.now.push_back(now[i].name);
            break;
        }
    }
    if (doubt.now.empty()) return std::nullopt;
    return doubt;
}

}  // namespace biwa
