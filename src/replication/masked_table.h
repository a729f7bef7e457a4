// A table's columns as the source has them and as they come out of the masks, and its rows and
// changes on the way from the one to the other.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "replication/mask_policy.h"
#include "replication/masking.h"
#include "source/source.h"

namespace biwa {

struct MaskedTable {
    std::shared_ptr<const TableSchema> clear;
    std::shared_ptr<const TableSchema> masked;
    std::vector<std::optional<Mask>> masks;  // one a column of `clear`

    bool is_masked() const;
    bool has_masked_key() const;
    std::map<std::string, std::string> Describe() const;  // column to its mask's text
};

// `kept`: masks of columns that nothing names. kUser: a mask that the column cannot have; of the
// key's columns only a hash is left as unique as it was.
Result<MaskedTable> MaskTable(const MaskPolicy& policy, const std::map<std::string, Mask>& kept,
                              const SourceTable& table, std::shared_ptr<const TableSchema> clear,
                              KeyedHash& hash);

// Why the table as it is in the warehouse, with these columns and masks, cannot take what is masked
// in this way. kConflict: it has to be copied anew. kUser: the key of hashes is another, and nobody
// has said so.
std::optional<Error> FindOtherMask(const MaskPolicy& policy, const MaskedTable& masked,
                                   const SourceTable& table,
                                   const std::map<std::string, std::string>& recorded);

// Reads rows of the clear columns as rows of the masked ones. Values of columns that are not masked
// are decoded straight into the block.
std::unique_ptr<RowReader> MaskRows(std::unique_ptr<RowReader> clear, MaskedTable table,
                                    const KeyedHash& hash);

// What the source left out stays left out: the warehouse has it masked. kCorrupt: the changes have
// other columns than the table, and nobody knows what of them is to be masked.
Status MaskChanges(const MaskedTable& table, TableChanges& changes, KeyedHash& hash);

}  // namespace biwa
