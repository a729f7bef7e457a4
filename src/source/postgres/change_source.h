// Follows a logical replication slot.
//
// On the wire (PostgreSQL manual, "Streaming Replication Protocol"), inside CopyData:
//   from the server  'w' int64 start, int64 end of log, int64 time, pgoutput message
//                    'k' int64 end of log, int64 time, int8 reply wanted
//   to the server    'r' int64 written, int64 flushed, int64 applied, int64 time, int8 reply wanted
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "source/postgres/catalog.h"
#include "source/postgres/connection.h"
#include "source/postgres/pgoutput.h"
#include "source/source.h"

namespace biwa::postgres {

// The tables of one stream; types and columns that turn up later are asked of the catalogue.
class StreamResolver final : public RelationResolver {
  public:
    StreamResolver(ConnectionParameters parameters, TypeCatalog types,
                   const std::vector<FollowedTable>& tables, TableParts only);
    Result<std::optional<ResolvedRelation>> Resolve(const Relation& relation) override;

  private:
    std::map<std::string, FollowedTable>::iterator FindTable(const Relation& relation);
    Result<std::optional<TableSchema>> ReadColumns(const std::string& name, const std::string& id);

    const ConnectionParameters parameters_;
    const TableParts only_;
    TypeCatalog types_;
    std::map<std::string, FollowedTable> tables_;  // by "schema.table"; columns as last seen
};

class PostgresChangeSource final : public ChangeSource {
  public:
    // `connection` is in START_REPLICATION. `from`: commits up to there are known already.
    // `idle_every`: how often a stream without changes moves its position on.
    PostgresChangeSource(Connection connection, std::unique_ptr<StreamResolver> resolver,
                         std::uint64_t from, std::chrono::milliseconds idle_every);

    Result<std::optional<ChangeBatch>> Poll(const Position& durable,
                                            std::chrono::milliseconds timeout) override;
    Status Acknowledge(const Position& durable) override;
    std::uint64_t unrepresentable() const override { return decoder_.unrepresentable(); }

  private:
    using SteadyTime = std::chrono::steady_clock::time_point;

    Status HandleMessage(const SharedBytes& received);
    // Whether the server has sent something; waits for it until then.
    Result<bool> IsReadable(SteadyTime until);
    Status Consume();
    Status ListenForLife(SteadyTime now);
    Status SendStatus(std::uint64_t durable);
    ChangeBatch Take();

    Connection connection_;
    std::unique_ptr<StreamResolver> resolver_;
    PgOutputDecoder decoder_;
    const std::uint64_t from_;
    const std::chrono::milliseconds idle_every_;
    const std::chrono::milliseconds silence_max_;
    std::uint64_t acknowledged_ = 0;
    // The end of the last commit that was handed out, and the server's end of log when all before
    // it had been sent: a quiet stream's position moves on by the latter.
    std::uint64_t handed_out_ = 0;
    std::uint64_t idle_end_ = 0;
    std::uint64_t pending_bytes_ = 0;
    std::uint64_t gathered_bytes_ = 0;  // since the last sleep that let messages gather
    bool reply_wanted_ = false;
    // The server has asked for a reply, as one does that is being stopped: it ends when all of its
    // log is confirmed.
    bool is_awaited_ = false;
    SteadyTime last_heard_;
    std::optional<SteadyTime> asked_since_;  // for a sign of life, which has not come
    SteadyTime last_status_;
    SteadyTime last_idle_;
};

}  // namespace biwa::postgres
