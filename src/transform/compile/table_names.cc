#include "transform/compile/table_names.h"

#include <fmt/format.h>

#include "base/text.h"

namespace biwa::transform {

TableName WithAffixes(const TableName& canonical, const ModelsConfig& settings) {
    auto target = canonical;
    if (!settings.dataset_suffix.empty()) target.dataset += "_" + settings.dataset_suffix;
    if (!settings.name_prefix.empty()) target.name = settings.name_prefix + "_" + target.name;
    return target;
}

TableNames::TableNames(const std::set<TableName>& tables,
                       const std::set<std::string>& stream_datasets, const ModelsConfig& settings)
    : tables_(tables), stream_datasets_(stream_datasets), settings_(settings) {}

void TableNames::AddAction(const TableName& canonical, const std::string& project,
                           bool makes_table) {
    const Known known{WithAffixes(canonical, settings_), project, makes_table};
    const bool is_new = known_.insert_or_assign(canonical, known).second;
    if (is_new) known_by_name_[canonical.name].push_back(canonical);
}

void TableNames::AddDeclaration(const TableName& target, const std::string& project) {
    // An action of that name is a duplicate, and said to be one.
    if (known_.emplace(target, Known{target, project}).second)
        known_by_name_[target.name].push_back(target);
}

const TableNames::Known* TableNames::FindKnown(const TableName& canonical,
                                               const std::string& project) const {
    const auto found = known_.find(canonical);
    if (found == known_.end()) return nullptr;
    const auto& own = found->second.project;
    const auto& actual = own.empty() ? settings_.default_project : own;
    return project.empty() || actual.empty() || project == actual ? &found->second : nullptr;
}

Parsed<TableNames::Known> TableNames::Find(const TableReference& reference) const {
    if (!reference.dataset.empty()) {
        const TableName exact{reference.dataset, reference.name};
        if (const auto* known = FindKnown(exact, reference.project)) return *known;
        if (!known_.contains(exact) &&
            (tables_.contains(exact) || stream_datasets_.contains(exact.dataset)))
            return Known{exact, {}, true};
        return Missing(reference);
    }
    std::vector<TableName> found;
    const auto named = known_by_name_.find(reference.name);
    if (named != known_by_name_.end()) {
        for (const auto& name : named->second) {
            if (FindKnown(name, reference.project) != nullptr) found.push_back(name);
        }
    }
    if (found.size() == 1) return known_.at(found.front());
    if (found.empty()) {
        for (const auto& table : tables_) {
            if (table.name == reference.name) found.push_back(table);
        }
        if (found.size() == 1) return Known{found.front(), {}, true};
    }
    if (found.size() > 1) return Ambiguous(reference, found);
    return Missing(reference);
}

tl::unexpected<Problem> TableNames::Ambiguous(const TableReference& reference,
                                              const std::vector<TableName>& found) const {
    std::vector<std::string> names;
    for (const auto& table : found) names.push_back(table.ToString());
    return Wrong(
        reference.offset,
        fmt::format("\"{}\" may mean {}: name its dataset, as in ref(\"{}\", \"{}\")",
                    reference.name, Join(names, " or "), found.front().dataset, reference.name));
}

tl::unexpected<Problem> TableNames::Missing(const TableReference& reference) const {
    std::vector<std::string> names;
    const auto add = [&](const TableName& table) {
        names.push_back(reference.dataset.empty() ? table.name : table.ToString());
        // ref("dataset.table") names no dataset: it is one name with a dot in it.
        if (reference.dataset.empty()) names.push_back(table.ToString());
    };
    for (const auto& [canonical, known] : known_) add(canonical);
    for (const auto& table : tables_) add(table);
    auto message = fmt::format("there is no model or table \"{}\"", reference.ToString());
    const auto meant = DidYouMean(reference.ToString(), names);
    if (!reference.project.empty()) {
        message += fmt::format(" in the project \"{}\"", reference.project);
    } else if (meant == reference.name && reference.dataset.empty()) {
        message += fmt::format(". A dataset is an argument of its own: ref(\"{}\")",
                               Join(Split(meant, '.'), "\", \""));
    } else if (!meant.empty()) {
        message += fmt::format(". Did you mean \"{}\"?", meant);
    } else if (reference.dataset.empty() && !stream_datasets_.empty()) {
        message += fmt::format(
            ". A table that a stream brings needs its dataset: ref(\"{}\", "
            "\"{}\")",
            *stream_datasets_.begin(), reference.name);
    }
    return Wrong(reference.offset, std::move(message));
}

Parsed<TableName> TableNames::FindTable(const TableReference& reference) const {
    auto known = Find(reference);
    if (!known) return tl::unexpected(std::move(known).error());
    if (!known->makes_table) {
        return Wrong(reference.offset,
                     fmt::format("\"{}\" makes no table that could be read; operations that do say "
                                 "hasOutput: true",
                                 known->target.ToString()));
    }
    return known->target;
}

Parsed<TableName> TableNames::FindDependency(const TableReference& reference) const {
    auto known = Find(reference);
    if (!known) return tl::unexpected(std::move(known).error());
    return known->target;
}

}  // namespace biwa::transform
