#include "transform/run/schema_change.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.h"

namespace biwa::transform {

namespace {

const TableColumn* FindColumn(const std::vector<TableColumn>& columns, std::string_view name) {
    const auto wanted = SmallLetters(std::string(name));
    const auto found = std::find_if(columns.begin(), columns.end(), [&](const auto& column) {
        return SmallLetters(column.name) == wanted;
    });
    return found == columns.end() ? nullptr : &*found;
}

struct Difference {
    std::vector<TableColumn> added;
    std::vector<TableColumn> gone;
    struct Retyped {
        std::string name;
        std::string was;
        std::string is;
    };
    std::vector<Retyped> retyped;

    bool any() const { return !added.empty() || !gone.empty() || !retyped.empty(); }

    std::string ToString() const {
        std::vector<std::string> parts;
        for (const auto& column : retyped) {
            parts.push_back(
                fmt::format("{} was {} and is {} now", column.name, column.was, column.is));
        }
        for (const auto& column : added) parts.push_back(fmt::format("{} is new", column.name));
        for (const auto& column : gone) parts.push_back(fmt::format("{} is gone", column.name));
        return Join(parts, "; ");
    }
};

Difference Compare(const std::vector<TableColumn>& had, const std::vector<TableColumn>& got) {
    Difference difference;
    for (const auto& column : got) {
        const auto* old = FindColumn(had, column.name);
        if (old == nullptr) {
            difference.added.push_back(column);
        } else if (old->type != column.type) {
            difference.retyped.push_back({old->name, old->type, column.type});
        }
    }
    for (const auto& column : had) {
        if (FindColumn(got, column.name) == nullptr) difference.gone.push_back(column);
    }
    return difference;
}

tl::unexpected<Error> Refuse(const Action& action, const Difference& difference,
                             std::string_view why) {
    const auto target = action.target.ToString();
    return UserError(
        fmt::format("{}: the columns of {} have changed: {}{}", action.location.ToString(), target,
                    difference.ToString(), why),
        action.RecordsHistory()
            ? "Say in its config what is to become of it: onSchemaChange."
            : fmt::format("Build it anew: biwa run --full-refresh --select {}; or say in its "
                          "config what is to become of it: onSchemaChange.",
                          target));
}

}  // namespace

Result<SchemaChange> ReconcileColumns(const Action& action, const std::vector<TableColumn>& had,
                                      const std::vector<TableColumn>& got) {
    const auto difference = Compare(had, got);
    const auto policy = action.incremental_options.on_schema_change.value_or(OnSchemaChange::kFail);
    const auto table = action.target.ToSql();
    SchemaChange change;
    for (const auto& column : got) change.insert.push_back(column.name);
    if (!difference.any()) return change;
    switch (policy) {
        case OnSchemaChange::kFail:
            return Refuse(action, difference, "");
        case OnSchemaChange::kIgnore:
            if (!difference.gone.empty()) {
                return Refuse(action, difference,
                              ". onSchemaChange: IGNORE leaves out new columns, and has no values "
                              "for those that are gone");
            }
            for (const auto& column : difference.added) {
                change.notes.push_back(fmt::format(
                    "column {} is new and left out (onSchemaChange: IGNORE)", column.name));
                std::erase(change.insert, column.name);
            }
            return change;
        case OnSchemaChange::kExtend:
            if (!difference.gone.empty() || !difference.retyped.empty()) {
                return Refuse(action, difference,
                              ". onSchemaChange: EXTEND only adds columns; SYNCHRONIZE also drops "
                              "and converts");
            }
            break;
        case OnSchemaChange::kSynchronize:
            for (const auto& column : difference.gone) {
                const auto is_key = [&](const std::string& key) {
                    return SmallLetters(key) == SmallLetters(column.name);
                };
                if (std::any_of(action.unique_key.begin(), action.unique_key.end(), is_key)) {
                    return Refuse(
                        action, difference,
                        fmt::format(". {} is of uniqueKey, so it cannot be dropped", column.name));
                }
            }
            break;
    }
    const auto alter = [&](std::string what, std::string note) {
        change.statements.push_back(fmt::format("ALTER TABLE {} {}", table, what));
        change.notes.push_back(std::move(note));
    };
    for (const auto& column : difference.added) {
        alter(fmt::format("ADD COLUMN {} {}", QuoteIdentifier(column.name), column.type),
              fmt::format("column {} {} was added", column.name, column.type));
    }
    for (const auto& column : difference.retyped) {
        alter(fmt::format("ALTER COLUMN {} TYPE {}", QuoteIdentifier(column.name), column.is),
              fmt::format("column {} was {} and is {} now", column.name, column.was, column.is));
    }
    for (const auto& column : difference.gone) {
        if (action.RecordsHistory()) {
            change.notes.push_back(fmt::format(
                "column {} is gone from the query: it is NULL in new versions", column.name));
            continue;
        }
        alter("DROP COLUMN " + QuoteIdentifier(column.name),
              fmt::format("column {} was dropped", column.name));
    }
    return change;
}

Status CheckContract(const Action& action, const std::vector<TableColumn>& columns,
                     const std::vector<std::string>& promised_types) {
    std::vector<std::string> wrong;
    std::vector<TableColumn> promised;
    for (std::size_t i = 0; i < action.columns.size(); ++i) {
        const auto name = Join(action.columns[i].path, ".");
        promised.push_back({name, promised_types.at(i)});
        const auto* column = FindColumn(columns, name);
        if (column == nullptr) {
            wrong.push_back(fmt::format("{} {} is missing", name, promised_types[i]));
        } else if (column->type != promised_types[i]) {
            wrong.push_back(
                fmt::format("{} is {} and not {}", name, column->type, promised_types[i]));
        }
    }
    for (const auto& column : columns) {
        if (FindColumn(promised, column.name) == nullptr) {
            wrong.push_back(fmt::format("{} {} is not promised", column.name, column.type));
        }
    }
    if (wrong.empty()) return {};
    return UserError(
        fmt::format("{}: {} does not keep its contract: {}", action.location.ToString(),
                    action.target.ToString(), Join(wrong, "; ")),
        "What is there was left as it is. Mend the query, or the columns of the config.");
}

}  // namespace biwa::transform
