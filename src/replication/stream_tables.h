// Which of a source's tables a stream takes, and how those stand to the ones that it has.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "replication/stream_state.h"
#include "replication/target_table.h"
#include "source/source.h"

namespace biwa {

// Whether "schema.table" is one of those: "public.answers", "answers", "public.a*".
bool MatchesAny(const std::vector<std::string>& patterns, const std::string& name,
                const std::string& usual_schema);

// The tables of the patterns (StreamSource::Tables) less those that are excluded. Of those that the
// warehouse could not tell apart all but one are refused (SourceTable::refusal), as are those that
// the source refuses. One of `known`, which the stream has already ("schema.name"), comes first.
Result<std::vector<SourceTable>> FindTables(StreamSource& source, const TargetDataset& dataset,
                                            const std::vector<std::string>& patterns,
                                            const std::vector<std::string>& exclude,
                                            IfMissing if_missing,
                                            const std::set<std::string>& known = {});

// One thing to do, so that the stream's tables are those of the source.
struct TableStep {
    enum class Kind {
        kAdd,      // the stream does not have it: to be copied
        kRecopy,   // it is another table, or its rows are told apart otherwise: to be copied anew
        kRename,   // it has another name now
        kPublish,  // not followed for now, and not published as it has to be
        kGone,     // it is not there or not of the stream any more, or cannot be followed
    };
    Kind kind = Kind::kAdd;
    std::string table;                   // "schema.name", as the stream knows it
    const SourceTable* found = nullptr;  // all but kGone
    std::string reason;
};

// Compares without asking anybody. `found` outlives the steps.
std::vector<TableStep> CompareTables(const std::vector<StreamState::Table>& tables,
                                     const std::vector<SourceTable>& found);

// A shape as the stream's books have it; and why a table that had that shape has to be copied anew.
// Empty when it has not, and where either is not known.
std::string BooksOf(const TableShape& shape);
std::string ReasonOfShape(const std::string& books, const TableShape& now);

// Texts that are others when a table has come, gone or changed its columns.
std::string Signature(const SourceTable& table);
std::string Signature(const std::vector<SourceTable>& tables);

// Whether a copy of the table is worth nothing unless all of it is made at one moment: its changes
// cannot be applied twice.
inline bool NeedsOneMoment(const TableSchema& columns) {
    return columns.key.empty() || columns.key_repeats;
}

}  // namespace biwa
