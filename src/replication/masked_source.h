// Masks at the door: a stream's source whose tables, rows and changes come out masked. Neither the
// source nor whoever reads from it knows.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "replication/mask_policy.h"
#include "replication/target_table.h"
#include "source/source.h"
#include "warehouse/warehouse.h"

namespace biwa {

// The same source where there is nothing to be masked and never was.
//
// Tables gives a table with a refusal where its masks cannot be done, where columns that are masked
// may stand under names that are not, and one that may be a masked table under another name, where
// the policy names columns one by one. It is kUser or kConflict when a table in the warehouse was
// masked otherwise than it would be now, and when a masked column has gone while another has come
// that nothing names: it may be the same one, renamed.
//
// `stream`: in whose books it stands which tables are followed; "" where all are to be copied anew:
// then none is taken for that, and how their rows were masked does not matter.
Result<std::unique_ptr<StreamSource>> MaskSource(std::unique_ptr<StreamSource> source,
                                                 MaskPolicy policy, Warehouse& warehouse,
                                                 const TargetDataset& dataset,
                                                 const std::string& stream);

}  // namespace biwa
