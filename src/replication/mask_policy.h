// Which columns of a stream are masked, and how. Plain data and pure functions.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/mask.h"
#include "source/source.h"

namespace biwa {

// Columns are named as "schema.table.column", or "table.column" where the schema is public; a *
// stands for any characters. A column's own name counts before names with a *.
struct MaskPolicy {
    struct Rule {
        std::string columns;
        Mask mask;
    };
    std::vector<Rule> masks;
    std::vector<std::string> clear;  // columns that stay as they are
    // Columns that neither names are NULL until somebody says what they are.
    bool by_default = false;
    std::string key;                  // of hashes: the secret itself, which is never shown
    std::string key_reference;        // "${file:secrets/masks.key}"
    std::vector<std::string> tables;  // patterns of all tables of the stream

    bool empty() const { return masks.empty() && !by_default; }
};

// HMAC takes any key, but one that can be guessed protects nothing.
inline constexpr std::size_t kMaskKeyBytesMin = 16;

// What the warehouse has of a dataset: for each table its columns, and how each was masked
// (Column::mask) when it was made.
using MaskRecord = std::map<std::string, std::map<std::string, std::string>>;

// The mask of a column, or nothing when it stays as it is. kUser: two names say different things.
Result<std::optional<Mask>> FindMask(const MaskPolicy& policy, const SourceTable& table,
                                     const std::string& column);

// Whether masks or clear name the column itself, or with a *.
bool IsNamed(const MaskPolicy& policy, const SourceTable& table, const std::string& column);

// For Column::mask: the mask, and of a hash by which key: "hash by ${env:KEY} (0c3e2f1a)". Shows
// nothing of the key but 32 bits of an HMAC.
std::string MaskText(const MaskPolicy& policy, const Mask& mask);

// Names without a * that are of one of the tables, whose column is not there; and those that are of
// none of the tables.
struct LostMask {
    std::string columns;
    const SourceTable* table = nullptr;  // null: it has no table
    std::string hint;
};
std::vector<LostMask> FindLostMasks(const MaskPolicy& policy,
                                    const std::vector<SourceTable>& tables);

// Whether a name of the policy covers the column.
bool Covers(const std::string& columns, const SourceTable& table, const std::string& column);

}  // namespace biwa
