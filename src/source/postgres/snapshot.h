// Copies tables as they stood at one moment, in ranges of pages, on as many connections as are
// asked for. The moment is an exported snapshot, which the exporting connection keeps alive.
//
// A table is locked (ACCESS SHARE, as by any SELECT) for as long as one range of it is read, not
// until the copy ends: an ALTER TABLE that had to wait for that would have all others wait behind
// it. So the table may be another one from range to range. A snapshot keeps rows as they were, not
// the catalogue: COPY goes by today's names, and finds a table empty that was rewritten since
// (ALTER … TYPE). So each Read looks, under its lock, whether the columns and the file are still
// those; where they are not it is kUnavailable, and the next attempt goes by what there is then.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "source/postgres/catalog.h"
#include "source/postgres/connection.h"
#include "source/source.h"

namespace biwa::postgres {

class PostgresSnapshot final : public SnapshotReader {
  public:
    // `exporter` holds the transaction of `snapshot_name` open.
    PostgresSnapshot(ConnectionParameters parameters, Connection exporter,
                     std::string snapshot_name, TypeCatalog types, TableParts only);

    Result<std::vector<SnapshotRange>> Split(const SourceTable& table) override;
    Result<std::unique_ptr<RowReader>> Read(const SourceTable& table,
                                            const SnapshotRange& range) override;
    Result<bool> AreCurrent(const SourceTable& table,
                            const std::vector<SnapshotRange>& ranges) override;
    std::uint64_t unrepresentable() const override { return unrepresentable_; }

  private:
    Result<Connection> TakeConnection();
    void GiveBack(Connection connection);
    Result<CatalogTable> Describe(const SourceTable& table);
    Status CompareColumns(const Connection& connection, const SourceTable& table);

    const ConnectionParameters parameters_;
    const std::string snapshot_name_;
    const TypeCatalog types_;
    const TableParts only_;
    std::atomic<std::uint64_t> unrepresentable_ = 0;
    std::mutex mutex_;
    Connection exporter_;
    std::vector<Connection> idle_;
    std::map<std::string, CatalogTable> described_;
    std::map<std::string, std::string> types_seen_;  // of the columns of a table
};

}  // namespace biwa::postgres
