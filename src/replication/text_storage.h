// How the texts of tables that are about to be copied are stored.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/table.h"
#include "source/source.h"

namespace biwa {

// What the stream says. Where it says nothing: plain as long as all of the tables, as large as they
// are at the source, take less than a tenth of `bytes_free`. So a copy is made and read fast where
// the disk is large beside it, tables may grow tenfold, and documents that the source keeps
// compressed may come out several times as large.
TextStorage ChooseTexts(std::optional<TextStorage> wanted, const std::vector<SourceTable>& tables,
                        std::uint64_t bytes_free);

}  // namespace biwa
