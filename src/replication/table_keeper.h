// Keeps the tables of a stream those of its source: which it has, by what names, with what columns.
//
// Used by the stream's thread, but for what says otherwise.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "replication/stream_board.h"
#include "replication/stream_line.h"
#include "replication/stream_options.h"
#include "replication/stream_tables.h"
#include "replication/table_intake.h"
#include "source/source.h"
#include "warehouse/warehouse.h"

namespace biwa {

class TableKeeper {
  public:
    // All outlive it.
    TableKeeper(Warehouse& warehouse, const StreamOptions& options, StreamLine& line,
                StreamBoard& board, TableIntake& intake);

    // What the source has now that the stream's patterns name. From any thread.
    Result<std::vector<SourceTable>> Find(StreamSource& source, IfMissing if_missing,
                                          const std::set<std::string>& known = {}) const;
    // The same, to go on with.
    Status Look(StreamSource& source);
    // Brings the stream's tables in line with those of the source.
    Status Adjust(StreamSource& source);
    // As they were at the last look or adjustment.
    const std::vector<SourceTable>& found() const { return found_; }
    // The table is another one here: what the one before fitted says nothing of it.
    void Replaced(const std::string& source_name) { compared_.erase(source_name); }

    // Whether these are others than at the last adjustment. From any thread.
    bool AreNews(const std::vector<SourceTable>& found) const;
    // Tables that wait to be copied, or whose copies wait, and have to go on waiting. By the
    // stream's thread.
    std::set<std::string> NotHeard() const;
    // Copies were made beside the stream that are so far, in that attempt: the log is to be heard
    // up to there before they are taken over.
    void HearCopies(const std::vector<std::string>& tables, std::uint64_t order, int attempt);

    // Whether the next adjustment can do what the last one had to put off. By the watcher.
    bool HasHeard();

  private:
    // How far the log has to be read before a table is copied anew, which looked like that, and
    // whether it was.
    struct Hearing {
        std::string signature;
        Position until;
        bool is_done = false;
        int copied_in = 0;  // TableIntake::Ready::attempt; 0: it is not copied yet
    };
    using Hearings = std::map<std::string, Hearing>;  // by table

    // Whether the log is to be read before a table is copied anew: where that alone tells a masked
    // column by another name, and for a history, which has the changes up to the copy.
    bool HasToBeHeard(const TableStep& step) const;
    // Puts off the steps of those for which it was not.
    Status PutOffUnheard(StreamSource& source, std::vector<TableStep>& steps, Hearings& hearings);
    // Those that wait and have masks: what a column was called meanwhile the log alone tells.
    Status HearWaiting(StreamSource& source, Hearings& hearings) const;
    // Tables of which the log alone tells what a masked column was called.
    std::set<std::string> TablesToHear() const;
    Result<std::vector<TableStep>> CarryRenames(StreamSource& source);
    Status MindCopies(std::vector<TableStep>& steps);
    Status Publish(StreamSource& source, std::vector<TableStep>& steps);
    Status Carry(StreamSource& source, const TableStep& step);
    Status NoteShapes(const Hearings& put_off);
    // Those of the stream's tables that their columns have become unfit to be followed.
    Result<std::vector<TableStep>> CompareColumns();

    Warehouse& warehouse_;
    const StreamOptions& options_;
    StreamLine& line_;
    StreamBoard& board_;
    TableIntake& intake_;
    std::vector<SourceTable> found_;
    std::map<std::string, std::string> compared_;  // by table: the signature that its target fits

    mutable std::mutex mutex_;  // guards all below
    std::string signature_;     // of the last adjustment
    Hearings hearings_;
};

}  // namespace biwa
