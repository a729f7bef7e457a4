#include "source/mysql/change_source.h"

#include <fmt/format.h>
#include <mysql.h>
// After mysql.h, whose types it needs.
#include <mariadb_rpl.h>
#include <sys/socket.h>

#include <algorithm>
#include <random>
#include <utility>

#include "base/text.h"
#include "source/lost.h"
#include "source/mysql/byte_reader.h"

namespace biwa::mysql {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// A batch is handed out at these even while more is coming: enough to keep the applier busy, little
// enough that the queue's limit is near what it says.
constexpr std::uint64_t kBatchChangesMax = 20'000;
constexpr std::uint64_t kBatchBytesMax = 4 << 20;
// Bytes of events that wait to be decoded.
constexpr std::size_t kWaitingMax = 4 << 20;
// Events come one by one: a short sleep lets more of them gather.
constexpr std::chrono::microseconds kCoalesce{1000};
constexpr std::chrono::seconds kFirstEventsWithin{20};
constexpr std::chrono::seconds kLogCheckedEvery{5};

constexpr std::uint64_t kFirstEvent = 4;  // after a file's magic bytes

// Of a log that is not long enough.
std::string Mend() {
    return std::string("Keep more of the binary log (binlog_expire_logs_seconds). ") + kCopyAllAnew;
}

}  // namespace

void EventPump::ReplicationDeleter::operator()(st_mariadb_rpl* replication) const {
    mariadb_rpl_close(replication);
}

EventPump::EventPump(Connection connection, st_mariadb_rpl* replication)
    : connection_(std::move(connection)),
      replication_(replication),
      thread_([this](std::stop_token stop) { Run(stop); }) {}

EventPump::~EventPump() {
    thread_.request_stop();
    // Ends the wait for the next event.
    ::shutdown(mysql_get_socket(connection_.raw()), SHUT_RDWR);
    thread_.join();
}

// Each packet is an event behind a zero byte. mariadb_rpl_fetch would take it apart, and copy it
// twice.
void EventPump::Run(std::stop_token stop) {
    constexpr unsigned char kEvent = 0, kEnd = 0xfe;
    auto* const connection = connection_.raw();
    Status ended = Unavailable("the server ended the stream of changes");
    while (!stop.stop_requested()) {
        const auto size = mysql_net_read_packet(connection);
        if (size == packet_error) {
            ended = tl::unexpected(connection_.LastError("following the binary log"));
            if (ended.error().kind == ErrorKind::kConflict) ended.error().hint = Mend();
            break;
        }
        const auto* const packet = connection->net.read_pos;
        if (size == 0 || packet[0] == kEnd) break;
        if (packet[0] != kEvent) {
            ended = Corrupt("following the binary log: the server sent something else than events");
            break;
        }
        Put({reinterpret_cast<const char*>(packet) + 1, size - 1}, stop);
    }
    std::lock_guard lock(mutex_);
    ended_ = std::move(ended);
    changed_.notify_all();
}

void EventPump::Put(std::string_view event, std::stop_token stop) {
    const auto size = static_cast<std::uint32_t>(event.size());
    const bool is_large = event.size() >= kLargeEvent;
    std::unique_lock lock(mutex_);
    const auto has_room = [&] { return !large_event_ && events_.size() < kWaitingMax; };
    if (!has_room()) changed_.wait(lock, stop, has_room);
    auto& to = is_large ? *(large_event_ = std::make_shared<std::string>()) : events_;
    if (is_large) to.reserve(sizeof size + event.size());
    const bool is_first = to.empty();
    to.append(reinterpret_cast<const char*>(&size), sizeof size);
    to.append(event);
    // Whoever waits does so for the first.
    if (is_first) changed_.notify_all();
}

void EventPump::ReleaseMemory() {
    std::lock_guard lock(mutex_);
    if (events_.empty()) events_ = std::string();
}

Result<bool> EventPump::Take(std::shared_ptr<std::string>& events,
                             steady_clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    const auto is_there = [&] { return !events_.empty() || large_event_; };
    if (!is_there() && steady_clock::now() < deadline) {
        changed_.wait_until(lock, deadline, [&] { return is_there() || !ended_; });
        if (is_there()) {
            lock.unlock();
            std::this_thread::sleep_for(kCoalesce);
            lock.lock();
        }
    }
    if (!is_there()) {
        events->clear();
        if (!ended_) return tl::unexpected(ended_.error());
        return false;
    }
    if (events_.empty()) {
        events = std::move(large_event_);
    } else {
        // The memory of the last ones serves again.
        events->clear();
        events->swap(events_);
    }
    changed_.notify_all();
    return true;
}

MySqlChangeSource::MySqlChangeSource(std::unique_ptr<EventPump> pump,
                                     std::unique_ptr<StreamResolver> resolver, BinlogPlace from,
                                     bool knows_place, bool checksums, milliseconds idle_every,
                                     std::shared_ptr<Bearings> bearings)
    : pump_(std::move(pump)),
      resolver_(std::move(resolver)),
      decoder_(*resolver_, from, knows_place, checksums),
      idle_every_(idle_every),
      bearings_(std::move(bearings)),
      handed_out_(from.ToPosition().order),
      last_handed_out_(steady_clock::now()),
      log_checked_(last_handed_out_),
      file_checked_(from.file) {}

Status MySqlChangeSource::Begin() {
    const auto deadline = steady_clock::now() + kFirstEventsWithin;
    while (!decoder_.has_format()) {
        if (!has_waiting()) {
            ForgetEvents();
            if (!BIWA_TRY(pump_->Take(events_, deadline))) {
                return Unavailable("the server does not begin to send its binary log");
            }
        }
        BIWA_TRY(DecodeNext());
    }
    return {};
}

Status MySqlChangeSource::DecodeNext() {
    if (decoder_.has_more()) {
        pending_bytes_ += BIWA_TRY(decoder_.DecodeMore());
        return {};
    }
    const auto size = LoadLittleEndian(events_->data() + events_read_, 4);
    const std::string_view event(events_->data() + events_read_ + 4, size);
    events_read_ += 4 + size;
    pending_bytes_ += size;
    if (size < EventPump::kLargeEvent) return decoder_.Decode(event);
    return decoder_.Decode(SharedBytes{events_, event});
}

// Their memory serves again, unless changes hold on to it or a large event has left much.
void MySqlChangeSource::ForgetEvents() {
    events_read_ = 0;
    if (events_.use_count() > 1 || events_->capacity() > 4 * kWaitingMax) {
        events_ = std::make_shared<std::string>();
    }
    events_->clear();
}

bool MySqlChangeSource::is_full() const {
    // The warehouse can commit where a transaction ends: those of usual sizes are not cut in two.
    const auto times = decoder_.in_transaction() ? 2u : 1u;
    return decoder_.changes() >= times * kBatchChangesMax ||
           pending_bytes_ >= times * kBatchBytesMax;
}

Status MySqlChangeSource::DecodeWaiting() {
    while (has_waiting() && !is_full()) {
        BIWA_TRY(DecodeNext());
        // Before anything of a new file is taken for what comes next.
        if (decoder_.place().file != file_checked_) BIWA_TRY(CheckLog());
    }
    return {};
}

Status MySqlChangeSource::CheckLog() {
    const auto& place = decoder_.place();
    const auto now = steady_clock::now();
    const bool is_another = std::exchange(file_checked_, place.file) != place.file;
    if (!decoder_.knows_place() || decoder_.in_transaction()) return {};
    if (!is_another && now - log_checked_ < kLogCheckedEvery) return {};
    log_checked_ = now;
    const auto connection = resolver_->Asking();
    const auto checked =
        connection ? CheckLogGoesOn(**connection, place, is_another && place.offset == kFirstEvent)
                   : tl::unexpected(connection.error());
    // Should the server be gone, whoever follows is told.
    if (checked || checked.error().kind != ErrorKind::kConflict) return {};
    // What follows in the new log is behind all that was read.
    bearings_->RaiseBase(place.NextBase());
    return checked;
}

Result<std::optional<ChangeBatch>> MySqlChangeSource::Poll(const Position& durable,
                                                           milliseconds timeout) {
    BIWA_TRY(Acknowledge(durable));
    const auto deadline = steady_clock::now() + timeout;
    for (;;) {
        BIWA_TRY(DecodeWaiting());
        if (is_full() && (decoder_.changes() > 0 || decoder_.at_commit())) return Take();
        if (!has_waiting()) {
            ForgetEvents();
            // What is whole is handed out before anything is waited for.
            const bool has_changes = decoder_.at_commit() && decoder_.changes() > 0;
            const auto now = steady_clock::now();
            if (!BIWA_TRY(pump_->Take(events_, has_changes ? now : deadline))) {
                if (has_changes) return Take();
                BIWA_TRY(CheckLog());
                pump_->ReleaseMemory();
                decoder_.ReleaseMemory();
                events_ = std::make_shared<std::string>();
                // Others' changes, or nothing: the position goes on now and then.
                const bool is_between = decoder_.knows_place() && !decoder_.in_transaction();
                const auto place = is_between ? decoder_.place().ToPosition().order : handed_out_;
                if (place > handed_out_ && now - last_handed_out_ >= idle_every_) return Take();
                return std::optional<ChangeBatch>();
            }
        } else {
            pending_bytes_ = 0;
        }
        // Others' changes may keep coming: whoever called us has more to look at.
        if (decoder_.changes() == 0 && steady_clock::now() >= deadline) {
            return std::optional<ChangeBatch>();
        }
    }
}

ChangeBatch MySqlChangeSource::Take() {
    pending_bytes_ = 0;
    auto batch = decoder_.TakeBatch();
    if (!batch.commit && decoder_.knows_place() && !decoder_.in_transaction()) {
        batch.commit = decoder_.ToPosition();
    }
    if (batch.commit) handed_out_ = batch.commit->order;
    last_handed_out_ = steady_clock::now();
    return batch;
}

// The server keeps nothing for us and needs not be told; who asks how far behind we are does.
Status MySqlChangeSource::Acknowledge(const Position& durable) {
    bearings_->acknowledged.store(durable.order, std::memory_order_relaxed);
    return {};
}

namespace {

// That the server has the file, and that the offset in it can be asked for.
Status CheckFile(const Connection& connection, const BinlogPlace& place) {
    const auto files = BIWA_TRY(connection.Query("SHOW BINARY LOGS"));
    bool is_there = false;
    for (std::size_t i = 0; i < files.size(); ++i) {
        if (files.Text(i, 0) != place.file) continue;
        is_there = true;
        const auto size = static_cast<std::uint64_t>(files.Number(i, 1));
        if (size >= place.offset) continue;
        return Fail(ErrorKind::kConflict,
                    fmt::format("the server's binary log {} has {} bytes, and was read up to byte "
                                "{}: it was begun anew (RESET MASTER), or its end was lost",
                                place.file, size, place.offset),
                    kCopyAllAnew);
    }
    if (!is_there) {
        return Fail(ErrorKind::kConflict,
                    fmt::format("the server no longer has its binary log {}, from which the stream "
                                "was to go on",
                                place.file),
                    Mend());
    }
    if (place.offset >> 32 != 0) {
        return Fail(
            ErrorKind::kConflict,
            fmt::format("the stream stands at {} of {}, beyond what the protocol can ask for",
                        HumanBytes(place.offset), place.file),
            Mend());
    }
    return {};
}

// MariaDB by GTID, too: it finds the file itself by what the session was told.
Result<st_mariadb_rpl*> AskByPlace(const Connection& connection, unsigned number,
                                   const BinlogPlace& place, bool by_gtid) {
    auto* const replication = mariadb_rpl_init(connection.raw());
    if (replication == nullptr) return Unavailable("following the binary log: out of memory");
    const auto file = by_gtid ? std::string() : place.file;
    mariadb_rpl_optionsv(replication, MARIADB_RPL_FILENAME, file.c_str(), file.size());
    mariadb_rpl_optionsv(replication, MARIADB_RPL_START, static_cast<unsigned long>(place.offset));
    mariadb_rpl_optionsv(replication, MARIADB_RPL_SERVER_ID, number);
    mariadb_rpl_optionsv(replication, MARIADB_RPL_FLAGS, 0U);
    if (mariadb_rpl_open(replication) == 0) return replication;
    auto error = connection.LastError("following the binary log");
    mariadb_rpl_close(replication);
    return tl::unexpected(std::move(error));
}

// MySQL's COM_BINLOG_DUMP_GTID, which the library does not know: uint16 flags, uint32 number of who
// asks, uint32 length of a file's name, uint64 place, uint32 length of the set, the set.
Status AskByGtid(const Connection& connection, unsigned number, const GtidSet& gtids) {
    constexpr auto kDumpByGtid = static_cast<enum_server_command>(0x1e);
    constexpr std::uint64_t kThroughGtid = 4;
    std::string message;
    const auto put = [&](std::uint64_t value, int size) {
        for (int i = 0; i < size; ++i) message += static_cast<char>(value >> (8 * i));
    };
    const auto set = BIWA_TRY(gtids.ToBytes());
    put(kThroughGtid, 2);
    put(number, 4);
    put(0, 4);
    put(kFirstEvent, 8);
    put(set.size(), 4);
    message += set;
    auto* const raw = connection.raw();
    constexpr my_bool kReadNoAnswer = 1;
    if (raw->methods->db_command(raw, kDumpByGtid, message.data(), message.size(), kReadNoAnswer,
                                 nullptr) != 0) {
        return tl::unexpected(connection.LastError("following the binary log"));
    }
    return {};
}

Result<std::unique_ptr<MySqlChangeSource>> OpenLog(const ConnectionParameters& parameters,
                                                   const std::vector<FollowedTable>& tables,
                                                   BinlogPlace place, milliseconds idle_every,
                                                   std::shared_ptr<Bearings> bearings) {
    auto connection = BIWA_TRY(Connection::Open(parameters, Connection::Kind::kReplication));
    const auto server = BIWA_TRY(ServerNumber(connection));
    const bool is_elsewhere = IsElsewhere(connection, server, place);
    if (is_elsewhere) {
        BIWA_TRY(CheckGtids(connection, place));
        bearings->RaiseBase(place.NextBase());
        place.by_gtid = place.gtids.orders_differ();
        place.file.clear();
        place.made_s = 0;
    }
    const bool by_gtid = is_elsewhere || place.by_gtid;
    if (by_gtid) place.offset = kFirstEvent;
    if (by_gtid && connection.is_mariadb()) {
        const auto connect_state = connection.Literal(place.gtids.ToString());
        BIWA_TRY(connection.Execute("SET @slave_connect_state = " + connect_state +
                                    ", @slave_gtid_strict_mode = 1, "
                                    "@slave_gtid_ignore_duplicates = 0"));
    } else if (!by_gtid) {
        BIWA_TRY(CheckFile(connection, place));
    }
    place.base = std::max(place.base, bearings->base->load());
    place.server = server;
    // That we understand checksums, GTIDs, and what else MariaDB would hide from the old; and a
    // sign of life each second.
    const auto checksum = BIWA_TRY(connection.Query("SELECT @@GLOBAL.binlog_checksum")).Text(0, 0);
    BIWA_TRY(connection.Execute(
        "SET @master_binlog_checksum = @@GLOBAL.binlog_checksum, "
        "@source_binlog_checksum = @@GLOBAL.binlog_checksum, "
        "@master_heartbeat_period = 1000000000, @source_heartbeat_period = 1000000000, "
        "@mariadb_slave_capability = 4"));
    // A replica with the number of another would end it.
    std::mt19937 random(std::random_device{}());
    const auto number = static_cast<unsigned>(random() | 0x4000'0000U);
    st_mariadb_rpl* replication = nullptr;
    if (by_gtid && !connection.is_mariadb()) {
        BIWA_TRY(AskByGtid(connection, number, place.gtids));
    } else {
        replication = BIWA_TRY(AskByPlace(connection, number, place, by_gtid));
    }
    auto source = std::make_unique<MySqlChangeSource>(
        std::make_unique<EventPump>(std::move(connection), replication),
        std::make_unique<StreamResolver>(parameters, tables), std::move(place), !by_gtid,
        checksum != "NONE", idle_every, std::move(bearings));
    BIWA_TRY(source->Begin());
    return source;
}

}  // namespace

Result<std::unique_ptr<ChangeSource>> FollowBinlog(const ConnectionParameters& parameters,
                                                   const std::vector<FollowedTable>& tables,
                                                   const Position& from, milliseconds idle_every,
                                                   std::shared_ptr<Bearings> bearings) {
    return BIWA_TRY(OpenLog(parameters, tables, BIWA_TRY(BinlogPlace::Parse(from.text)), idle_every,
                            std::move(bearings)));
}

Result<std::uint32_t> WhenBinlogBegan(const ConnectionParameters& parameters,
                                      const std::string& file) {
    BinlogPlace begin;
    begin.file = file;
    begin.offset = kFirstEvent;
    auto bearings = std::make_shared<Bearings>();
    bearings->base = std::make_shared<std::atomic<std::uint64_t>>(0);
    const auto source =
        BIWA_TRY(OpenLog(parameters, {}, std::move(begin), milliseconds(0), std::move(bearings)));
    return source->place().made_s;
}

}  // namespace biwa::mysql
