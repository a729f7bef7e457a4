// What ChangeBuffer gives beyond whole rows and keys: rows that lack values, and every change as it
// was.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "base/check.h"
#include "replication/change_buffer.h"
#include "replication/item_source.h"

namespace biwa {

// Not such as a column of a table might have.
std::string ChangeBuffer::KeepName(std::size_t column) {
    return fmt::format("biwa keep {}", column);
}

std::string ChangeBuffer::OriginName(std::size_t key_column) {
    return fmt::format("biwa origin {}", key_column);
}

std::vector<std::size_t> ChangeBuffer::partial_columns() const {
    std::set<std::size_t> columns;
    for (const auto& [row, partial] : partials_) {
        columns.insert(partial.columns.begin(), partial.columns.end());
    }
    return {columns.begin(), columns.end()};
}

std::vector<Column> ChangeBuffer::PartialColumns(const std::vector<std::size_t>& kept) const {
    auto columns = columns_->columns;
    for (const auto column : kept) {
        columns.push_back({KeepName(column), {TypeId::kBool}, false, ""});
    }
    for (std::size_t i = 0; i < columns_->key.size(); ++i) {
        auto origin = columns_->columns[columns_->key[i]];
        origin.name = OriginName(i);
        columns.push_back(std::move(origin));
    }
    return columns;
}

template <typename PartialAt>
void ChangeBuffer::FillPartial(std::size_t count, const std::vector<std::size_t>& kept, Cells* to,
                               const PartialAt& partial_at) const {
    for (const auto column : kept) {
        for (std::size_t i = 0; i < count; ++i) {
            const auto& lacking = partial_at(i).columns;
            to->Set<std::uint8_t>(
                i, std::binary_search(lacking.begin(), lacking.end(), column) ? 1 : 0);
        }
        ++to;
    }
    for (std::size_t k = 0; k < columns_->key.size(); ++k, ++to) {
        CopyColumn(count, *to, [&](std::size_t i) {
            const auto& origin = partial_at(i).origin;
            return CellPlace{&KeyCells(origin, k), origin.row};
        });
        for (std::size_t i = 0; i < count; ++i) {
            if (partial_at(i).is_nowhere) to->SetNull(i);
        }
    }
}

std::unique_ptr<RowSource> ChangeBuffer::PartialRows() const {
    struct Item {
        RowRef row;
        const Partial* partial;
    };
    std::vector<Item> items;
    if (!partials_.empty()) {
        for (const auto& entry : entries_) {
            const auto* partial = entry.alive ? PartialOf(entry.row) : nullptr;
            if (partial != nullptr) items.push_back({entry.row, partial});
        }
    }
    const auto kept = partial_columns();
    const auto size = items.size();
    return MakeItemSource(
        PartialColumns(kept), size,
        [this, items = std::move(items), kept](std::size_t begin, std::size_t end,
                                               RowBlock& block) {
            for (std::size_t column = 0; column < columns_->columns.size(); ++column) {
                CopyColumn(end - begin, block.columns[column], [&](std::size_t i) {
                    const auto& row = items[begin + i].row;
                    return CellPlace{&parts_[row.part].rows.cells(column), row.row};
                });
            }
            FillPartial(end - begin, kept, &block.columns[columns_->columns.size()],
                        [&](std::size_t i) -> const Partial& { return *items[begin + i].partial; });
        });
}

const std::vector<Column>& ChangeBuffer::HistoryColumns() {
    static const std::vector<Column> columns = {
        {"biwa operation", {TypeId::kText}, false, ""},
        {"biwa commit", {TypeId::kInt64}, false, ""},
        {"biwa commit time", {TypeId::kTimestampTz}, false, ""},
        {"biwa sequence", {TypeId::kInt64}, false, ""},
    };
    return columns;
}

std::vector<ChangeBuffer::HistoryItem> ChangeBuffer::HistoryItems(bool is_partial) const {
    std::vector<HistoryItem> items;
    if (is_partial && partials_.empty()) return items;
    items.reserve(is_partial ? partials_.size() : changes_);
    for (std::uint32_t number = 0; number < parts_.size(); ++number) {
        const auto& part = parts_[number];
        BIWA_CHECK(part.kinds.empty() || !part.origins.empty());
        const auto* run = part.origins.data();
        const auto* const runs_end = run + part.origins.size();
        auto key_change = part.key_changes.begin();
        for (std::uint32_t row = 0; row < part.kinds.size(); ++row) {
            while (run + 1 < runs_end && (run + 1)->row <= row) ++run;
            const auto kind = part.kinds[row];
            if (key_change != part.key_changes.end() && key_change->row == row) {
                if (!is_partial) {
                    items.push_back(
                        {{number, key_change->old_key, true}, "moved", row, run, nullptr});
                }
                ++key_change;
            }
            const auto* partial = kind == ChangeKind::kUpdate ? PartialOf({number, row}) : nullptr;
            if ((partial != nullptr) != is_partial) continue;
            items.push_back({{number, row, false},
                             kind == ChangeKind::kInsert   ? "insert"
                             : kind == ChangeKind::kUpdate ? "update"
                                                           : "delete",
                             row,
                             run,
                             partial});
        }
    }
    return items;
}

std::unique_ptr<RowSource> ChangeBuffer::HistorySource(bool is_partial, Micros not_before) const {
    auto items = HistoryItems(is_partial);
    const auto kept = is_partial ? partial_columns() : std::vector<std::size_t>();
    auto columns = is_partial ? PartialColumns(kept) : columns_->columns;
    const auto operation = columns.size();
    const auto& more = HistoryColumns();
    columns.insert(columns.end(), more.begin(), more.end());
    // Where a column stands in the old keys, if it does.
    std::vector<std::optional<std::size_t>> in_key(columns_->columns.size());
    for (std::size_t i = 0; i < columns_->key.size(); ++i) in_key[columns_->key[i]] = i;
    const auto size = items.size();
    return MakeItemSource(
        std::move(columns), size,
        [this, is_partial, not_before, operation, kept, in_key = std::move(in_key),
         items = std::move(items)](std::size_t begin, std::size_t end, RowBlock& block) {
            const auto count = end - begin;
            for (std::size_t column = 0; column < columns_->columns.size(); ++column) {
                CopyColumn(count, block.columns[column], [&](std::size_t i) {
                    const auto& place = items[begin + i].place;
                    const auto& part = parts_[place.part];
                    if (!place.in_old_keys) return CellPlace{&part.rows.cells(column), place.row};
                    const auto key = in_key[column];
                    return CellPlace{key ? &part.old_keys.cells(*key) : nullptr, place.row};
                });
            }
            if (is_partial) {
                FillPartial(
                    count, kept, &block.columns[columns_->columns.size()],
                    [&](std::size_t i) -> const Partial& { return *items[begin + i].partial; });
            }
            auto* const to = &block.columns[operation];
            for (std::size_t i = 0; i < count; ++i) {
                const auto& item = items[begin + i];
                const auto& origin = item.run->origin;
                to[0].Set(i, StringCell::Of(item.operation, std::strlen(item.operation)));
                to[1].Set(i, static_cast<std::int64_t>(origin.commit));
                to[2].Set(i, std::max(not_before, origin.commit_time));
                to[3].Set(i, static_cast<std::int64_t>(origin.sequence) + item.row - item.run->row);
            }
        });
}

std::unique_ptr<RowSource> ChangeBuffer::History(Micros not_before) const {
    return HistorySource(false, not_before);
}

std::unique_ptr<RowSource> ChangeBuffer::PartialHistory(Micros not_before) const {
    return HistorySource(true, not_before);
}

}  // namespace biwa
