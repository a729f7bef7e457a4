// The rows of the binary log, as changes of their tables.
#include <fmt/format.h>

#include <cstring>

#include "source/mysql/binlog_decoder.h"

namespace biwa::mysql {

namespace {

bool Bit(std::string_view bits, std::size_t i) {
    return (static_cast<unsigned char>(bits[i / 8]) >> (i % 8) & 1) != 0;
}

void ColumnsOf(std::string_view bitmap, std::size_t columns, std::vector<std::size_t>& present) {
    present.clear();
    for (std::size_t i = 0; i < columns; ++i) {
        if (Bit(bitmap, i)) present.push_back(i);
    }
}

}  // namespace

TableChanges& BinlogDecoder::PartOf(Table& table) {
    if (table.in_batch) return batch_.tables[*table.in_batch];
    table.in_batch = batch_.tables.size();
    auto& part =
        NewPart(table.resolved->columns, table.map.schema, table.map.table, table.rows_expected);
    const auto& resolved = *table.resolved;
    table.targets.assign(resolved.decoders.size(), {});
    for (std::size_t i = 0; i < resolved.places.size(); ++i) {
        const auto place = resolved.places[i];
        if (place == ResolvedTable::kLeftOut) continue;
        table.targets[i] = {&part.rows.cells(place), resolved.is_key[place]};
    }
    return part;
}

namespace {

// The first row of the part that is of this transaction and behind this place in it.
std::size_t FirstBehind(const TableChanges& part, std::uint64_t commit, std::uint64_t sequence) {
    auto first = part.kinds.size();
    for (auto run = part.origins.rbegin(); run != part.origins.rend(); ++run) {
        const auto rows = first - run->row;
        const auto before = sequence - std::min(sequence, run->origin.sequence - 1);
        if (run->origin.commit != commit || before >= rows) break;
        first = run->row + before;
        if (before > 0) break;
    }
    return first;
}

void CutAt(TableChanges& part, std::size_t row) {
    const auto is_behind = [row](const auto& one) { return one.row >= row; };
    part.rows.CutAt(row);
    part.kinds.resize(row);
    std::erase_if(part.key_changes, is_behind);
    part.old_keys.CutAt(part.key_changes.size());
    std::erase_if(part.unchanged, is_behind);
    std::erase_if(part.origins, is_behind);
}

}  // namespace

Status BinlogDecoder::DecodeRows(const Event& event) {
    const auto found = tables_.find(BIWA_TRY(ReadRowsTable(event)));
    if (found == tables_.end()) {
        // An event without rows that only says that a statement has ended.
        constexpr std::size_t kDummyBytes = 16;
        if (event.body.size() < kDummyBytes) return {};
        return Corrupt("the binary log has rows of a table that it did not explain");
    }
    auto& table = found->second;
    const auto order = OrderOf(file_number_, end_);
    if (!table.resolved || order <= table.seen || order > table.until) return {};
    if (!in_transaction_) return Corrupt("the binary log has rows outside a transaction");
    const auto rows = BIWA_TRY(ReadRowsEvent(event, uncompressed_));
    const auto columns = table.map.columns.size();
    if (rows.columns != columns) {
        return Corrupt(fmt::format("rows of {}.{} have {} columns where the table map has {}",
                                   table.map.schema, table.map.table, rows.columns, columns));
    }
    if (rows.kind != RowsKind::kWrite) ColumnsOf(rows.before_columns, columns, before_columns_);
    if (rows.kind != RowsKind::kDelete) ColumnsOf(rows.after_columns, columns, after_columns_);
    before_.assign(columns, {});
    after_.assign(columns, {});
    const bool is_whole = (rows.kind == RowsKind::kWrite || before_columns_.size() == columns) &&
                          (rows.kind == RowsKind::kDelete || after_columns_.size() == columns);
    auto rest = rows.rows;
    while (!rest.empty()) {
        const auto before = rest.size();
        if (!is_whole) {
            if (rows.kind != RowsKind::kWrite) {
                BIWA_TRY(ReadRow(table, before_columns_, rest, before_));
            }
            if (rows.kind != RowsKind::kDelete) {
                BIWA_TRY(ReadRow(table, after_columns_, rest, after_));
            }
        }
        const auto added =
            is_whole ? AddWholeRow(table, rows.kind, rest) : AddRow(table, rows.kind);
        if (added && rest.size() == before) {
            return Corrupt("the binary log has a row without bytes");
        }
        if (added) continue;
        if (added.error().kind != ErrorKind::kConflict) return added;
        if (table.in_batch) {
            auto& part = batch_.tables[*table.in_batch];
            // Of the row that was not understood a part may be there. Where the columns were
            // others, the rows before it have been read by them too.
            const auto good = table.map.has_names ? part.kinds.size() : 0;
            batch_.changes -= part.kinds.size() - good;
            CutAt(part, good);
            DropEmptyParts();
        }
        PassOver(table.map.schema, table.map.table, added.error().ToString());
        return {};
    }
    return {};
}

Status BinlogDecoder::AddRow(Table& table, RowsKind kind) {
    switch (kind) {
        case RowsKind::kWrite:
            return AddInsert(table);
        case RowsKind::kUpdate:
            return AddUpdate(table);
        case RowsKind::kDelete:
            return AddDelete(table);
    }
    return {};
}

// Most rows are told with all of their columns: each value goes from the log into its cell at once.
Status BinlogDecoder::AddWholeRow(Table& table, RowsKind kind, std::string_view& rows) {
    auto& part = PartOf(table);
    if (kind == RowsKind::kDelete) {
        BIWA_TRY(ReadWholeKey(table, rows));
        return AddDelete(table);
    }
    if (kind == RowsKind::kWrite) {
        BIWA_TRY(ReadWholeRow(table, part, part.rows.AddRow(), rows));
        Count(part, ChangeKind::kInsert);
        return {};
    }
    BIWA_TRY(ReadWholeKey(table, rows));
    BIWA_TRY(CheckKey(table, before_));
    const auto row = part.rows.AddRow();
    const bool key_changed = BIWA_TRY(ReadWholeRow(table, part, row, rows));
    if (key_changed || table.resolved->columns->key_repeats) BIWA_TRY(AddOldKey(table, part, row));
    Count(part, ChangeKind::kUpdate);
    return {};
}

// Of the row before only what it is told apart by is of interest.
Status BinlogDecoder::ReadWholeKey(Table& table, std::string_view& rows) {
    const auto& decoders = table.resolved->decoders;
    const auto bitmap = (decoders.size() + 7) / 8;
    if (rows.size() < bitmap) return CutOff(table);
    const auto nulls = rows.substr(0, bitmap);
    auto rest = rows.substr(bitmap);
    for (std::size_t i = 0; i < decoders.size(); ++i) {
        std::string_view value;
        const bool is_null = Bit(nulls, i);
        if (!is_null && !TakeValue(decoders[i].binlog_size, rest, value)) return CutOff(table);
        if (!table.targets[i].is_key) continue;
        before_[i] = {is_null ? Field::State::kNull : Field::State::kValue, value};
    }
    rows = rest;
    return {};
}

// Whether the key is another than in before_.
Result<bool> BinlogDecoder::ReadWholeRow(Table& table, TableChanges& part, std::size_t row,
                                         std::string_view& rows) {
    const auto& decoders = table.resolved->decoders;
    const auto bitmap = (decoders.size() + 7) / 8;
    if (rows.size() < bitmap) return CutOff(table);
    const auto nulls = rows.substr(0, bitmap);
    auto rest = rows.substr(bitmap);
    bool key_changed = false;
    context_.arena = &part.rows.arena();
    for (std::size_t i = 0; i < decoders.size(); ++i) {
        const auto& decoder = decoders[i];
        const auto& target = table.targets[i];
        if (Bit(nulls, i)) {
            if (target.cells == nullptr) continue;
            target.cells->SetNull(row);
            if (!target.is_key) continue;
            after_[i] = {Field::State::kNull, {}};
            if (!table.resolved->columns->key_repeats) BIWA_TRY(CheckKey(table, after_));
            continue;
        }
        std::string_view value;
        if (!TakeValue(decoder.binlog_size, rest, value)) return CutOff(table);
        if (target.cells == nullptr) continue;
        if (target.is_key) {
            key_changed = key_changed || value != before_[i].bytes;
            after_[i].state = Field::State::kValue;
        }
        switch (decoder.bytes_copied) {
            case 4:
                std::memcpy(target.cells->data + row * 4, value.data(), 4);
                continue;
            case 8:
                std::memcpy(target.cells->data + row * 8, value.data(), 8);
                continue;
            default:
                if (!decoder.binlog(decoder, value, *target.cells, row, context_)) {
                    return BadCell(table, i);
                }
        }
    }
    rows = rest;
    return key_changed;
}

tl::unexpected<Error> BinlogDecoder::CutOff(const Table& table) {
    return Corrupt(fmt::format("a row of {}.{} in the binary log is cut off", table.map.schema,
                               table.map.table));
}

Status BinlogDecoder::ReadRow(const Table& table, const std::vector<std::size_t>& present,
                              std::string_view& rows, std::vector<Field>& fields) const {
    const auto bitmap = (present.size() + 7) / 8;
    if (rows.size() < bitmap) return CutOff(table);
    const auto nulls = rows.substr(0, bitmap);
    rows.remove_prefix(bitmap);
    for (std::size_t i = 0; i < present.size(); ++i) {
        auto& field = fields[present[i]];
        if (Bit(nulls, i)) {
            field.state = Field::State::kNull;
            field.bytes = {};
            continue;
        }
        field.state = Field::State::kValue;
        if (!TakeValue(table.resolved->decoders[present[i]].binlog_size, rows, field.bytes)) {
            return CutOff(table);
        }
    }
    return {};
}

bool BinlogDecoder::SetCell(const Table& table, std::size_t column, const Field& field,
                            Cells& cells, std::size_t row, Arena& arena) {
    if (field.state != Field::State::kValue) {
        cells.SetNull(row);
        return true;
    }
    const auto& decoder = table.resolved->decoders[column];
    context_.arena = &arena;
    return decoder.binlog(decoder, field.bytes, cells, row, context_);
}

// Where the log does not name columns, they are taken for those that the table has now.
tl::unexpected<Error> BinlogDecoder::Misread(const Table& table, const std::string& what) const {
    const TableEffect altered{TableEffect::Kind::kDefined, table.map.schema, table.map.table};
    if (table.map.has_names || !resolver_.MayHaveMisread(altered, time_s_)) return Corrupt(what);
    return Fail(ErrorKind::kConflict,
                what +
                    ": it was made when the table had other columns than now, and the binary "
                    "log does not name them",
                "SET GLOBAL binlog_row_metadata = 'FULL';");
}

tl::unexpected<Error> BinlogDecoder::BadCell(const Table& table, std::size_t column) const {
    const auto& decoder = table.resolved->decoders[column];
    return Misread(table, fmt::format("column {} of a change of {}.{} is no {}", decoder.info.name,
                                      table.map.schema, table.map.table, ToSql(decoder.type)));
}

// A row without its key could be found neither now nor later. The whole row, where that is the key,
// may have NULLs in it.
Status BinlogDecoder::CheckKey(const Table& table, const std::vector<Field>& fields) const {
    const bool whole = table.resolved->columns->key_repeats;
    for (const auto column : table.resolved->key) {
        if (fields[column].state == Field::State::kValue) continue;
        if (whole && fields[column].state == Field::State::kNull) continue;
        if (whole) {
            return Fail(ErrorKind::kConflict,
                        fmt::format("a change of {}.{}, which has no primary key, lacks column {}",
                                    table.map.schema, table.map.table,
                                    table.resolved->decoders[column].info.name),
                        "SET GLOBAL binlog_row_image = 'FULL';");
        }
        return Misread(table,
                       fmt::format("a change of {}.{} lacks column {} of the key", table.map.schema,
                                   table.map.table, table.resolved->decoders[column].info.name));
    }
    return {};
}

void BinlogDecoder::Count(TableChanges& part, ChangeKind kind) {
    part.kinds.push_back(kind);
    ++origin_.sequence;
    part.SetOrigin(origin_);
    ++batch_.changes;
}

void BinlogDecoder::DropEmptyParts() {
    for (auto i = batch_.tables.size(); i-- > 0;) {
        const auto& part = batch_.tables[i];
        const bool is_empty = part.kinds.empty() && !part.truncated_first && part.recopy.empty() &&
                              part.dropped.empty();
        if (!is_empty) continue;
        batch_.tables.erase(batch_.tables.begin() + static_cast<std::ptrdiff_t>(i));
        for (auto& [id, table] : tables_) {
            if (table.in_batch == i) table.in_batch.reset();
            if (table.in_batch > i) --*table.in_batch;
        }
    }
}

void BinlogDecoder::TakeBack(std::uint64_t sequence) {
    for (auto& part : batch_.tables) {
        const auto first = FirstBehind(part, origin_.commit, sequence);
        batch_.changes -= part.kinds.size() - first;
        if (first < part.kinds.size()) CutAt(part, first);
    }
    DropEmptyParts();
    if (sequence >= given_out_) return;
    PassOverAll(tables_given_out_, "a transaction that had changed it was rolled back");
}

Result<const TableResolver::Defaults*> BinlogDecoder::DefaultsOf(const Table& table) {
    const auto& places = table.resolved->places;
    const TableResolver::Defaults* defaults = nullptr;
    for (std::size_t i = 0; i < places.size(); ++i) {
        if (places[i] == ResolvedTable::kLeftOut || after_[i].state != Field::State::kAbsent) {
            continue;
        }
        if (defaults == nullptr) {
            defaults = BIWA_TRY(resolver_.DefaultsOf(table.map, *table.resolved));
        }
        if (defaults->known[places[i]]) continue;
        return Fail(
            ErrorKind::kConflict,
            fmt::format("an insert into {}.{} lacks column {}, whose default is not known",
                        table.map.schema, table.map.table, table.resolved->decoders[i].info.name),
            "SET GLOBAL binlog_row_image = 'FULL';");
    }
    return defaults;
}

Status BinlogDecoder::AddInsert(Table& table) {
    const auto& places = table.resolved->places;
    const auto* defaults = BIWA_TRY(DefaultsOf(table));
    for (const auto column : table.resolved->key) {
        if (after_[column].state == Field::State::kNull) BIWA_TRY(CheckKey(table, after_));
    }
    auto& part = PartOf(table);
    const auto row = part.rows.AddRow();
    for (std::size_t i = 0; i < places.size(); ++i) {
        if (places[i] == ResolvedTable::kLeftOut) continue;
        auto& cells = part.rows.cells(places[i]);
        if (after_[i].state != Field::State::kAbsent) {
            if (!SetCell(table, i, after_[i], cells, row, part.rows.arena())) {
                return BadCell(table, i);
            }
            continue;
        }
        CopyCell(defaults->row.cells(places[i]), 0, cells, row);
        if (IsString(cells.type) && !cells.IsNull(row)) {
            cells.Set(row, part.rows.arena().Copy(cells.GetString(row)));
        }
    }
    Count(part, ChangeKind::kInsert);
    return {};
}

Status BinlogDecoder::AddUpdate(Table& table) {
    BIWA_TRY(CheckKey(table, before_));
    bool key_changed = table.resolved->columns->key_repeats;
    for (const auto column : table.resolved->key) {
        const auto& now = after_[column];
        if (now.state == Field::State::kNull) BIWA_TRY(CheckKey(table, after_));
        key_changed = key_changed ||
                      (now.state != Field::State::kAbsent && now.bytes != before_[column].bytes);
    }
    auto& part = PartOf(table);
    const auto row = part.rows.AddRow();
    const auto row32 = static_cast<std::uint32_t>(row);
    const auto& places = table.resolved->places;
    for (std::size_t i = 0; i < places.size(); ++i) {
        if (places[i] == ResolvedTable::kLeftOut) continue;
        const auto* field = &after_[i];
        // What is not in the row after is as it was: before, where that is said.
        if (field->state == Field::State::kAbsent) field = &before_[i];
        if (field->state == Field::State::kAbsent) {
            part.unchanged.push_back({row32, static_cast<std::uint32_t>(places[i])});
        }
        if (!SetCell(table, i, *field, part.rows.cells(places[i]), row, part.rows.arena())) {
            return BadCell(table, i);
        }
    }
    if (key_changed) BIWA_TRY(AddOldKey(table, part, row));
    Count(part, ChangeKind::kUpdate);
    return {};
}

Status BinlogDecoder::AddOldKey(const Table& table, TableChanges& part, std::size_t row) {
    const auto old_row = part.old_keys.AddRow();
    for (std::size_t i = 0; i < table.resolved->key.size(); ++i) {
        const auto column = table.resolved->key[i];
        if (!SetCell(table, column, before_[column], part.old_keys.cells(i), old_row,
                     part.old_keys.arena())) {
            return BadCell(table, column);
        }
    }
    part.key_changes.push_back(
        {static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(old_row)});
    return {};
}

Status BinlogDecoder::AddDelete(Table& table) {
    BIWA_TRY(CheckKey(table, before_));
    auto& part = PartOf(table);
    const auto row = part.rows.AddRow();
    for (std::size_t i = 0; i < part.rows.column_count(); ++i) {
        if (!table.resolved->is_key[i]) part.rows.cells(i).SetNull(row);
    }
    for (const auto column : table.resolved->key) {
        auto& cells = part.rows.cells(table.resolved->places[column]);
        if (!SetCell(table, column, before_[column], cells, row, part.rows.arena())) {
            return BadCell(table, column);
        }
    }
    Count(part, ChangeKind::kDelete);
    return {};
}

}  // namespace biwa::mysql
