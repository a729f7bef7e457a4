#include "source/postgres/pgoutput.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "source/postgres/binary_text.h"
#include "source/postgres/binary_values.h"

namespace biwa::postgres {

std::string LsnText(std::uint64_t lsn) {
    return fmt::format("{:X}/{:X}", lsn >> 32, lsn & 0xffffffff);
}

Result<std::uint64_t> ParseLsn(std::string_view text) {
    const auto word = [](std::string_view hex, std::uint32_t& value) {
        if (hex.empty() || hex.size() > 8) return false;
        const auto* end = hex.data() + hex.size();
        const auto [at, error] = std::from_chars(hex.data(), end, value, 16);
        return error == std::errc() && at == end;
    };
    const auto slash = text.find('/');
    std::uint32_t high = 0, low = 0;
    if (slash == std::string_view::npos || !word(text.substr(0, slash), high) ||
        !word(text.substr(slash + 1), low)) {
        return Corrupt(fmt::format("\"{}\" is not a position in PostgreSQL's log", text));
    }
    return std::uint64_t{high} << 32 | low;
}

// The record of a commit is what lies between its two positions; no record is larger.
constexpr std::uint64_t kCommitRecordBytesMax = 1 << 30;

// Reads a message from its front; after the end everything reads as zero and ok() is false.
class PgOutputDecoder::Reader {
  public:
    explicit Reader(std::string_view message) : rest_(message) {}

    template <typename T>
    T Number() {
        if (rest_.size() < sizeof(T)) {
            ok_ = false;
            rest_ = {};
            return T{};
        }
        const auto value = LoadBigEndian<T>(rest_.data());
        rest_.remove_prefix(sizeof(T));
        return value;
    }
    char Letter() { return static_cast<char>(Number<std::int8_t>()); }
    std::string_view Text() {
        const auto end = rest_.find('\0');
        if (end == std::string_view::npos) {
            ok_ = false;
            rest_ = {};
            return {};
        }
        const auto text = rest_.substr(0, end);
        rest_.remove_prefix(end + 1);
        return text;
    }
    std::string_view Bytes(std::int32_t length) {
        if (length < 0 || static_cast<std::size_t>(length) > rest_.size()) {
            ok_ = false;
            rest_ = {};
            return {};
        }
        const auto bytes = rest_.substr(0, static_cast<std::size_t>(length));
        rest_.remove_prefix(bytes.size());
        return bytes;
    }
    bool ok() const { return ok_; }
    // Everything was there, and nothing more.
    bool at_end() const { return ok_ && rest_.empty(); }

  private:
    std::string_view rest_;
    bool ok_ = true;
};

namespace {

tl::unexpected<Error> CutOff(char kind) {
    return Corrupt(fmt::format("a replication message of kind '{}' is cut off or too long", kind));
}

Result<Micros> CommitTime(std::int64_t time) {
    Micros micros = 0;
    if (__builtin_add_overflow(time, kEpochMicros, &micros)) {
        return Corrupt("a transaction was committed at a time that cannot be");
    }
    return micros;
}

}  // namespace

Status PgOutputDecoder::Decode(const SharedBytes& message) {
    message_ = &message;
    auto decoded = Decode(message.bytes);
    message_ = nullptr;
    return decoded;
}

Status PgOutputDecoder::Decode(std::string_view message) {
    if (message.empty()) return Corrupt("a replication message is empty");
    Reader reader(message);
    const char kind = reader.Letter();
    switch (kind) {
        case 'B':
            return DecodeBegin(reader);
        case 'C':
            return DecodeCommit(reader);
        case 'R':
            return DecodeRelation(reader);
        case 'I':
            return DecodeInsert(reader);
        case 'U':
            return DecodeUpdate(reader);
        case 'D':
            return DecodeDelete(reader);
        case 'T':
            return DecodeTruncate(reader);
        // Both are not of concern. They are looked at all the same: with one bit that is wrong they
        // are changes, which would be lost without a word.
        case 'O':  // where a transaction came from first
            reader.Number<std::uint64_t>();
            reader.Text();
            return reader.at_end() ? Status() : Status(CutOff(kind));
        case 'Y':  // the name of a type: the resolver asks the catalogue
            reader.Number<std::uint32_t>();
            reader.Text();
            reader.Text();
            return reader.at_end() ? Status() : Status(CutOff(kind));
        default:
            return Corrupt(fmt::format("a replication message is of unknown kind {:#04x}",
                                       static_cast<unsigned char>(kind)));
    }
}

ChangeBatch PgOutputDecoder::TakeBatch() {
    for (auto& [id, table] : tables_) {
        if (!table.in_batch) continue;
        const auto rows = batch_.tables[*table.in_batch].rows.rows();
        table.rows_expected = rows + rows / 8;
        table.in_batch.reset();
    }
    for (const auto& part : batch_.tables) {
        batch_.bytes += part.rows.bytes() + part.old_keys.bytes() + part.kinds.size() +
                        (part.key_changes.size() + part.unchanged.size()) * 8 +
                        part.origins.size() * sizeof(TableChanges::Run);
    }
    auto batch = std::move(batch_);
    batch_ = ChangeBatch();
    // Inside a transaction the last commit in the batch is not its end.
    if (in_transaction_) batch.commit.reset();
    return batch;
}

Status PgOutputDecoder::DecodeBegin(Reader& reader) {
    if (in_transaction_) return Corrupt("a transaction begins inside another");
    origin_.commit = reader.Number<std::uint64_t>();
    const auto time = reader.Number<std::int64_t>();
    reader.Bytes(4);
    if (!reader.at_end()) return CutOff('B');
    // Those that commit at the same time may be logged in another order than that of their times.
    origin_.commit_time = std::max(origin_.commit_time, BIWA_TRY(CommitTime(time)));
    origin_.sequence = 0;
    in_transaction_ = true;
    return {};
}

Status PgOutputDecoder::DecodeRelation(Reader& reader) {
    Relation relation;
    relation.id = reader.Number<std::uint32_t>();
    relation.schema = reader.Text();
    relation.name = reader.Text();
    if (relation.schema.empty()) relation.schema = "pg_catalog";
    relation.replica_identity = reader.Letter();
    const auto columns = reader.Number<std::int16_t>();
    for (int i = 0; i < columns && reader.ok(); ++i) {
        auto& column = relation.columns.emplace_back();
        column.in_key = (reader.Number<std::int8_t>() & 1) != 0;
        column.name = reader.Text();
        column.type = reader.Number<Oid>();
        column.modifier = reader.Number<std::int32_t>();
    }
    if (!reader.at_end() || columns < 0) return CutOff('R');
    auto resolved = BIWA_TRY(resolver_.Resolve(relation));
    last_table_ = nullptr;
    auto& table = tables_[relation.id];
    table.relation = std::move(relation);
    table.in_key.assign(table.relation.columns.size(), false);
    if (resolved) {
        for (const auto column : resolved->columns->key) table.in_key[column] = true;
    }
    table.resolved = std::move(resolved);
    // What follows has other columns, and so needs a part of its own.
    table.in_batch.reset();
    if (table.resolved && table.resolved->names_only) {
        PartOf(table).names_only = true;
        table.in_batch.reset();
    }
    return {};
}

Status PgOutputDecoder::DecodeCommit(Reader& reader) {
    if (!in_transaction_) return Corrupt("a transaction ends that did not begin");
    reader.Number<std::int8_t>();
    const auto commit = reader.Number<std::uint64_t>();
    const auto end = reader.Number<std::uint64_t>();
    const auto time = reader.Number<std::int64_t>();
    if (!reader.at_end()) return CutOff('C');
    // To acknowledge a position that never was would make the server forget what comes before it.
    if (commit != origin_.commit || end <= commit || end - commit > kCommitRecordBytesMax) {
        return Corrupt(fmt::format("a transaction that was to end at {} ends at {}, {}",
                                   LsnText(origin_.commit), LsnText(commit), LsnText(end)));
    }
    batch_.commit_time = BIWA_TRY(CommitTime(time));
    in_transaction_ = false;
    batch_.commit = Position{end, LsnText(end)};
    ++batch_.commits;
    return {};
}

Result<PgOutputDecoder::Table*> PgOutputDecoder::ReadTable(Reader& reader) {
    const auto id = reader.Number<std::uint32_t>();
    if (!reader.ok()) return CutOff('I');
    if (!in_transaction_) return Corrupt("a change stands outside of a transaction");
    if (last_table_ != nullptr && last_table_->relation.id == id) return last_table_;
    const auto found = tables_.find(id);
    if (found == tables_.end()) {
        return Corrupt(fmt::format("a change is of table {}, which was not announced", id));
    }
    last_table_ = &found->second;
    return last_table_;
}

Status PgOutputDecoder::ReadTuple(Reader& reader, const Table& table, std::vector<Field>& fields) {
    const auto count = reader.Number<std::int16_t>();
    if (!reader.ok()) return CutOff('N');
    if (count < 0 || static_cast<std::size_t>(count) != table.relation.columns.size()) {
        return Corrupt(fmt::format("a row of {}.{} has {} columns where {} were announced",
                                   table.relation.schema, table.relation.name, count,
                                   table.relation.columns.size()));
    }
    fields.resize(static_cast<std::size_t>(count));
    for (auto& field : fields) {
        field.kind = reader.Letter();
        switch (field.kind) {
            case 'n':
            case 'u':
                field.bytes = {};
                break;
            case 't':
            case 'b':
                field.bytes = reader.Bytes(reader.Number<std::int32_t>());
                break;
            default:
                return reader.ok() ? Status(Corrupt("a column of a change is of unknown kind"))
                                   : Status(CutOff('N'));
        }
    }
    return reader.ok() ? Status() : Status(CutOff('N'));
}

TableChanges& PgOutputDecoder::PartOf(Table& table) {
    if (table.in_batch) return batch_.tables[*table.in_batch];
    table.in_batch = batch_.tables.size();
    auto& part = batch_.tables.emplace_back();
    const bool is_named = !table.resolved->name.empty();
    part.schema = is_named ? table.resolved->schema : table.relation.schema;
    part.name = is_named ? table.resolved->name : table.relation.name;
    part.id = fmt::format("{}", table.relation.id);
    part.columns = table.resolved->columns;
    part.may_be = table.resolved->may_be;
    part.rows = RowStore(part.columns->columns, table.rows_expected);
    std::vector<Column> key;
    for (const auto column : part.columns->key) key.push_back(part.columns->columns[column]);
    part.old_keys = RowStore(key);
    return part;
}

Status PgOutputDecoder::SetCell(const Table& table, std::size_t column, const Field& field,
                                RowStore& rows, std::size_t cells_column, std::size_t row) {
    auto& cells = rows.cells(cells_column);
    if (field.kind == 'n' || field.kind == 'u') {
        cells.SetNull(row);
        return {};
    }
    const auto& decoder = table.resolved->decoders[column];
    if (field.kind == 'b' && decoder.binary == nullptr) {
        // The column is newer than the stream's connection, which asks for text when opened anew.
        return Unavailable(fmt::format("column {} of {}.{} has to be asked for as text",
                                       table.relation.columns[column].name, table.relation.schema,
                                       table.relation.name));
    }
    DecodeContext context{&rows.arena(), 0, message_};
    const auto decode = field.kind == 'b' ? decoder.binary : decoder.text;
    if (!decode(decoder, field.bytes, cells, row, context)) {
        const auto& inner = decoder.element ? *decoder.element : decoder;
        if (field.kind == 'b' && inner.writer && inner.writer->HasComposite()) {
            return Unavailable(fmt::format(
                "column {} of {}.{} has a value of a type that is not known, perhaps not "
                "yet: the types are read again",
                table.relation.columns[column].name, table.relation.schema, table.relation.name));
        }
        return Corrupt(fmt::format("column {} of a change of {}.{} is no {}",
                                   table.relation.columns[column].name, table.relation.schema,
                                   table.relation.name, ToSql(decoder.type)));
    }
    unrepresentable_ += context.unrepresentable;
    return {};
}

// A row without its key could be found neither now nor later. Where the key is the whole row, NULLs
// are a part of it. Returns the column that is not there; null: none.
const RelationColumn* PgOutputDecoder::LacksOfKey(const Table& table,
                                                  const std::vector<Field>& fields) {
    const bool nulls = table.resolved->columns->key_repeats;
    for (const auto column : table.resolved->columns->key) {
        const char kind = fields[column].kind;
        if (kind == 'u' || (kind == 'n' && !nulls)) return &table.relation.columns[column];
    }
    return nullptr;
}

Status PgOutputDecoder::CheckKey(const Table& table, const std::vector<Field>& fields) {
    const auto* const lacking = LacksOfKey(table, fields);
    if (lacking == nullptr) return {};
    return Corrupt(fmt::format("a change of {}.{} lacks column {} of the key",
                               table.relation.schema, table.relation.name, lacking->name));
}

// An update or delete that does not say of which row: by what rows are told was changed at the
// source, or is otherwise in a partition. Nothing more of the table is read until its columns are
// announced again.
Status PgOutputDecoder::PassOver(Table& table) {
    table.in_batch.reset();
    auto& part = PartOf(table);
    part.recopy =
        "had a change that does not say which row it changed: its replica identity, or "
        "that of a partition, is another";
    ++batch_.changes;
    table.in_batch.reset();
    table.resolved.reset();
    return {};
}

void PgOutputDecoder::Count(TableChanges& part, ChangeKind kind) {
    part.kinds.push_back(kind);
    ++origin_.sequence;
    part.SetOrigin(origin_);
    ++batch_.changes;
}

Status PgOutputDecoder::DecodeInsert(Reader& reader) {
    auto& table = *BIWA_TRY(ReadTable(reader));
    if (reader.Letter() != 'N') return Corrupt("an insert has no new row");
    BIWA_TRY(ReadTuple(reader, table, new_fields_));
    if (!reader.at_end()) return CutOff('I');
    if (IsPassedOver(table)) return {};
    BIWA_TRY(CheckKey(table, new_fields_));
    auto& part = PartOf(table);
    const auto row = part.rows.AddRow();
    for (std::size_t i = 0; i < new_fields_.size(); ++i) {
        // An update that moved the row into what is published of the table is sent as an insert,
        // without the large values that it left alone.
        if (new_fields_[i].kind == 'u') {
            part.unchanged.push_back(
                {static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(i)});
        }
        BIWA_TRY(SetCell(table, i, new_fields_[i], part.rows, i, row));
    }
    Count(part, ChangeKind::kInsert);
    return {};
}

Status PgOutputDecoder::DecodeUpdate(Reader& reader) {
    auto& table = *BIWA_TRY(ReadTable(reader));
    char kind = reader.Letter();
    const char old_kind = kind;
    if (kind == 'K' || kind == 'O') {
        BIWA_TRY(ReadTuple(reader, table, old_fields_));
        kind = reader.Letter();
    }
    if (kind != 'N') return Corrupt("an update has no new row");
    BIWA_TRY(ReadTuple(reader, table, new_fields_));
    if (!reader.at_end()) return CutOff('U');
    if (IsPassedOver(table)) return {};
    const auto& key = table.resolved->columns->key;
    const bool repeats = table.resolved->columns->key_repeats;
    if (key.empty() || (repeats && old_kind != 'O')) return PassOver(table);
    if (old_kind == 'K' || old_kind == 'O') {
        // A large value of the key is left out of the new row where it has not changed, but is in
        // the old one.
        for (const auto column : key) {
            if (new_fields_[column].kind == 'u') new_fields_[column] = old_fields_[column];
            if (old_fields_[column].kind == 'u') old_fields_[column] = new_fields_[column];
        }
        if (LacksOfKey(table, old_fields_) != nullptr) return PassOver(table);
    }
    BIWA_TRY(CheckKey(table, new_fields_));
    auto& part = PartOf(table);
    const auto row = part.rows.AddRow();
    const auto row32 = static_cast<std::uint32_t>(row);
    for (std::size_t i = 0; i < new_fields_.size(); ++i) {
        auto field = new_fields_[i];
        if (field.kind == 'u') {
            // With replica identity full the old row has the value.
            if (old_kind == 'O' && old_fields_[i].kind != 'u') {
                field = old_fields_[i];
            } else {
                part.unchanged.push_back({row32, static_cast<std::uint32_t>(i)});
            }
        }
        BIWA_TRY(SetCell(table, i, field, part.rows, i, row));
    }
    // 'K' comes only where the key has changed, 'O' always.
    bool key_changed = repeats;
    if (!repeats && (old_kind == 'K' || old_kind == 'O')) {
        for (const auto column : key) {
            const auto& before = old_fields_[column];
            const auto& now = new_fields_[column];
            key_changed = key_changed || now.kind != before.kind || now.bytes != before.bytes;
        }
    }
    if (key_changed) {
        const auto old_row = part.old_keys.AddRow();
        for (std::size_t i = 0; i < key.size(); ++i) {
            BIWA_TRY(SetCell(table, key[i], old_fields_[key[i]], part.old_keys, i, old_row));
        }
        part.key_changes.push_back({row32, static_cast<std::uint32_t>(old_row)});
    }
    Count(part, ChangeKind::kUpdate);
    return {};
}

Status PgOutputDecoder::DecodeDelete(Reader& reader) {
    auto& table = *BIWA_TRY(ReadTable(reader));
    const char kind = reader.Letter();
    if (kind != 'K' && kind != 'O') return Corrupt("a delete has no old row");
    BIWA_TRY(ReadTuple(reader, table, old_fields_));
    if (!reader.at_end()) return CutOff('D');
    if (IsPassedOver(table)) return {};
    const auto& columns = *table.resolved->columns;
    if (columns.key.empty() || (columns.key_repeats && kind != 'O') ||
        LacksOfKey(table, old_fields_) != nullptr) {
        return PassOver(table);
    }
    auto& part = PartOf(table);
    const auto row = part.rows.AddRow();
    for (std::size_t i = 0; i < old_fields_.size(); ++i) {
        if (table.in_key[i]) {
            BIWA_TRY(SetCell(table, i, old_fields_[i], part.rows, i, row));
        } else {
            part.rows.cells(i).SetNull(row);
        }
    }
    Count(part, ChangeKind::kDelete);
    return {};
}

Status PgOutputDecoder::DecodeTruncate(Reader& reader) {
    const auto count = reader.Number<std::int32_t>();
    reader.Number<std::int8_t>();
    if (!reader.ok() || count < 0) return CutOff('T');
    for (std::int32_t i = 0; i < count; ++i) {
        auto& table = *BIWA_TRY(ReadTable(reader));
        if (IsPassedOver(table)) continue;
        table.in_batch.reset();
        auto& part = PartOf(table);
        part.truncated_first = true;
        ++origin_.sequence;
        part.truncated_at = origin_;
        ++batch_.changes;
    }
    return reader.at_end() ? Status() : Status(CutOff('T'));
}

}  // namespace biwa::postgres
