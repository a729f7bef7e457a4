// Which of all the histories that servers have written a position is of.
//
// A server has an identifier from its making on, which its standbys and what is restored from its
// backups share. Each time that one of these ends recovery it begins a timeline of its own: up to
// there its history is that of the timeline before.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/position.h"
#include "source/postgres/connection.h"

namespace biwa::postgres {

struct History {
    std::string server;  // its identifier; "" where the role may not ask for it
    std::uint32_t timeline = 0;

    std::string ToString() const;
};

// What ToString wrote. kCorrupt when it did not.
Result<History> ParseHistory(std::string_view text);

Result<History> ReadHistory(const Connection& connection);

// Where the timeline `older` ended in the history of another, by that one's history file; 0 when it
// is none of its forebears. Lines: "number TAB position TAB why"; # begins a comment.
Result<std::uint64_t> EndOfTimeline(std::string_view file, std::uint32_t older);

// Why `now` did not pass `from` on the way of `known`, the text of a History; "" when it did, and
// when nothing is known.
Result<std::string> OtherHistory(const ConnectionParameters& parameters, const std::string& known,
                                 const History& now, const Position& from);

}  // namespace biwa::postgres
