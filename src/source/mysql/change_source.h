// Follows the binary log of a server.
//
// A thread of its own fetches the events (the library's call waits for the next one) and hands
// their bytes over; the reader's thread decodes them. The server sends a heartbeat each second when
// there is nothing else, so silence means that the connection is gone.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "source/mysql/bearings.h"
#include "source/mysql/binlog_decoder.h"
#include "source/mysql/connection.h"
#include "source/mysql/table_resolver.h"
#include "source/source.h"

// MARIADB_RPL of mariadb_rpl.h, whose macros are not for everyone.
struct st_mariadb_rpl;

namespace biwa::mysql {

// Fetches events until it is destroyed or the stream ends.
class EventPump {
  public:
    // `connection` follows the log already, by `replication`.
    EventPump(Connection connection, st_mariadb_rpl* replication);
    ~EventPump();

    // Replaces `events`, which nobody else holds, by what has come, each event with four bytes of
    // length in front; one of kLargeEvent bytes or more comes alone. False when there was nothing
    // until `deadline`; an error when nothing more will come.
    Result<bool> Take(std::shared_ptr<std::string>& events,
                      std::chrono::steady_clock::time_point deadline);
    // What waiting events have taken, while none do.
    void ReleaseMemory();

    static constexpr std::size_t kLargeEvent = 1 << 20;

  private:
    struct ReplicationDeleter {
        void operator()(st_mariadb_rpl* replication) const;
    };

    void Run(std::stop_token stop);
    // Waits for room first.
    void Put(std::string_view event, std::stop_token stop);

    Connection connection_;
    std::unique_ptr<st_mariadb_rpl, ReplicationDeleter> replication_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::string events_;
    std::shared_ptr<std::string> large_event_;  // comes after those
    Status ended_;
    std::jthread thread_;
};

class MySqlChangeSource final : public ChangeSource {
  public:
    // `idle_every`: how often a stream without changes moves its position on. `acknowledged` is
    // told what is durable.
    MySqlChangeSource(std::unique_ptr<EventPump> pump, std::unique_ptr<StreamResolver> resolver,
                      BinlogPlace from, bool knows_place, bool checksums,
                      std::chrono::milliseconds idle_every, std::shared_ptr<Bearings> bearings);

    // Waits until the log has said which file it is: that it cannot be followed is known then.
    Status Begin();
    Result<std::optional<ChangeBatch>> Poll(const Position& durable,
                                            std::chrono::milliseconds timeout) override;
    Status Acknowledge(const Position& durable) override;
    std::uint64_t unrepresentable() const override { return decoder_.unrepresentable(); }
    const BinlogPlace& place() const { return decoder_.place(); }

  private:
    using SteadyTime = std::chrono::steady_clock::time_point;

    // That the log is still the one that is followed: with each file, and now and then while
    // nothing comes.
    Status CheckLog();
    // Decodes what has come, until a batch is full.
    Status DecodeWaiting();
    Status DecodeNext();
    bool has_waiting() const { return decoder_.has_more() || events_read_ < events_->size(); }
    void ForgetEvents();
    bool is_full() const;
    ChangeBatch Take();

    std::unique_ptr<EventPump> pump_;
    std::unique_ptr<StreamResolver> resolver_;
    BinlogDecoder decoder_;
    const std::chrono::milliseconds idle_every_;
    const std::shared_ptr<Bearings> bearings_;
    std::shared_ptr<std::string> events_ = std::make_shared<std::string>();
    std::size_t events_read_ = 0;
    std::uint64_t pending_bytes_ = 0;
    std::uint64_t handed_out_ = 0;
    SteadyTime last_handed_out_, log_checked_;
    std::string file_checked_;
};

// Begins to follow the log at `from`; at another server than it was written at, by its GTIDs.
// kConflict when the server does not have it.
Result<std::unique_ptr<ChangeSource>> FollowBinlog(const ConnectionParameters& parameters,
                                                   const std::vector<FollowedTable>& tables,
                                                   const Position& from,
                                                   std::chrono::milliseconds idle_every,
                                                   std::shared_ptr<Bearings> bearings);

// BinlogPlace::made_s of a file of the server's.
Result<std::uint32_t> WhenBinlogBegan(const ConnectionParameters& parameters,
                                      const std::string& file);

}  // namespace biwa::mysql
