#include "source/postgres/change_source.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <ctime>
#include <thread>
#include <utility>

#include "source/postgres/binary_values.h"
#include "source/postgres/column_places.h"
#include "source/silence.h"

namespace biwa::postgres {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// A batch is handed out at these even while more is coming: enough to keep the applier busy, little
// enough that the queue's limit is near what it says.
constexpr std::uint64_t kBatchChangesMax = 20'000;
constexpr std::uint64_t kBatchBytesMax = 4 << 20;
// From so many bytes on a message is not copied but kept.
constexpr std::size_t kLargeMessage = 1 << 20;
constexpr milliseconds kStatusEvery{1000};
// The server sends message by message: a short sleep lets more of them gather, which spares both
// sides a wake-up for each. Where little gathers it may be longer.
constexpr std::chrono::microseconds kCoalesce{1000}, kCoalesceLittle{4000};
constexpr std::uint64_t kLittleBytes = 16 << 10;

void AppendBigEndian(std::string& bytes, std::uint64_t value) {
    for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
}

}  // namespace

StreamResolver::StreamResolver(ConnectionParameters parameters, TypeCatalog types,
                               const std::vector<FollowedTable>& tables, TableParts only)
    : parameters_(std::move(parameters)), only_(std::move(only)), types_(std::move(types)) {
    for (const auto& followed : tables) tables_[followed.table.ToString()] = followed;
}

namespace {

bool HasColumns(const TableSchema& known, const Relation& relation) {
    return std::equal(known.columns.begin(), known.columns.end(), relation.columns.begin(),
                      relation.columns.end(), [](const Column& one, const RelationColumn& sent) {
                          return one.name == sent.name;
                      });
}

ColumnDecoder DecoderOf(const RelationColumn& column, const TypeCatalog& types,
                        const Column* known = nullptr) {
    auto decoder = DecoderFor(column.type, column.modifier, types);
    if (known == nullptr || !decoder.element || known->type.id != TypeId::kList) return decoder;
    // How many dimensions an array was declared with only the catalogue says.
    return DecoderFor(column.type, column.modifier, types,
                      DimensionsOf(known->type) - DimensionsOf(decoder.element->type));
}

// What told rows apart when the changes that follow were made: only the relation says. Of a replica
// identity FULL it says no more than that: then it is the key that the table was copied by.
void SetKey(const Relation& relation, const TableSchema& known, TableSchema& schema) {
    const bool is_full = relation.replica_identity == 'f';
    std::vector<std::size_t> key;
    for (const auto column : known.key) {
        const auto place = schema.Find(known.columns[column].name);
        if (place && relation.columns[*place].in_key) key.push_back(*place);
    }
    const bool has_known_key = !known.key_repeats && !key.empty() && key.size() == known.key.size();
    if (!has_known_key) {
        key.clear();
        for (std::size_t i = 0; i < relation.columns.size(); ++i) {
            if (relation.columns[i].in_key) key.push_back(i);
        }
    }
    schema.key = std::move(key);
    schema.key_repeats = is_full && !has_known_key;
}

std::vector<std::string> NamesIn(const Relation& relation) {
    std::vector<std::string> names;
    for (const auto& column : relation.columns) names.push_back(column.name);
    return names;
}

// Each column as often as there are columns of today's that it may be, with the number of each.
ResolvedRelation NamesOf(const Relation& relation, const SourceTable& table,
                         const TableSchema& known, const TypeCatalog& types) {
    const auto type_of = [&](std::size_t i, std::size_t place) {
        return DecoderOf(relation.columns[i], types, &known.columns[place]).type;
    };
    const auto names = NamesIn(relation);
    const auto places = MayBePlaces(names, known, [&](std::size_t i, std::size_t place) {
        return type_of(i, place) == known.columns[place].type;
    });
    auto schema = std::make_shared<TableSchema>();
    for (std::size_t i = 0; i < names.size(); ++i) {
        for (const auto place : places[i]) {
            schema->columns.emplace_back(Column{names[i], type_of(i, place), true, ""}).number =
                known.columns[place].number;
        }
    }
    ResolvedRelation resolved;
    resolved.names_only = true;
    resolved.schema = table.schema;
    resolved.name = table.name;
    resolved.columns = std::move(schema);
    return resolved;
}

}  // namespace

// By its OID: a table may have had another name when the changes were made. One OID may be of
// several that the stream has: of one that is gone, as it was renamed to what another was called.
std::map<std::string, FollowedTable>::iterator StreamResolver::FindTable(const Relation& relation) {
    const auto id = fmt::format("{}", relation.id);
    const auto is_it = [&](const FollowedTable& one) {
        return one.table.id.empty() || one.table.id == id;
    };
    const auto named = tables_.find(relation.schema + "." + relation.name);
    if (named != tables_.end() && is_it(named->second)) return named;
    auto found = tables_.end();
    for (auto one = tables_.begin(); one != tables_.end(); ++one) {
        if (one->second.table.id != id) continue;
        const bool is_there = one->second.until == FollowedTable().until;
        if (found == tables_.end() || is_there) found = one;
    }
    return found;
}

Result<std::optional<ResolvedRelation>> StreamResolver::Resolve(const Relation& relation) {
    const auto followed = FindTable(relation);
    if (followed == tables_.end()) return std::optional<ResolvedRelation>();
    // A type made after the stream began: types of extensions and enums have OIDs from 16,384 on.
    const bool unknown_type = std::any_of(
        relation.columns.begin(), relation.columns.end(), [&](const RelationColumn& column) {
            return column.type >= 16'384 && !types_.contains(column.type);
        });
    if (unknown_type) {
        const auto connection = BIWA_TRY(Connection::Open(parameters_, Connection::Kind::kSql));
        types_ = BIWA_TRY(ReadTypes(connection));
    }
    auto& known = followed->second.table.columns;
    // Names that stand otherwise tell that the table was altered: what is known is then of before,
    // and only what the catalogue says later on has all columns that are left of these.
    bool is_known = HasColumns(known, relation);
    if (!is_known) {
        if (auto columns = BIWA_TRY(ReadColumns(followed->first, followed->second.table.id))) {
            const bool repeats = known.key_repeats;
            known = std::move(*columns);
            // Rows that were alike at the copy are so until the table is copied anew.
            known.key_repeats = known.key_repeats || repeats;
            is_known = true;
        }
    }
    if (followed->second.names_only) {
        return std::optional(
            NamesOf(relation, followed->second.table, is_known ? known : TableSchema(), types_));
    }
    ResolvedRelation resolved;
    std::vector<ColumnPlace> places(relation.columns.size());
    if (is_known) {
        const auto names = NamesIn(relation);
        const auto same_type = [&](std::size_t i, std::size_t place) {
            const auto& column = known.columns[place];
            return DecoderOf(relation.columns[i], types_, &column).type == column.type;
        };
        places = PlaceColumns(names, known, same_type);
        const auto is_open = [](const ColumnPlace& one) { return !one.column && !one.is_gone; };
        if (std::any_of(places.begin(), places.end(), is_open)) {
            const auto may_be = MayBePlaces(names, known, same_type);
            for (std::size_t i = 0; i < names.size(); ++i) {
                if (!is_open(places[i])) continue;
                for (const auto place : may_be[i]) {
                    resolved.may_be.push_back({known.columns[place].number, names[i]});
                }
            }
        }
    } else {
        // The table itself has gone: what is known of before is all there is, and no number of
        // then is among it.
        for (std::size_t i = 0; i < places.size(); ++i) {
            places[i].column = known.Find(relation.columns[i].name);
            places[i].is_gone = !places[i].column;
        }
    }
    resolved.from = followed->second.from;
    resolved.schema = followed->second.table.schema;
    resolved.name = followed->second.table.name;
    auto schema = std::make_shared<TableSchema>();
    for (std::size_t i = 0; i < places.size(); ++i) {
        const auto& place = places[i];
        const auto* today = place.column ? &known.columns[*place.column] : nullptr;
        auto decoder = DecoderOf(relation.columns[i], types_, today);
        auto& column = schema->columns.emplace_back(
            Column{relation.columns[i].name, decoder.type, true, decoder.note});
        if (today != nullptr && is_known) column.number = today->number;
        // What rows got that were there when it came, the catalogue says of no other type.
        if (today != nullptr && today->type == column.type) {
            column.fill = today->fill;
            column.fill_unknown = today->fill_unknown;
        } else {
            column.fill_unknown = !place.is_gone;
        }
        resolved.decoders.push_back(std::move(decoder));
    }
    SetKey(relation, known, *schema);
    schema->rows_vanish = known.rows_vanish && !schema->key.empty();
    resolved.columns = std::move(schema);
    return std::optional<ResolvedRelation>(std::move(resolved));
}

// By its OID, as it may have another name by now. Nothing where it is not there any more.
Result<std::optional<TableSchema>> StreamResolver::ReadColumns(const std::string& name,
                                                               const std::string& id) {
    const auto connection = BIWA_TRY(Connection::Open(parameters_, Connection::Kind::kSql));
    auto name_now = name;
    if (!id.empty()) {
        const auto found = BIWA_TRY(connection.Query(
            "SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c JOIN "
            "pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1::oid",
            {id}));
        if (found.size() == 0) return std::optional<TableSchema>();
        // A part is of a name.
        if (!only_.contains(name)) name_now = found.Text(0, 0);
    }
    auto tables = BIWA_TRY(ReadTables(connection, types_, {name_now}, IfMissing::kPassOver, only_));
    if (tables.size() != 1 || (!id.empty() && tables[0].table.id != id)) {
        return std::optional<TableSchema>();
    }
    return std::optional(std::move(tables[0].table.columns));
}

PostgresChangeSource::PostgresChangeSource(Connection connection,
                                           std::unique_ptr<StreamResolver> resolver,
                                           std::uint64_t from, milliseconds idle_every)
    : connection_(std::move(connection)),
      resolver_(std::move(resolver)),
      decoder_(*resolver_),
      from_(from),
      idle_every_(idle_every),
      silence_max_(SilenceMax()),
      handed_out_(from),
      last_heard_(steady_clock::now()),
      last_status_(steady_clock::now()),
      last_idle_(steady_clock::now()) {}

Result<std::optional<ChangeBatch>> PostgresChangeSource::Poll(const Position& durable,
                                                              milliseconds timeout) {
    const auto deadline = steady_clock::now() + timeout;
    for (;;) {
        char* buffer = nullptr;
        const int length = PQgetCopyData(connection_.raw(), &buffer, 1);
        if (length > 0) {
            const std::string_view message(buffer, static_cast<std::size_t>(length));
            gathered_bytes_ += message.size();
            std::shared_ptr<char> owner;
            if (message.size() >= kLargeMessage) owner.reset(buffer, PQfreemem);
            auto handled = HandleMessage({owner, message});
            if (!owner) PQfreemem(buffer);
            if (!handled) return tl::unexpected(std::move(handled).error());
            const bool full =
                decoder_.changes() >= kBatchChangesMax || pending_bytes_ >= kBatchBytesMax;
            // Full inside a transaction that began after others ended: those go first, and whole.
            if (full) return Take();
            continue;
        }
        if (length == -1) {
            return tl::unexpected(connection_.ErrorAtEnd("the server ended the stream of changes"));
        }
        if (length == -2) {
            return tl::unexpected(connection_.LastError("following the changes"));
        }
        // libpq reads so much at a time as its buffer takes: on until the socket is empty.
        if (BIWA_TRY(IsReadable(steady_clock::now()))) {
            BIWA_TRY(Consume());
            continue;
        }
        const auto now = steady_clock::now();
        BIWA_TRY(ListenForLife(now));
        if (reply_wanted_ || now - last_status_ >= kStatusEvery ||
            (durable.order > acknowledged_ && now - last_status_ >= kStatusEvery / 10)) {
            BIWA_TRY(SendStatus(durable.order));
        }
        if (decoder_.at_commit()) return Take();
        // What was handed out and is not durable yet will be, without more ado.
        const bool is_awaited = std::exchange(is_awaited_, false) && idle_end_ > durable.order &&
                                idle_end_ >= handed_out_;
        if (!decoder_.in_transaction() &&
            (is_awaited || (idle_end_ > handed_out_ && now - last_idle_ >= idle_every_))) {
            last_idle_ = now;
            ChangeBatch nothing;
            nothing.is_awaited = is_awaited;
            nothing.commit = Position{idle_end_, LsnText(idle_end_)};
            handed_out_ = idle_end_;
            return nothing;
        }
        if (now >= deadline) return std::optional<ChangeBatch>();
        if (BIWA_TRY(IsReadable(std::min(deadline, now + kStatusEvery)))) {
            const bool is_little = std::exchange(gathered_bytes_, 0) < kLittleBytes;
            std::this_thread::sleep_for(is_little ? kCoalesceLittle : kCoalesce);
            BIWA_TRY(Consume());
        }
    }
}

// A server with nothing to send says nothing, and is asked for a sign of life. The time in which
// nobody read does not count: it begins when the server is asked.
Status PostgresChangeSource::ListenForLife(SteadyTime now) {
    if (!asked_since_ && now - last_heard_ >= silence_max_ / 2) asked_since_ = now;
    if (!asked_since_ || now - *asked_since_ < silence_max_ / 2) return {};
    return Unavailable(
        fmt::format("the server has said nothing for {} s, though it was asked",
                    std::chrono::duration_cast<std::chrono::seconds>(now - last_heard_).count()));
}

Status PostgresChangeSource::Consume() {
    last_heard_ = steady_clock::now();
    asked_since_.reset();
    if (PQconsumeInput(connection_.raw()) == 1) return {};
    return tl::unexpected(connection_.LastError("following the changes"));
}

ChangeBatch PostgresChangeSource::Take() {
    pending_bytes_ = 0;
    auto batch = decoder_.TakeBatch();
    if (batch.commit) handed_out_ = batch.commit->order;
    last_idle_ = steady_clock::now();
    return batch;
}

Status PostgresChangeSource::HandleMessage(const SharedBytes& received) {
    constexpr std::size_t kDataHeader = 25, kKeepalive = 18;
    const auto message = received.bytes;
    if (message[0] == 'w' && message.size() > kDataHeader) {
        pending_bytes_ += message.size();
        const auto data = message.substr(kDataHeader);
        return received.owner ? decoder_.Decode(SharedBytes{received.owner, data})
                              : decoder_.Decode(data);
    }
    if (message[0] == 'k' && message.size() >= kKeepalive) {
        // Sent when all before this point has been sent: nothing of it is still to come.
        const auto end = LoadBigEndian<std::uint64_t>(message.data() + 1);
        if (!decoder_.in_transaction() && decoder_.changes() == 0) idle_end_ = end;
        reply_wanted_ = reply_wanted_ || message[17] != 0;
        is_awaited_ = is_awaited_ || message[17] != 0;
        return {};
    }
    return Corrupt("the server sent something else than log data and keepalives");
}

Result<bool> PostgresChangeSource::IsReadable(SteadyTime until) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - steady_clock::now()).count();
    pollfd socket{PQsocket(connection_.raw()), POLLIN, 0};
    const int ready = ::poll(&socket, 1, static_cast<int>(std::max<long>(0, left)));
    if (ready < 0 && errno != EINTR) return Unavailable("waiting for changes failed");
    return ready > 0;
}

Status PostgresChangeSource::Acknowledge(const Position& durable) {
    if (steady_clock::now() - last_status_ < kStatusEvery) return {};
    return SendStatus(durable.order);
}

Status PostgresChangeSource::SendStatus(std::uint64_t durable) {
    durable = std::max(durable, from_);
    acknowledged_ = std::max(acknowledged_, durable);
    const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count() -
                     kEpochMicros;
    std::string message = "r";
    for (int i = 0; i < 3; ++i) AppendBigEndian(message, acknowledged_);
    AppendBigEndian(message, static_cast<std::uint64_t>(now));
    message += asked_since_ ? '\1' : '\0';
    if (PQputCopyData(connection_.raw(), message.data(), static_cast<int>(message.size())) != 1 ||
        PQflush(connection_.raw()) < 0) {
        return tl::unexpected(connection_.LastError("acknowledging changes"));
    }
    last_status_ = steady_clock::now();
    reply_wanted_ = false;
    return {};
}

}  // namespace biwa::postgres
