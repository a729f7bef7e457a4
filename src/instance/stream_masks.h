// The masks of a project's streams: between its files, the applied plan, the sources and the
// warehouse.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "plan/plan.h"
#include "project/project.h"
#include "replication/mask_policy.h"
#include "replication/target_table.h"
#include "source/registry.h"
#include "source/source.h"
#include "warehouse/warehouse.h"

namespace biwa {

// What the stream's file says, with the secret of its key read. kUser: there is no key, or it is
// too short.
Result<MaskPolicy> ResolveMaskPolicy(const Project& project, const StreamConfig& stream);

// Opens the source's end of a line of the stream, masked. `stream`: as MaskSource has it.
Result<std::unique_ptr<StreamSource>> OpenMasked(Source& source, const std::string& stream,
                                                 const std::string& line, const TableParts& only,
                                                 const TargetDataset& dataset,
                                                 const MaskPolicy& policy, Warehouse& warehouse);

// What is wrong with the masks of tables as the source describes them: names of columns that are
// not there, masks that columns cannot have. Each message begins with its place in the file.
std::vector<Error> CheckMasks(const StreamConfig& stream, const MaskPolicy& policy,
                              const std::vector<SourceTable>& tables);

// Of the streams that the plan makes or changes: drops the tables whose rows in the warehouse are
// masked otherwise than the files want it, and forgets that they were copied. The stream's next
// start copies them anew. kUser, and nothing is dropped of that stream: the key of hashes is
// another one, behind the same reference; or a masked column has, or may have, another name now,
// and would be clear.
using OpenSource = std::function<Result<std::shared_ptr<Source>>(const std::string& connection)>;
using DatasetOfStream = std::function<TargetDataset(const StreamConfig& stream)>;
Status DropRemasked(const Plan& plan, const Project& wanted,
                    const std::vector<AppliedResource>& applied, Warehouse& warehouse,
                    const OpenSource& open_source, const DatasetOfStream& dataset_of);

}  // namespace biwa
