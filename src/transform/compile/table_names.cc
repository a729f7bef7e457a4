#include "transform/compile/table_names.h"

#include <fmt/format.h>

#include "base/text.h"

namespace biwa::transform {

TableNames::TableNames(const std::set<TableName>& tables,
                       const std::set<std::string>& stream_datasets)
    : tables_(tables), stream_datasets_(stream_datasets) {}

void TableNames::AddAction(const TableName& target, bool makes_table) {
    actions_[target] = makes_table;
}

void TableNames::AddDeclaration(const TableName& target) { tables_.insert(target); }

Parsed<TableName> TableNames::Find(const TableReference& reference) const {
    if (!reference.dataset.empty()) {
        const TableName exact{reference.dataset, reference.name};
        if (actions_.contains(exact) || tables_.contains(exact) ||
            stream_datasets_.contains(exact.dataset)) {
            return exact;
        }
    } else {
        std::vector<TableName> found;
        for (const auto& [target, makes_table] : actions_) {
            if (target.name == reference.name) found.push_back(target);
        }
        if (found.empty()) {
            for (const auto& table : tables_) {
                if (table.name == reference.name) found.push_back(table);
            }
        }
        if (found.size() == 1) return found.front();
        if (found.size() > 1) {
            std::vector<std::string> names;
            for (const auto& table : found) names.push_back(table.ToString());
            return Wrong(reference.offset,
                         fmt::format("\"{}\" may mean {}: name its dataset, as in ref(\"{}\", "
                                     "\"{}\")",
                                     reference.name, Join(names, " or "), found.front().dataset,
                                     reference.name));
        }
    }

    std::vector<std::string> names;
    const auto add = [&](const TableName& table) {
        names.push_back(reference.dataset.empty() ? table.name : table.ToString());
        // ref("dataset.table") names no dataset: it is one name with a dot in it.
        if (reference.dataset.empty()) names.push_back(table.ToString());
    };
    for (const auto& [target, makes_table] : actions_) add(target);
    for (const auto& table : tables_) add(table);
    auto message = fmt::format("there is no model or table \"{}\"", reference.ToString());
    if (const auto meant = DidYouMean(reference.ToString(), names); meant == reference.name) {
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
    auto table = Find(reference);
    if (!table) return table;
    const auto action = actions_.find(*table);
    if (action != actions_.end() && !action->second) {
        return Wrong(reference.offset,
                     fmt::format("\"{}\" makes no table that could be read; operations that do say "
                                 "hasOutput: true",
                                 table->ToString()));
    }
    return table;
}

Parsed<TableName> TableNames::FindDependency(const TableReference& reference) const {
    return Find(reference);
}

}  // namespace biwa::transform
