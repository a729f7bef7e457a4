// Copies tables as they stood at one moment, in ranges of pages, on as many connections as are
// asked for. The moment is an exported snapshot, which the exporting connection keeps alive.
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

    const ConnectionParameters parameters_;
    const std::string snapshot_name_;
    const TypeCatalog types_;
    const TableParts only_;
    std::atomic<std::uint64_t> unrepresentable_ = 0;
    std::mutex mutex_;
    Connection exporter_;
    std::vector<Connection> idle_;
    std::map<std::string, CatalogTable> described_;
};

}  // namespace biwa::postgres
