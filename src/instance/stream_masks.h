// The masks of a project's streams: between its files, the applied plan, the sources and the
// warehouse.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "project/project.h"
#include "replication/mask_policy.h"
#include "source/registry.h"
#include "source/source.h"
#include "warehouse/warehouse.h"

namespace biwa {

// What the stream's file says, with the secret of its key read. kUser: there is no key, or it is
// too short.
Result<MaskPolicy> ResolveMaskPolicy(const Project& project, const StreamConfig& stream);

// Opens the stream's end of a source, masked.
Result<std::unique_ptr<StreamSource>> OpenMasked(Source& source, const StreamConfig& stream,
                                                 const MaskPolicy& policy, Warehouse& warehouse);

// What is wrong with the masks of tables as the source describes them: names of columns that are
// not there, masks that columns cannot have. Each message begins with its place in the file.
std::vector<Error> CheckMasks(const StreamConfig& stream, const MaskPolicy& policy,
                              const std::vector<SourceTable>& tables);

// The tables whose rows in the warehouse are masked otherwise than the file wants it, and so have
// to be copied anew. `applied`: the fields that the stream was applied with. kUser: the key is
// another one, behind the same reference.
Result<std::vector<SourceTable>> FindRemasked(const StreamConfig& stream, const MaskPolicy& policy,
                                              const std::map<std::string, std::string>& applied,
                                              const std::vector<SourceTable>& tables,
                                              const MaskRecord& record);

// Drops the tables, which are of the record, and forgets that they were copied: the stream's next
// start does that anew.
Status DropForCopy(Warehouse& warehouse, const StreamConfig& stream,
                   const std::vector<SourceTable>& tables, const MaskRecord& record);

}  // namespace biwa
