// What the warehouse knows of a stream, in its own tables, written in the same transactions as the
// data:
//   _biwa.stream_books     of which version these are
//   _biwa.streams          how far the stream has got
//   _biwa.stream_tables    its tables
//   _biwa.stream_columns   which column of the source each column of their targets is
//                          (target_table.h)
//   _biwa.heard_columns    what masked columns of tables that are not followed were called by the
//                          log
//   _biwa.snapshot_ranges  the parts of tables that were copied, or are still to be
//   _biwa.histories        of which spans of time their history is known (history.h)
//   _biwa.reconciliations  what the last comparison of each table has found (stream_reconciler.h)
//   _biwa.differing_rows   the first rows that differed then
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/position.h"
#include "source/source.h"
#include "warehouse/warehouse.h"

namespace biwa {

enum class StreamPhase {
    kNew,        // nothing was done
    kStarting,   // the source was, or is about to be, asked to make a slot
    kSnapshot,   // the slot is there; tables are being copied
    kStreaming,  // changes are being followed
    kLeaving,    // its tables are another line's; what it has at the source is to be taken away
};

enum class TablePhase {
    kCopying,  // its parts are being copied
    kLive,     // its changes are followed
    kWaiting,  // to be copied anew, beside the stream; what is there stays until then
    kPaused,   // left as it is until it is resumed, which copies it anew
    kGone,     // not at the source any more, or it cannot be followed; its rows stay
};
std::string_view ToString(TablePhase phase);

struct StreamState {
    StreamPhase phase = StreamPhase::kNew;
    Position position;  // everything up to here is in the warehouse, or a copy will bring it
    Micros commit_time = 0;
    std::string history = {};  // of the source, which the position is of (CheckHistory)
    bool is_paused = false;    // stands still until somebody resumes it

    struct Table {
        std::string schema;
        std::string name;
        std::string id = {};  // SourceTable::id
        // SourceTable::shape, as BooksOf writes it, when it was copied or last looked at.
        std::string shape = {};
        TablePhase phase = TablePhase::kCopying;
        std::string reason = {};  // why it waits, is paused or gone
        // Whether it was copied as one whose keys repeat.
        bool key_repeats = false;
        // Whether it is published as one whose inserts alone are followed, and was copied so.
        bool inserts_only = false;
        // What of it is copied (TablePart::ToString), as it is published by now.
        std::string part = {};
        // Changes before this may be in the copied rows already. 0: the copy was made exactly at
        // the stream's start, or at `from`.
        std::uint64_t overlap_until = 0;
        // Changes up to here are in the rows, and must not be applied again.
        std::uint64_t from = 0;
        // Of one that is gone: those up to here were still its own.
        std::uint64_t until = 0;
        std::vector<SnapshotRange> ranges_left = {};
        // Why it could not be copied; in no book, since another try may do.
        std::string failure = {};

        std::string ToString() const { return schema + "." + name; }
        // Whether its changes are for its rows; those of one that is gone, as far as `until`.
        bool is_followed() const {
            return phase == TablePhase::kLive || phase == TablePhase::kGone;
        }
        // One that goes is followed to its end only if it was so far: else the changes before those
        // are missing.
        void Enter(TablePhase next) {
            if (next == TablePhase::kGone && phase != TablePhase::kLive) {
                from = std::numeric_limits<std::uint64_t>::max();
            }
            phase = next;
        }
    };
    std::vector<Table> tables;

    Table* Find(const std::string& source_name);
};

// Makes the tables above where they are not, or not as they have to be. kUser where a newer Biwa
// has made them.
Status PrepareStateTables(Warehouse& warehouse);

Result<StreamState> ReadStreamState(Warehouse& warehouse, const std::string& stream);

// Each adds its part to a transaction of the caller's.
Status SavePhase(WriteTransaction& transaction, const std::string& stream, StreamPhase phase);
Status SavePaused(WriteTransaction& transaction, const std::string& stream, bool is_paused);
Status SavePosition(WriteTransaction& transaction, const std::string& stream,
                    const Position& position, Micros commit_time);
Status SaveHistory(WriteTransaction& transaction, const std::string& stream,
                   const std::string& history);
// All of it, its ranges_left too. One that is live needs no memory of what was heard.
Status SaveTable(WriteTransaction& transaction, const std::string& stream,
                 const StreamState::Table& table);
// What masked columns of one that is not followed were called by the log, once each.
Status SaveHeard(WriteTransaction& transaction, const std::string& stream,
                 const StreamState::Table& table,
                 const std::vector<TableChanges::HeardColumn>& columns);
Status SaveShape(WriteTransaction& transaction, const std::string& stream,
                 const StreamState::Table& table);
Status SaveOverlap(WriteTransaction& transaction, const std::string& stream,
                   const std::string& schema, const std::string& name, std::uint64_t overlap_until);
Status SaveRangesDone(WriteTransaction& transaction, const std::string& stream,
                      const StreamState::Table& table, const std::vector<SnapshotRange>& ranges);
Status ForgetTable(WriteTransaction& transaction, const std::string& stream,
                   const StreamState::Table& table);
// What its columns were called while it waited.
Status ForgetHeard(WriteTransaction& transaction, const std::string& stream,
                   const StreamState::Table& table);
// Its history stays, and ends.
Status ForgetStream(WriteTransaction& transaction, const std::string& stream);

}  // namespace biwa
