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
        const auto* masks_before = cells("mask_before");
        for (std::size_t row = 0; row < block->rows; ++row) {
            BookedColumn column;
            const std::string table(cells("table_name")->GetString(row));
            column.name = cells("column_name")->GetString(row);
            column.number = cells("number")->Get<std::int32_t>(row);
            if (places != nullptr) column.place = places->Get<std::int32_t>(row);
            if (types != nullptr) column.type = types->GetString(row);
            const auto dropped = ToString(Mask{MaskKind::kDrop, 0});
            // One that is called otherwise since is not what the target has by that name.
            const bool is_renamed = masks_before != nullptr && !masks_before->IsNull(row);
            const auto recorded = books.record.find(table);
            if (is_renamed) {
                column.mask = masks_before->GetString(row);
            } else if (withheld != nullptr && withheld->Get<std::uint8_t>(row) != 0) {
                column.mask = dropped;
            } else if (recorded != books.record.end()) {
                const auto mask = recorded->second.find(column.name);
                if (mask != recorded->second.end()) column.mask = WithoutKey(mask->second);
            }
            column.is_here = column.mask != dropped;
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

namespace {

// Columns whose names have stayed, and that do not stand as they did among each other: with each
// the one that stands there now.
std::vector<std::pair<const BookedColumn*, std::size_t>> OutOfOrder(
    const std::vector<BookedColumn>& before, const std::vector<Column>& now) {
    const auto places = PlacesOf(now);
    std::vector<const BookedColumn*> stayed;
    std::set<std::size_t> places_now;
    for (const auto& one : before) {
        const auto found = places.find(SmallLetters(one.name));
        if (found == places.end()) continue;
        stayed.push_back(&one);
        places_now.insert(found->second);
    }
    std::vector<std::pair<const BookedColumn*, std::size_t>> moved;
    // Names that only capitals tell apart are none here.
    if (places_now.size() != stayed.size()) return moved;
    auto place = places_now.begin();
    for (const auto* one : stayed) {
        if (SmallLetters(now[*place].name) != SmallLetters(one->name)) {
            moved.emplace_back(one, *place);
        }
        ++place;
    }
    return moved;
}

bool HasTypeOf(const BookedColumn& was, const Column& column) {
    return was.type.empty() || was.type == ToSql(column.type);
}

// Which columns of before those of now can be, were any renamed and none moved. The k-th of those
// whose names have stayed (`order`: their places) may be the one that was k-th, or as many places
// further as have gone: by its own type, and as those in front of it, and behind it, find places
// too.
class Successions {
  public:
    Successions(const std::vector<BookedColumn>& before, const std::vector<Column>& now,
                const std::vector<std::size_t>& order)
        : gone_(before.size() - order.size()),
          front_(order.size(), Row(gone_ + 1)),
          back_(order.size(), Row(gone_ + 1)) {
        const auto fits = [&](std::size_t k, std::size_t further) {
            const auto& was = before[k + further];
            const auto& column = now[order[k]];
            return HasTypeOf(was, column) || SmallLetters(was.name) == SmallLetters(column.name);
        };
        for (std::size_t k = 0; k < order.size(); ++k) {
            bool is_free = k == 0;
            for (std::size_t further = 0; further <= gone_; ++further) {
                is_free = is_free || front_[k - 1][further];
                front_[k][further] = is_free && fits(k, further);
            }
        }
        for (std::size_t k = order.size(); k-- > 0;) {
            bool is_free = k + 1 == order.size();
            for (std::size_t further = gone_ + 1; further-- > 0;) {
                is_free = is_free || back_[k + 1][further];
                back_[k][further] = is_free && fits(k, further);
            }
        }
    }

    // The k-th of them the j-th of before.
    bool CanBe(std::size_t k, std::size_t j) const {
        return j >= k && j <= k + gone_ && front_[k][j - k] && back_[k][j - k];
    }
    // One that is new, with k of them in front of it.
    bool NewCanBe(std::size_t k, std::size_t j) const {
        bool has_front = k == 0, has_back = k == front_.size();
        for (std::size_t further = 0; further <= gone_; ++further) {
            has_front = has_front || (k - 1 + further < j && front_[k - 1][further]);
            has_back = has_back || (k + further > j && back_[k][further]);
        }
        return has_front && has_back;
    }

  private:
    using Row = std::vector<bool>;  // one for each number of places further

    std::size_t gone_;
    std::vector<Row> front_, back_;
};

}  // namespace

std::optional<MaskDoubt> FindExchanged(const std::vector<BookedColumn>& before,
                                       const std::vector<Column>& now,
                                       const std::vector<std::string>& masks) {
    if (!HasOrder(before, now)) return std::nullopt;
    for (const auto& [one, place] : OutOfOrder(before, now)) {
        if (ShowsMore(one->mask, masks[place])) return MaskDoubt{one->name, {now[place].name}};
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
    const auto moved = OutOfOrder(before, now);
    if (order.size() >= before.size() && moved.empty()) return std::nullopt;
    const Successions successions(before, now, order);
    MaskDoubt doubt;
    const auto find_masked = [&](std::size_t place, const auto& can_be) {
        for (std::size_t j = 0; j < before.size(); ++j) {
            if (!ShowsMore(before[j].mask, masks[place]) || !can_be(j)) continue;
            if (doubt.masked.empty()) doubt.masked = before[j].name;
            doubt.now.push_back(now[place].name);
            return;
        }
    };
    // Where none has gone their order tells (FindExchanged).
    const bool has_gone = order.size() < before.size();
    for (std::size_t k = 0; has_gone && k < order.size(); ++k) {
        find_masked(order[k], [&](std::size_t j) {
            return successions.CanBe(k, j) &&
                   SmallLetters(before[j].name) != SmallLetters(now[order[k]].name);
        });
    }
    // One that has come since may be one that has gone, or one whose name another has by now: that
    // stands where it did not, then, or can be another by the order.
    for (std::size_t i = 0, k = 0; i < now.size(); ++i) {
        if (stayed.contains(i)) {
            ++k;
            continue;
        }
        find_masked(i, [&](std::size_t j) {
            const bool is_free = !there.contains(SmallLetters(before[j].name)) ||
                                 std::any_of(moved.begin(), moved.end(), [&](const auto& one) {
                                     return one.first == &before[j];
                                 });
            return HasTypeOf(before[j], now[i]) && (is_free || successions.NewCanBe(k, j));
        });
    }
    if (doubt.now.empty()) return std::nullopt;
    return doubt;
}

}  // namespace biwa
