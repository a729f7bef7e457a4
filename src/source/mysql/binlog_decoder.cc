#include "source/mysql/binlog_decoder.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "source/lost.h"
#include "source/mysql/byte_reader.h"
#include "source/mysql/character_set.h"

namespace biwa::mysql {

namespace {

// Definitions of tables that are remembered; each is told again before its rows.
constexpr std::size_t kTablesMax = 10'000;

// "X'6131',X'',1", as the server writes it in statements.
std::string XidText(std::string_view body) {
    ByteReader reader(body);
    reader.Bytes(1);
    const auto format = reader.Number<std::uint32_t>();
    const auto global = reader.Number<std::uint32_t>();
    const auto branch = reader.Number<std::uint32_t>();
    std::string text;
    for (const auto size : {global, branch}) {
        text += "X'";
        for (const char c : reader.Bytes(size)) {
            text += fmt::format("{:02x}", static_cast<unsigned char>(c));
        }
        text += "',";
    }
    return text + std::to_string(format);
}

}  // namespace

BinlogDecoder::BinlogDecoder(TableResolver& resolver, BinlogPlace from, bool knows_place,
                             bool checksums)
    : resolver_(resolver),
      place_(std::move(from)),
      knows_place_(knows_place),
      file_number_(FileNumber(place_.file).value_or(0) + place_.base),
      end_(place_.offset),
      checksums_(checksums) {
    resolver_.Recall(place_.notes);
    // One that is known to be gone is copied anew should it come back.
    const auto order = OrderOf(file_number_, end_);
    std::erase_if(place_.notes.gone, [&](const TableName& table) {
        const auto* known = resolver_.Find(table.first, table.second);
        return known == nullptr || known->until <= order;
    });
}

Position BinlogDecoder::ToPosition() const {
    auto place = place_;
    place.notes.added.clear();
    place.notes.asked_for.clear();
    place.notes.asked_s = 0;
    resolver_.Note(time_s_, place.notes);
    return place.ToPosition();
}

Status BinlogDecoder::Decode(const SharedBytes& bytes) {
    BIWA_CHECK(!payload_);
    const auto event = BIWA_TRY(ReadEvent(bytes.bytes, checksums_));
    auto begin = end_;
    if (!event.is_artificial() && event.type != EventType::kHeartbeat) {
        auto end = (end_ & ~std::uint64_t{0xffffffff}) | event.end;
        if (end < end_) end += std::uint64_t{1} << 32;
        end_ = end;
        time_s_ = event.time_s;
        // What the server has passed over lies between.
        if (!knows_place_)
            begin = std::max(begin, end - std::min<std::uint64_t>(end, bytes.bytes.size()));
    }
    if (!in_transaction_) {
        // That of its first event, which the server makes when it commits.
        origin_ = {OrderOf(file_number_, begin),
                   std::max(origin_.commit_time, Micros{event.time_s} * 1'000'000), 0};
    }
    return DecodeOne(event, bytes);
}

Result<std::size_t> BinlogDecoder::DecodeMore() {
    BIWA_CHECK(payload_);
    const auto bytes = BIWA_TRY(payload_->Next());
    if (bytes.bytes.empty()) {
        payload_.reset();
        if (in_transaction_) return Corrupt("a compressed transaction has no end");
        return std::size_t{0};
    }
    // For all of them the place is that of the event that holds them.
    const auto event = BIWA_TRY(ReadEvent(bytes.bytes, false));
    switch (event.type) {
        case EventType::kFormatDescription:
        case EventType::kRotate:
        case EventType::kHeartbeat:
        case EventType::kTransactionPayload:
            return Corrupt(fmt::format("a compressed transaction has an event of type {}",
                                       static_cast<int>(event.type)));
        default:
            break;
    }
    BIWA_TRY(DecodeOne(event, bytes));
    return bytes.bytes.size();
}

Status BinlogDecoder::DecodeOne(const Event& event, const SharedBytes& bytes) {
    if (IsRowsEvent(event.type)) {
        context_.message = bytes.owner ? &bytes : nullptr;
        auto decoded = DecodeRows(event);
        context_.message = nullptr;
        return decoded;
    }
    switch (event.type) {
        case EventType::kFormatDescription:
            return DecodeFormat(event);
        case EventType::kRotate:
            return DecodeRotate(event);
        case EventType::kQuery:
        case EventType::kQueryCompressed:
        case EventType::kExecuteLoadQuery:
            return DecodeQuery(event);
        case EventType::kTableMap:
            return DecodeTableMap(event);
        case EventType::kXid:
            Commit(event);
            return {};
        case EventType::kXaPrepare:
            PrepareXa(event);
            Commit(event);
            return {};
        case EventType::kGtid: {
            gtid_ = BIWA_TRY(ReadGtid(event));
            if (!gtid_->is_standalone()) Begin();
            return {};
        }
        case EventType::kMySqlGtid:
            mysql_gtid_ = BIWA_TRY(ReadMySqlGtid(event.body));
            return {};
        case EventType::kMySqlTaggedGtid:
            mysql_gtid_ = BIWA_TRY(ReadMySqlTaggedGtid(event.body));
            return {};
        case EventType::kHeartbeat:
            // Sent when all before this place has been: nothing of it is still to come.
            if (!in_transaction_ && event.body == place_.file && event.end >= place_.offset) {
                place_.offset = event.end;
                knows_place_ = true;
            }
            return {};
        case EventType::kIncident:
            return Conflict("the server says that events were lost (an incident event)");
        case EventType::kPartialUpdateRows:
            return Fail(ErrorKind::kConflict,
                        "the server logs parts of JSON values only, which cannot be followed",
                        std::string("SET GLOBAL binlog_row_value_options = ''. ") + kCopyAllAnew);
        case EventType::kTransactionPayload:
            payload_ = BIWA_TRY(TransactionPayload::Open({bytes.owner, event.body}));
            return {};
        default:
            return {};
    }
}

ChangeBatch BinlogDecoder::TakeBatch() {
    for (auto& [id, table] : tables_) {
        if (!table.in_batch) continue;
        const auto rows = batch_.tables[*table.in_batch].rows.rows();
        table.rows_expected = rows + rows / 8;
        table.in_batch.reset();
    }
    if (in_transaction_) {
        given_out_ = origin_.sequence;
        tables_given_out_ = TablesOfTransaction();
    }
    for (const auto& part : batch_.tables) {
        batch_.bytes += part.rows.bytes() + part.old_keys.bytes() + part.kinds.size() +
                        (part.key_changes.size() + part.unchanged.size()) * 8 +
                        part.origins.size() * sizeof(TableChanges::Run);
    }
    auto batch = std::move(batch_);
    batch_ = ChangeBatch();
    // Inside a transaction the last commit in the batch is not its end.
    if (!in_transaction_ && batch.commits > 0) batch.commit = ToPosition();
    return batch;
}

Status BinlogDecoder::DecodeFormat(const Event& event) {
    const auto format = BIWA_TRY(ReadFormatDescription(event.body));
    checksums_ = format.checksums;
    if (place_.made_s != 0 && place_.made_s != event.time_s) {
        return Fail(ErrorKind::kConflict,
                    fmt::format("the binary log {} is not the one that was followed: it was begun "
                                "anew at the server",
                                place_.file),
                    std::string("Was the server restored, or is it another one? ") + kCopyAllAnew);
    }
    place_.made_s = event.time_s;
    has_format_ = true;
    return {};
}

Status BinlogDecoder::DecodeRotate(const Event& event) {
    const auto rotate = BIWA_TRY(ReadRotate(event.body));
    if (in_transaction_) return Corrupt("the binary log ends inside a transaction");
    const auto number = FileNumber(rotate.file);
    if (!number) {
        return Corrupt(fmt::format("\"{}\" is no name of a binary log", rotate.file));
    }
    if (rotate.file != place_.file) {
        place_.file = rotate.file;
        place_.made_s = 0;
    }
    place_.offset = rotate.offset;
    if (*number + place_.base > kFileNumberMax) {
        return Conflict("the stream has been moved from server to server too often");
    }
    file_number_ = *number + place_.base;
    end_ = rotate.offset;
    return {};
}

void BinlogDecoder::Begin() { in_transaction_ = true; }

void BinlogDecoder::Commit(const Event& event) {
    in_transaction_ = false;
    savepoints_.clear();
    given_out_ = 0;
    tables_given_out_.clear();
    place_.offset = end_;
    knows_place_ = true;
    if (gtid_) place_.gtids.Add(*gtid_);
    if (mysql_gtid_) place_.gtids.Add(*mysql_gtid_);
    gtid_.reset();
    mysql_gtid_.reset();
    ++batch_.commits;
    batch_.commit_time = Micros{event.time_s} * 1'000'000;
    if (tables_.size() > kTablesMax) tables_.clear();
}

tl::unexpected<Error> BinlogDecoder::Conflict(const std::string& what) const {
    return Fail(
        ErrorKind::kConflict,
        fmt::format("the changes cannot be followed any more: {} ({}:{})", what, place_.file, end_),
        kCopyAllAnew);
}

void BinlogDecoder::PassOver(const std::string& schema, const std::string& name,
                             const std::string& why,
                             const std::vector<std::pair<std::string, std::string>>& renamed) {
    if (!passed_over_.insert(schema + "." + name).second && renamed.empty()) return;
    for (auto& [id, table] : tables_) {
        if (table.map.schema != schema || table.map.table != name) continue;
        table.resolved.reset();
        table.in_batch.reset();
    }
    auto& part = NewPart(resolver_.Find(schema, name)->columns, schema, name);
    part.recopy = why;
    part.renamed = renamed;
    ++batch_.changes;
}

// One that was set again may have been so in a trigger, whose savepoints are its own. Names that
// differ by an accent are the same to the server.
void BinlogDecoder::GoBackTo(const std::string& savepoint) {
    const auto is_ascii = [](const auto& one) { return IsAscii(one.first); };
    const auto found = savepoints_.find(savepoint);
    const bool is_certain =
        found != savepoints_.end() && found->second.size() == 1 &&
        (savepoints_.size() == 1 || std::all_of(savepoints_.begin(), savepoints_.end(), is_ascii));
    if (is_certain) {
        TakeBack(*found->second.begin());
    } else {
        PassOverAll(TablesOfTransaction(), "a part of a transaction was rolled back");
    }
}

void BinlogDecoder::PassOverAll(const TableNames& tables, const std::string& why) {
    for (const auto& [schema, table] : tables) {
        const auto* known = resolver_.Find(schema, table);
        if (known == nullptr || !known->IsFollowedAt(OrderOf(file_number_, end_))) continue;
        PassOver(schema, table, why);
    }
}

Result<Statement> BinlogDecoder::StatementOf(const Query& query) {
    const auto& sql = query.statement;
    auto statement = ReadStatement(sql, query.database, query.has_backslashes);
    if (IsAscii(sql) || !query.client_collation) return statement;
    const auto text = BIWA_TRY(resolver_.ToUtf8(*query.client_collation, sql));
    if (text == sql) return statement;
    auto meant = ReadStatement(text, query.database, query.has_backslashes);
    if (!IsUtf8(sql)) return meant;
    // It may be one that the server wrote itself, which is in UTF-8 whatever the client's character
    // set is. Read the wrong way it names tables that are not there.
    for (auto& effect : statement.effects) {
        const bool is_known =
            std::any_of(meant.effects.begin(), meant.effects.end(), [&](const TableEffect& other) {
                return other.schema == effect.schema && other.table == effect.table;
            });
        if (!is_known) meant.effects.push_back(std::move(effect));
    }
    return meant;
}

Status BinlogDecoder::DecodeQuery(const Event& event) {
    const auto query = BIWA_TRY(ReadQuery(event));
    auto statement = BIWA_TRY(StatementOf(query));
    switch (statement.kind) {
        case Statement::Kind::kBegin:
            Begin();
            return {};
        case Statement::Kind::kCommit:
            Commit(event);
            return {};
        case Statement::Kind::kRollback:
            TakeBack(0);
            Commit(event);
            return {};
        case Statement::Kind::kSavepoint:
            savepoints_[statement.savepoint].insert(origin_.sequence);
            return {};
        case Statement::Kind::kRollbackToSavepoint:
            GoBackTo(statement.savepoint);
            return {};
        case Statement::Kind::kXaCommit:
        case Statement::Kind::kXaRollback:
            EndXa(query.statement, statement.kind == Statement::Kind::kXaRollback);
            Commit(event);
            return {};
        case Statement::Kind::kRows:
            if (query.error != 0) break;
            for (const auto& [schema, table] : BIWA_TRY(resolver_.ReachedBy(statement))) {
                statement.effects.push_back(
                    {TableEffect::Kind::kReplaced, schema, table,
                     "a statement may have changed its rows, by a view, a trigger or a function, "
                     "and not binlog_format=ROW"});
            }
            break;
        case Statement::Kind::kOther:
            resolver_.ForgetPrograms();
            break;
    }
    // A statement that failed at the server has done nothing to our tables.
    if (query.error == 0 && !(gtid_ && gtid_->is_undone_alter)) {
        for (auto& effect : statement.effects) {
            if (event.has_temporary_tables() && statement.may_be_of_temporary) {
                effect.kind = TableEffect::Kind::kReplaced;
                effect.why = "a statement was of it, or of a temporary table by its name";
            }
            BIWA_TRY(resolver_.Spell(effect));
            BIWA_TRY(resolver_.SpellColumns(effect));
            BIWA_TRY(Apply(effect, end_, event.time_s));
        }
    }
    if (!in_transaction_) Commit(event);
    return {};
}

TableNames BinlogDecoder::TablesOfTransaction() const {
    auto tables = tables_given_out_;
    for (const auto& part : batch_.tables) {
        const bool is_of_it =
            !part.origins.empty() && part.origins.back().origin.commit == origin_.commit;
        if (is_of_it) tables.emplace(part.schema, part.name);
    }
    return tables;
}

// Its rows are taken as committed: nobody else can change them until they are.
void BinlogDecoder::PrepareXa(const Event& event) {
    const bool is_one_phase = !event.body.empty() && event.body[0] != 0;
    if (is_one_phase) return;
    if (auto tables = TablesOfTransaction(); !tables.empty()) {
        place_.prepared[XidText(event.body)] = std::move(tables);
    }
}

// One that is not known had no rows of ours.
void BinlogDecoder::EndXa(const std::string& statement, bool is_rollback) {
    const auto xid = statement.find("X'");
    const auto found =
        place_.prepared.find(xid == std::string::npos ? std::string() : statement.substr(xid));
    if (found == place_.prepared.end()) return;
    const auto tables = std::move(found->second);
    place_.prepared.erase(found);
    if (!is_rollback) return;
    PassOverAll(tables, "an XA transaction was rolled back after it had been prepared");
}

void BinlogDecoder::NoteGone(const TableName& table, TableEffect::Kind kind) {
    if (kind == TableEffect::Kind::kDropped) {
        place_.notes.gone.insert(table);
    } else {
        place_.notes.gone.erase(table);
    }
}

Status BinlogDecoder::Apply(const TableEffect& effect, std::uint64_t end, std::int64_t time_s) {
    if (effect.table.empty()) {
        for (const auto& table : resolver_.TablesOf(effect.schema)) {
            BIWA_TRY(Apply({effect.kind, effect.schema, table, effect.why}, end, time_s));
        }
        return {};
    }
    if (effect.schema.empty()) {
        // A name in a statement: whatever table of ours may be meant.
        for (const auto& schema : resolver_.SchemasOf(effect.table)) {
            BIWA_TRY(Apply({effect.kind, schema, effect.table, effect.why}, end, time_s));
        }
        return {};
    }
    const auto* followed = resolver_.Find(effect.schema, effect.table);
    if (followed == nullptr) return {};
    // CREATE TABLE IF NOT EXISTS has made it only where it was not there.
    const bool was_gone = place_.notes.gone.contains({effect.schema, effect.table});
    NoteGone({effect.schema, effect.table}, effect.kind);
    if (!followed->IsFollowedAt(OrderOf(file_number_, end))) {
        // What comes later may have to be read by it.
        resolver_.Forget(effect);
        return {};
    }
    const auto name = effect.schema + "." + effect.table;
    if (passed_over_.contains(name)) {
        if (!effect.renamed.empty())
            PassOver(effect.schema, effect.table, effect.why, effect.renamed);
        // What is there of it is not to be taken for one that has another name by now.
        if (effect.kind == TableEffect::Kind::kDefined && !effect.dropped.empty()) {
            NewPart(followed->columns, effect.schema, effect.table).dropped = effect.dropped;
            ++batch_.changes;
        }
        return {};
    }
    auto kind = effect.kind;
    if (kind == TableEffect::Kind::kDefined && was_gone) kind = TableEffect::Kind::kEmptied;
    if (kind == TableEffect::Kind::kDefined && resolver_.MayHaveMisread(effect, time_s)) {
        PassOver(effect.schema, effect.table,
                 "it was altered, and changes from before were read when it had been: the log does "
                 "not have all that they mean (binlog_row_metadata, binlog_row_image)");
        return {};
    }
    resolver_.Forget(effect);
    switch (kind) {
        case TableEffect::Kind::kDefined:
            for (const auto& column : effect.dropped) columns_dropped_.insert(name + "." + column);
            // For those who read on from behind this.
            if (!effect.dropped.empty()) {
                NewPart(followed->columns, effect.schema, effect.table).dropped = effect.dropped;
                ++batch_.changes;
            }
            for (const auto& column : effect.added) {
                if (columns_dropped_.erase(name + "." + column) == 0) continue;
                PassOver(effect.schema, effect.table,
                         "its column " + column + " was dropped and made again");
            }
            return {};
        case TableEffect::Kind::kSucceeded:
        case TableEffect::Kind::kDropped:
            // What was copied stays: whoever reads it decides what becomes of it.
            return {};
        case TableEffect::Kind::kReplaced:
            PassOver(effect.schema, effect.table, effect.why, effect.renamed);
            return {};
        case TableEffect::Kind::kEmptied:
            break;
    }
    if (followed->columns->columns.empty()) {
        // It was not there when somebody looked: found again, it is copied anew.
        PassOver(effect.schema, effect.table, "it was made anew");
        return {};
    }
    // What came before must not go into the part that begins by emptying the table.
    for (auto& [id, table] : tables_) {
        if (table.map.schema == effect.schema && table.map.table == effect.table) {
            table.in_batch.reset();
        }
    }
    auto& part = NewPart(followed->columns, effect.schema, effect.table);
    part.truncated_first = true;
    ++origin_.sequence;
    part.truncated_at = origin_;
    ++batch_.changes;
    return {};
}

Status BinlogDecoder::DecodeTableMap(const Event& event) {
    ByteReader reader(event.body);
    const auto id = reader.Number(6);
    const auto found = tables_.find(id);
    if (found != tables_.end() && found->second.bytes == event.body) return {};
    Table table;
    table.map = BIWA_TRY(ReadTableMap(event.body));
    table.bytes = event.body;
    const auto* followed = resolver_.Find(table.map.schema, table.map.table);
    if (followed != nullptr) {
        NoteGone({table.map.schema, table.map.table}, TableEffect::Kind::kDefined);
        table.seen = followed->seen;
        table.until = followed->until;
        // What the copy has may be of another definition, which nobody needs to understand.
        if (OrderOf(file_number_, end_) <= followed->seen) {
            if (followed->seen != FollowedTable::kNotYet) table.bytes.clear();
        } else if (followed->IsFollowedAt(OrderOf(file_number_, end_)) &&
                   !passed_over_.contains(table.map.schema + "." + table.map.table)) {
            auto resolved = resolver_.Resolve(table.map);
            if (resolved) {
                table.resolved = std::move(*resolved);
            } else if (resolved.error().kind == ErrorKind::kConflict) {
                PassOver(table.map.schema, table.map.table, resolved.error().ToString());
            } else {
                return tl::unexpected(std::move(resolved).error());
            }
        }
    }
    tables_[id] = std::move(table);
    return {};
}

TableChanges& BinlogDecoder::NewPart(std::shared_ptr<const TableSchema> columns,
                                     const std::string& schema, const std::string& name,
                                     std::size_t rows_expected) {
    auto& part = batch_.tables.emplace_back();
    part.schema = schema;
    part.name = name;
    part.columns = std::move(columns);
    part.rows = RowStore(part.columns->columns, rows_expected, slabs_);
    std::vector<Column> key;
    for (const auto column : part.columns->key) key.push_back(part.columns->columns[column]);
    part.old_keys = RowStore(key, 0, slabs_);
    return part;
}

}  // namespace biwa::mysql
