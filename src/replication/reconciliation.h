// What a comparison of a stream's tables with their source has found.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace biwa {

enum class RowDifference {
    kMissing,    // at the source only
    kExtra,      // here only
    kDifferent,  // at both, not the same; or here more than once
};

struct DifferingKey {
    std::vector<std::string> key;  // one text a column of the key
    RowDifference difference = RowDifference::kDifferent;

    std::string ToString() const;  // "17", "(17, a)"
};

struct TableComparison {
    enum class Outcome {
        kEqual,
        kDiffers,
        kRepaired,       // has differed, and is as at the source since
        kNotCompared,    // this time; `reason` says why
        kNotComparable,  // never, being as it is; `reason` says why
    };
    static constexpr std::size_t kNamedMax = 100;

    std::string source;  // "public.answers"
    Outcome outcome = Outcome::kNotCompared;
    std::string reason = {};  // why it was not compared, or what is to be known of the result
    Micros at = 0;            // when it was done
    double seconds = 0;
    std::int64_t rows = 0;  // that were read at the source
    std::uint64_t missing = 0;
    std::uint64_t extra = 0;
    std::uint64_t different = 0;
    std::uint64_t changing = 0;  // rows that changed at every look
    std::uint64_t repaired = 0;
    std::vector<DifferingKey> keys = {};  // the first kNamedMax that differ, or differed

    std::uint64_t differing() const { return missing + extra + different; }
};

// Of a stream: what is being compared, and what came of it the last time.
struct Reconciliation {
    bool is_running = false;
    bool is_repairing = false;
    std::string table;                 // that is being compared
    std::uint64_t keys_read_anew = 0;  // by the last backfill
    std::size_t tables_done = 0, tables = 0;
    std::size_t parts_done = 0, parts = 0;  // of the table
    // Of the last run: why it ended before its end.
    std::string error;
    // Of each table the last result.
    std::vector<TableComparison> results;
    // Of those, the ones of the last run.
    std::vector<std::string> last_run;
};

std::string_view ToString(RowDifference difference);
std::string_view ToString(TableComparison::Outcome outcome);

}  // namespace biwa
