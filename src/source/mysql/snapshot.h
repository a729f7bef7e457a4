// Copies tables as they stood at one moment, in ranges of the primary key, on several connections.
//
// The server cannot give a transaction's view to another connection. What each can have is a view
// of its own (START TRANSACTION WITH CONSISTENT SNAPSHOT) and, of MariaDB, the place in the binary
// log that exactly this view is of (binlog_snapshot_file and _position). So:
// - MariaDB: the connections begin at once and compare their places. Where no commit came between
//   they agree; else they begin again, for three seconds. Those that agree then are used, be it
//   one. Nothing is locked.
// - MySQL, and MariaDB by setting: FLUSH TABLES WITH READ LOCK while the connections begin, which
// is
//   some milliseconds; it is not waited for longer than ten seconds.
// docs/decisions has why.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "source/mysql/catalog.h"
#include "source/mysql/connection.h"
#include "source/mysql/position.h"
#include "source/source.h"

namespace biwa::mysql {

// Where the server's binary log ends now.
Result<BinlogPlace> ReadHead(const Connection& connection);

// The keys in the range, as they are now, on a connection of their own: StreamSource::ReadKeys.
Result<std::unique_ptr<RowReader>> ReadKeysInRange(const ConnectionParameters& parameters,
                                                   const SourceTable& table, const KeyRange& range);
// The rows of these keys as they are now, on a connection of their own: StreamSource::ReadRows.
Result<std::unique_ptr<RowReader>> ReadRowsByKey(const ConnectionParameters& parameters,
                                                 const SourceTable& table,
                                                 const std::vector<std::vector<std::string>>& keys);

class MySqlSnapshot final : public SnapshotReader {
  public:
    static Result<std::unique_ptr<MySqlSnapshot>> Begin(const ConnectionParameters& parameters);

    // The place in the binary log that it is of.
    const BinlogPlace& place() const { return place_; }

    Result<std::vector<SnapshotRange>> Split(const SourceTable& table) override;
    Result<std::set<std::string>> TextsThatSeldomRepeat(
        const SourceTable& table, const std::vector<SnapshotRange>& ranges) override;
    // Waits while all connections are in use.
    Result<std::unique_ptr<RowReader>> Read(const SourceTable& table,
                                            const SnapshotRange& range) override;
    // Ranges are of the key's values, wherever the rows lie; and the server tells when a table is
    // not any more what it was for the snapshot.
    Result<bool> AreCurrent(const SourceTable&, const std::vector<SnapshotRange>&) override {
        return true;
    }
    // A view of the rows is none of the columns' names: those are as they are when it is read.
    // While that goes on the server alters nothing of the table.
    Status CheckColumns(const SourceTable& table) override;
    std::uint64_t unrepresentable() const override { return unrepresentable_; }

  private:
    MySqlSnapshot(ConnectionParameters parameters, std::vector<Connection> connections,
                  BinlogPlace place);
    Result<Connection> TakeConnection();
    void GiveBack(std::optional<Connection> connection);
    Result<CatalogTable> Describe(const SourceTable& table);
    Result<CatalogTable> ReadAsDescribed(const SourceTable& table);
    Result<CatalogTable> ReadNow(const SourceTable& table);

    const ConnectionParameters parameters_;
    const BinlogPlace place_;
    std::atomic<std::uint64_t> unrepresentable_ = 0;
    std::mutex mutex_;
    std::condition_variable given_back_;
    std::vector<Connection> idle_;
    std::size_t open_ = 0;  // idle or in use
    std::map<std::string, CatalogTable> described_;

    std::mutex describing_mutex_;  // taken before the other
    std::optional<Connection> describing_;
};

}  // namespace biwa::mysql
