// Compares a table of the warehouse with its source while changes flow, value by value.
//
// First all of the table is read at the source, in parts, and each part is compared with what the
// warehouse has by then. What does not agree is a suspect, no more: the two were not looked at at
// the same position of the source's history. Then each suspect is looked at by its key:
//
//   1. from now on the stream's changes to it are noted (KeyWatch); a is the source's position
//   2. when all up to a is applied, it is read at the source; b is the source's position after that
//   3. when all up to b is applied, at q, it is compared with the warehouse's row
//
// Every change up to a is in what was read; every later one up to q was noted. So if none was, the
// row of the source at q is the one that was read: when the warehouse has another, that is a
// difference, and no change that is on its way will mend it. If one was noted, nothing is known,
// and the row is looked at again. A row is called differing when two looks in a row have said so,
// and changing when every look has found it changed; one that differs and rests is always found.
#pragma once

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "replication/key_watch.h"
#include "replication/reconciliation.h"
#include "source/source.h"
#include "warehouse/warehouse.h"

namespace biwa {

// How the reconciler stands to the stream that it compares. From the reconciler's thread.
class ReconciledStream {
  public:
    virtual ~ReconciledStream() = default;
    // Whether all changes up to there are in the warehouse. kConflict: the stream has stopped.
    virtual Result<bool> HasApplied(const Position& position) const = 0;
    // Makes rows what they are at the source, and everything in between right: see RepairRows.
    virtual Status Repair(const SourceTable& table,
                          const std::vector<std::vector<std::string>>& keys) = 0;
    virtual void OnParts(std::size_t done, std::size_t all) = 0;
};

struct ReconcileOptions {
    bool repair = false;
    // The source is read for at most this share of the time.
    double share = 0.5;
    // How long a stream may take to get to where its source is.
    std::chrono::milliseconds wait_max{120'000};
    // How long one moment of the source is read: it keeps the rows of that moment meanwhile.
    std::chrono::milliseconds moment_max{10'000};
    // Between two looks at the same rows.
    std::chrono::milliseconds between_looks{200};
};

class Reconciler {
  public:
    // All outlive it. One thread.
    Reconciler(Warehouse& warehouse, StreamSource& source, ReconciledStream& stream,
               KeyWatch& watch, ReconcileOptions options, std::stop_token stop);

    // The table is live in `target`. kUnavailable: try again later.
    Result<TableComparison> Compare(const SourceTable& table, const TableName& target);

  private:
    struct Suspects;

    Status CompareByKey(const SourceTable& table, const TableName& target, TableComparison& result);
    Status CompareAsWhole(const SourceTable& table, const TableName& target,
                          TableComparison& result);
    // Reads the table in parts and leaves the keys that do not agree in biwa_suspects.
    Status FindSuspects(const SourceTable& table, const TableName& target, TableComparison& result);
    Status LookAtAll(const SourceTable& table, const TableName& target, Suspects& suspects);
    // Leaves those open that have to be looked at again.
    Status Look(const SourceTable& table, const TableName& target,
                const std::vector<std::int64_t>& numbers, Suspects& suspects);
    // Those of biwa_suspects with these numbers.
    Result<std::vector<std::vector<std::string>>> KeysOf(const SourceTable& table,
                                                         const std::vector<std::int64_t>& numbers);
    // Until all that the source has committed by now is in the warehouse.
    Status WaitForHead();
    Status Execute(const std::string& sql);

    Warehouse& warehouse_;
    StreamSource& source_;
    ReconciledStream& stream_;
    KeyWatch& watch_;
    const ReconcileOptions options_;
    const std::stop_token stop_;
    std::unique_ptr<Workbench> workbench_;  // of the table that is being compared
};

// Makes the target's rows of these keys what they are at the source now. Within `transaction`,
// which the stream's own state has to be saved with: changes up to the position that is returned
// may be in these rows already.
Result<Position> RepairRows(WriteTransaction& transaction, StreamSource& source,
                            const SourceTable& table, const TableName& target,
                            const std::vector<std::vector<std::string>>& keys);

}  // namespace biwa
