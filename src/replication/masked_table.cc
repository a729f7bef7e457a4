#include "replication/masked_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

namespace biwa {

namespace {

bool IsKey(const TableSchema& columns, std::size_t column) {
    return std::find(columns.key.begin(), columns.key.end(), column) != columns.key.end();
}

Status CheckKey(const MaskPolicy& policy, const SourceTable& table, const std::string& column,
                const Mask& mask) {
    if (mask.kind == MaskKind::kHash) return {};
    const auto name = fmt::format("{}.{}", table.ToString(), column);
    if (policy.by_default && !IsNamed(policy, table, column)) {
        return UserError(fmt::format("{} is of the primary key, and nothing says what it is", name),
                         fmt::format("Name {} in clear, or hash it.", name));
    }
    return UserError(
        fmt::format("{} is of the primary key and cannot be masked by {}: rows would no longer be "
                    "told apart",
                    name, ToString(mask)),
        "Hash it, which keeps different values different, or leave it clear.");
}

// Stands before a column of the block that is being filled: what it is asked for is done to that.
class Passage final : public CellsOwner {
  public:
    void Enter(Cells& outer, Cells& inner) {
        outer_ = &outer;
        inner = outer;
        inner.owner = this;
    }
    void MakeValidity(Cells& inner) override {
        outer_->owner->MakeValidity(*outer_);
        inner.validity = outer_->validity;
    }
    Cells& GrowChild(Cells& inner, std::size_t size) override {
        auto& child = outer_->owner->GrowChild(*outer_, size);
        inner.child = &child;
        inner.child_size = size;
        return child;
    }

  private:
    Cells* outer_ = nullptr;
};

class MaskedReader final : public RowReader {
  public:
    MaskedReader(std::unique_ptr<RowReader> clear, MaskedTable table, const KeyedHash& hash)
        : clear_(std::move(clear)), table_(std::move(table)), hash_(hash) {
        std::vector<Column> columns;
        for (std::size_t i = 0; i < table_.masks.size(); ++i) {
            if (table_.masks[i]) columns.push_back(table_.clear->columns[i]);
        }
        beside_ = RowStore(columns);
        for (std::size_t i = 0; i < kBlockRows; ++i) beside_.AddRow();
        block_.columns.resize(table_.masks.size());
        passages_.resize(table_.masks.size());
    }

    Result<std::size_t> Fill(RowBlock& block) override {
        std::size_t beside = 0, outer = 0;
        for (std::size_t i = 0; i < table_.masks.size(); ++i) {
            const auto& mask = table_.masks[i];
            if (!mask) {
                passages_[i].Enter(block.columns[outer++], block_.columns[i]);
                continue;
            }
            auto& cells = beside_.cells(beside++);
            Empty(cells);
            passages_[i].Enter(cells, block_.columns[i]);
            if (mask->kind != MaskKind::kDrop) ++outer;
        }
        const auto rows = BIWA_TRY(clear_->Fill(block_));
        arena_.Clear();
        beside = outer = 0;
        for (const auto& mask : table_.masks) {
            const auto* from = mask ? &beside_.cells(beside++) : nullptr;
            if (mask && mask->kind == MaskKind::kDrop) continue;
            auto& to = block.columns[outer++];
            if (mask) MaskCells(*mask, *from, rows, to, arena_, hash_);
        }
        return rows;
    }

  private:
    static void Empty(Cells& cells) {
        cells.validity = nullptr;
        cells.child_size = 0;
        if (cells.child != nullptr) Empty(*cells.child);
    }

    const std::unique_ptr<RowReader> clear_;
    const MaskedTable table_;
    KeyedHash hash_;
    RowStore beside_;  // clear values of the masked columns
    RowBlock block_;   // all columns, for the clear reader
    std::deque<Passage> passages_;
    Arena arena_;
};

}  // namespace

bool MaskedTable::is_masked() const {
    return std::any_of(masks.begin(), masks.end(),
                       [](const std::optional<Mask>& mask) { return mask.has_value(); });
}

bool MaskedTable::has_masked_key() const {
    return !clear->key_repeats &&
           std::any_of(clear->key.begin(), clear->key.end(),
                       [&](std::size_t column) { return masks[column].has_value(); });
}

std::map<std::string, std::string> MaskedTable::Describe() const {
    std::map<std::string, std::string> described;
    for (std::size_t i = 0; i < masks.size(); ++i) {
        if (masks[i]) described[clear->columns[i].name] = ToString(*masks[i]);
    }
    return described;
}

Result<MaskedTable> MaskTable(const MaskPolicy& policy, const std::map<std::string, Mask>& kept,
                              const SourceTable& table, std::shared_ptr<const TableSchema> clear,
                              KeyedHash& hash) {
    MaskedTable masked;
    auto schema = std::make_shared<TableSchema>();
    std::vector<std::size_t> places;  // of each clear column
    for (std::size_t i = 0; i < clear->columns.size(); ++i) {
        auto column = clear->columns[i];
        column.place = static_cast<std::int32_t>(i + 1);
        column.type_at_source = ToSql(column.type);
        auto mask = BIWA_TRY(FindMask(policy, table, column.name));
        if (const auto found = kept.find(column.name); found != kept.end()) {
            if (!IsNamed(policy, table, column.name)) mask = found->second;
        }
        masked.masks.push_back(mask);
        places.push_back(schema->columns.size());
        // Where rows may be alike, masked ones may be so too.
        if (mask && !clear->key_repeats && IsKey(*clear, i))
            BIWA_TRY(CheckKey(policy, table, column.name, *mask));
        if (mask && mask->kind == MaskKind::kDrop) {
            schema->withheld.push_back(std::move(column));
            continue;
        }
        if (mask) {
            if (mask->kind == MaskKind::kHash && policy.key.empty()) {
                return UserError(fmt::format("{}.{} is hashed, and there is no mask_key",
                                             table.ToString(), column.name),
                                 "Put mask_key back into the stream's file.");
            }
            auto type = MaskedType(*mask, column.type);
            if (!type) {
                return Within(fmt::format("{}.{}", table.ToString(), column.name), type.error());
            }
            column.fill = MaskedFill(*mask, column, hash);
            column.type = std::move(*type);
            if (mask->kind == MaskKind::kNull) column.fill_unknown = false;
            column.mask = MaskText(policy, *mask);
            column.seldom_repeats = column.seldom_repeats && mask->kind == MaskKind::kHash;
        }
        schema->columns.push_back(std::move(column));
    }
    for (const auto column : clear->key) {
        const auto& mask = masked.masks[column];
        if (!mask || mask->kind != MaskKind::kDrop) schema->key.push_back(places[column]);
    }
    schema->key_repeats = clear->key_repeats;
    schema->rows_vanish = clear->rows_vanish;
    if (schema->columns.empty() && !clear->columns.empty()) {
        return UserError(fmt::format("all columns of {} are dropped", table.ToString()),
                         "Exclude the table.");
    }
    masked.clear = std::move(clear);
    masked.masked = std::move(schema);
    return masked;
}

std::optional<Error> FindOtherMask(const MaskPolicy& policy, const MaskedTable& masked,
                                   const SourceTable& table,
                                   const std::map<std::string, std::string>& recorded) {
    // "hash by ${env:KEY} (0c3e2f1a)": what stands before the bracket is what people have written.
    const auto written = [](const std::string& text) { return text.substr(0, text.find(" (")); };
    const auto show = [](const std::string& text) {
        return text.empty() ? std::string("clear") : text;
    };
    for (std::size_t i = 0; i < masked.masks.size(); ++i) {
        const auto& name = masked.clear->columns[i].name;
        const auto before = recorded.find(name);
        if (before == recorded.end()) continue;
        const auto& mask = masked.masks[i];
        const auto now = mask ? MaskText(policy, *mask) : std::string();
        if (before->second == now) continue;
        if (!now.empty() && written(before->second) == written(now)) {
            return Error{ErrorKind::kUser,
                         fmt::format("the secret of {} is not the one that {}.{} was hashed by",
                                     policy.key_reference, table.ToString(), name),
                         "Put the former one back. Or keep the new one under another name and "
                         "write that as mask_key: `biwa apply` then copies the tables anew."};
        }
        return Error{
            ErrorKind::kConflict,
            fmt::format("{}.{} is {} in the warehouse and {} by the stream's file",
                        table.ToString(), name, show(before->second), show(now)),
            "Take the table out of the stream, `biwa apply`, and put it in again: it is copied "
            "anew."};
    }
    return std::nullopt;
}

std::unique_ptr<RowReader> MaskRows(std::unique_ptr<RowReader> clear, MaskedTable table,
                                    const KeyedHash& hash) {
    if (!table.is_masked()) return clear;
    return std::make_unique<MaskedReader>(std::move(clear), std::move(table), hash);
}

Status MaskChanges(const MaskedTable& table, TableChanges& changes, KeyedHash& hash) {
    const auto old_columns = changes.old_keys.column_count();
    if (changes.rows.column_count() != table.masks.size() ||
        (old_columns != 0 && old_columns != table.clear->key.size())) {
        return Corrupt(
            fmt::format("changes of {}.{} do not have its columns", changes.schema, changes.name));
    }
    std::vector<std::uint32_t> places;
    std::uint32_t place = 0;
    for (const auto& mask : table.masks) {
        places.push_back(place);
        if (!mask || mask->kind != MaskKind::kDrop) ++place;
    }
    const auto is_dropped = [&](std::size_t column) {
        return table.masks[column] && table.masks[column]->kind == MaskKind::kDrop;
    };
    // From behind, so that those before keep their places.
    for (auto column = table.masks.size(); column-- > 0;) {
        if (is_dropped(column)) {
            changes.rows.RemoveColumn(column);
        } else if (table.masks[column]) {
            MaskColumn(*table.masks[column], column, changes.rows, hash);
        }
    }
    for (auto i = old_columns; i-- > 0;) {
        const auto column = table.clear->key[i];
        if (is_dropped(column)) {
            changes.old_keys.RemoveColumn(i);
        } else if (table.masks[column]) {
            MaskColumn(*table.masks[column], i, changes.old_keys, hash);
        }
    }
    std::erase_if(changes.unchanged, [&](const TableChanges::Unchanged& left_out) {
        return is_dropped(left_out.column);
    });
    for (auto& left_out : changes.unchanged) left_out.column = places[left_out.column];
    changes.columns = table.masked;
    return {};
}

}  // namespace biwa
