#include "instance/stream_masks.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/log.h"
#include "base/text.h"
#include "plan/plan.h"
#include "project/secrets.h"
#include "replication/history.h"
#include "replication/mask_books.h"
#include "replication/masked_source.h"
#include "replication/masked_table.h"
#include "replication/stream_options.h"
#include "replication/stream_state.h"
#include "replication/target_table.h"
#include "replication/text_storage.h"

namespace biwa {

namespace {

// The masks that the stream was applied with; its key is not known any more.
MaskPolicy AppliedPolicy(const std::map<std::string, std::string>& fields) {
    MaskPolicy policy;
    for (const auto& [field, value] : fields) {
        if (field == "mask") policy.by_default = value == "by_default";
        if (field == "mask_key") policy.key_reference = value;
        if (!field.starts_with(kMaskField)) continue;
        const auto columns = field.substr(kMaskField.size());
        if (const auto mask = ParseMask(value)) {
            policy.masks.push_back({columns, *mask});
        } else {
            policy.clear.push_back(columns);
        }
    }
    return policy;
}

bool IsExcluded(const StreamConfig& stream, const SourceTable& table) {
    return std::any_of(
        stream.exclude.begin(), stream.exclude.end(), [&](const std::string& pattern) {
            const auto name = table.ToString();
            return pattern.ends_with('*') ? name.starts_with(pattern.substr(0, pattern.size() - 1))
                                          : name == pattern;
        });
}

std::shared_ptr<const TableSchema> Shared(const TableSchema& columns) {
    return std::make_shared<const TableSchema>(columns);
}

// Whether the warehouse has values of columns that are not at the source any more, of which the
// file would leave less.
Result<bool> ShowsMoreOfGone(const MaskPolicy& policy, const SourceTable& table,
                             const std::map<std::string, std::string>& recorded) {
    for (const auto& [column, written] : recorded) {
        if (table.columns.Find(column)) continue;
        const auto mask = BIWA_TRY(FindMask(policy, table, column));
        if (mask && ShowsMore(ToString(*mask), written.substr(0, written.find(" by "))))
            return true;
    }
    return false;
}

// The tables whose rows in the warehouse are masked otherwise than the file wants it, in their
// masked columns. `applied`: the fields that the stream was applied with.
Result<std::vector<SourceTable>> FindRemasked(const TargetDataset& dataset,
                                              const MaskPolicy& policy,
                                              const std::map<std::string, std::string>& applied,
                                              const std::vector<SourceTable>& tables,
                                              const MaskRecord& record) {
    std::vector<SourceTable> found;
    const auto former = AppliedPolicy(applied);
    KeyedHash hash(policy.key);
    for (const auto& table : tables) {
        const auto target = TargetTable(dataset, table.schema, table.name);
        if (!record.contains(target.name) && !record.contains(BesideTable(target).name)) continue;
        const auto masked = MaskTable(policy, {}, table, Shared(table.columns), hash);
        if (!masked) continue;  // It is left out of the stream.
        bool is_other = false;
        for (const auto& name : {target.name, BesideTable(target).name}) {
            const auto recorded = record.find(name);
            if (recorded == record.end()) continue;
            const auto other = FindOtherMask(policy, *masked, table, recorded->second);
            if (other && other->kind == ErrorKind::kUser) return tl::unexpected(*other);
            is_other = is_other || other.has_value() ||
                       BIWA_TRY(ShowsMoreOfGone(policy, table, recorded->second));
        }
        for (std::size_t i = 0; i < masked->masks.size() && !is_other; ++i) {
            const auto before = FindMask(former, table, table.columns.columns[i].name);
            is_other = !before || *before != masked->masks[i];
        }
        if (!is_other) continue;
        found.push_back(table);
        found.back().columns = *masked->masked;
    }
    return found;
}

// kUser where a column has another name since its rows came, or may have: what is known of that
// goes with the rows. `masked` says so as a stream would.
Status CheckDoubts(StreamSource& masked, const std::vector<SourceTable>& tables) {
    std::vector<std::string> names;
    std::set<std::string> refused;
    for (const auto& table : tables) {
        names.push_back(table.ToString());
        if (!table.refusal.empty()) refused.insert(names.back());
    }
    std::string doubtful, mend;
    for (const auto& table : BIWA_TRY(masked.Tables(names, IfMissing::kPassOver))) {
        if (table.refusal.empty() || refused.contains(table.ToString())) continue;
        doubtful +=
            fmt::format("{}{} {}", doubtful.empty() ? "" : "; ", table.ToString(), table.refusal);
        mend += fmt::format("{}{}", mend.empty() ? "To go on, " : "; ", table.mend_sql);
    }
    if (doubtful.empty()) return {};
    return UserError(doubtful, mend + ".");
}

Status DropForCopy(Warehouse& warehouse, const StreamConfig& stream, const TargetDataset& dataset,
                   const std::vector<SourceTable>& tables) {
    if (tables.empty()) return {};
    // The books may be of a Biwa before this one.
    BIWA_TRY(PrepareStateTables(warehouse));
    const auto texts = ChooseTexts(stream.texts, tables, warehouse.free_bytes());
    auto transaction = BIWA_TRY(warehouse.Begin());
    auto look = BIWA_TRY(DatasetLook::Read(*transaction, dataset.name));
    for (const auto& table : tables) {
        LogInfo("stream {}: {} is masked otherwise, and copied anew", stream.name,
                table.ToString());
        const auto target = TargetTable(dataset, table.schema, table.name);
        BIWA_TRY(DropTarget(*transaction, target, look));
        BIWA_TRY(DropTarget(*transaction, BesideTable(target), look));
        // Empty until the copy is done: who reads it gets no rows, and no error.
        BIWA_TRY(PrepareTarget(*transaction, target, table.columns, texts, look));
        BIWA_TRY(NarrowHistory(*transaction, {stream.name, table.schema, table.name, target}));
        StreamState::Table forgotten;
        forgotten.schema = table.schema;
        forgotten.name = table.name;
        for (const auto& line : {stream.name, JoinName(stream.name)}) {
            BIWA_TRY(ForgetTable(*transaction, line, forgotten));
        }
    }
    return transaction->Commit();
}

}  // namespace

Result<MaskPolicy> ResolveMaskPolicy(const Project& project, const StreamConfig& stream) {
    MaskPolicy policy;
    for (const auto& mask : stream.masks) policy.masks.push_back({mask.columns, mask.mask});
    for (const auto& [columns, location] : stream.clear) policy.clear.push_back(columns);
    policy.by_default = stream.mask_by_default;
    policy.key_reference = stream.mask_key;
    policy.tables = stream.tables;
    if (stream.mask_key.empty()) return policy;
    auto key = ResolveReferences(stream.mask_key, project.root);
    const auto place = fmt::format("{}: mask_key", stream.mask_key_location.ToString());
    if (!key) return Within(place, key.error());
    if (key->size() < kMaskKeyBytesMin) {
        return Within(place,
                      {ErrorKind::kUser,
                       fmt::format("the key behind {} has {} bytes, and {} are needed at least",
                                   stream.mask_key, key->size(), kMaskKeyBytesMin),
                       "For example: head -c 32 /dev/urandom | base64 > secrets/masks.key"});
    }
    policy.key = std::move(*key);
    return policy;
}

Result<std::unique_ptr<StreamSource>> OpenMasked(Source& source, const std::string& stream,
                                                 const std::string& line, const TableParts& only,
                                                 const TargetDataset& dataset,
                                                 const MaskPolicy& policy, Warehouse& warehouse) {
    return MaskSource(BIWA_TRY(source.OpenStream(line, only)), policy, warehouse, dataset, stream);
}

namespace {

// Of a table under `mask: by_default`, with which it is left out.
std::vector<std::string> UnnamedKeys(const MaskPolicy& policy, const SourceTable& table) {
    std::vector<std::string> unnamed;
    if (!policy.by_default || table.columns.key_repeats) return unnamed;
    for (const auto column : table.columns.key) {
        const auto& name = table.columns.columns[column].name;
        if (IsNamed(policy, table, name)) continue;
        unnamed.push_back(fmt::format("{}.{}", table.ToString(), name));
    }
    return unnamed;
}

}  // namespace

std::vector<Error> CheckMasks(const StreamConfig& stream, const MaskPolicy& policy,
                              const std::vector<SourceTable>& tables) {
    std::vector<Error> errors;
    const auto place_of = [&](const std::string& columns) {
        for (const auto& mask : stream.masks) {
            if (mask.columns == columns) return mask.location;
        }
        const auto found = stream.clear.find(columns);
        return found == stream.clear.end() ? stream.location : found->second;
    };
    for (const auto& lost : FindLostMasks(policy, tables)) {
        errors.push_back(
            {ErrorKind::kUser,
             fmt::format("{}: column \"{}\" is not there: {}", place_of(lost.columns).ToString(),
                         lost.columns,
                         lost.table != nullptr ? lost.table->ToString() + " has no such column"
                                               : "no table of the stream has it"),
             lost.hint});
    }
    if (policy.empty()) return errors;
    KeyedHash hash(policy.key);
    std::vector<std::string> unnamed;
    for (const auto& table : tables) {
        if (IsExcluded(stream, table) || !table.refusal.empty()) continue;
        const auto keys = UnnamedKeys(policy, table);
        unnamed.insert(unnamed.end(), keys.begin(), keys.end());
        if (!keys.empty()) continue;
        const auto masked = MaskTable(policy, {}, table, Shared(table.columns), hash);
        if (masked) continue;
        errors.push_back({masked.error().kind,
                          fmt::format("{}: {}", stream.location.ToString(), masked.error().message),
                          masked.error().hint});
    }
    if (!unnamed.empty()) {
        const bool is_one = unnamed.size() == 1;
        errors.push_back({ErrorKind::kUser,
                          fmt::format("{}: nothing says what {}: {}", stream.location.ToString(),
                                      is_one ? "this column of a primary key is"
                                             : "these columns of primary keys are",
                                      Join(unnamed, ", ")),
                          fmt::format("Name {} in clear, or hash {}.", is_one ? "it" : "them",
                                      is_one ? "it" : "them")});
    }
    return errors;
}

Status DropRemasked(const Plan& plan, const Project& wanted,
                    const std::vector<AppliedResource>& applied, Warehouse& warehouse,
                    const OpenSource& open_source, const DatasetOfStream& dataset_of) {
    for (const auto& step : plan.steps) {
        const bool is_made =
            step.action == StepAction::kCreate || step.action == StepAction::kUpdate;
        if (step.kind != "stream" || !is_made) continue;
        const auto& stream = wanted.streams.at(step.name);
        const auto record = BIWA_TRY(ReadMaskRecord(warehouse, stream.dataset));
        if (record.empty()) continue;
        const auto policy = BIWA_TRY(ResolveMaskPolicy(wanted, stream));
        const auto source = BIWA_TRY(open_source(stream.connection));
        const auto tables = BIWA_TRY(BIWA_TRY(source->OpenStream(stream.name, stream.only))
                                         ->Tables(stream.tables, IfMissing::kPassOver));
        const auto dataset = dataset_of(stream);
        const auto remasked = BIWA_TRY(FindRemasked(
            dataset, policy, AppliedFields(applied, "stream", step.name), tables, record));
        if (remasked.empty()) continue;
        // With what was known of them goes what tells of columns that got other names.
        const auto masked =
            BIWA_TRY(OpenMasked(*source, "", stream.name, stream.only, dataset, policy, warehouse));
        BIWA_TRY(CheckDoubts(*masked, remasked));
        BIWA_TRY(DropForCopy(warehouse, stream, dataset, remasked));
    }
    return {};
}

}  // namespace biwa
