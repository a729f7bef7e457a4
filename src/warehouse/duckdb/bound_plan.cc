#include "warehouse/duckdb/bound_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <utility>

namespace biwa::duck {

namespace {

using nlohmann::json;

// Of what one column is made: table and column, and whether the value goes on unchanged.
using Origin = std::map<std::pair<TableName, std::string>, bool>;
using Columns = std::vector<Origin>;

// Something that is not as this reader knows it. Does not leave this file.
struct NotUnderstood : std::runtime_error {
    using std::runtime_error::runtime_error;
};

void Add(Origin& to, const Origin& from) {
    for (const auto& [column, is_copied] : from) {
        const auto [at, is_new] = to.emplace(column, is_copied);
        if (!is_new) at->second = at->second && is_copied;
    }
}

void AddComputed(Origin& to, const Origin& from) {
    for (const auto& [column, is_copied] : from) to[column] = false;
}

template <typename T>
const T& At(const std::vector<T>& items, std::size_t index) {
    if (index < items.size()) return items[index];
    throw NotUnderstood(fmt::format("position {} of {}", index, items.size()));
}

Columns Pick(const Columns& columns, const json& positions) {
    if (positions.empty()) return columns;
    Columns picked;
    for (const auto& position : positions) {
        picked.push_back(At(columns, position.get<std::size_t>()));
    }
    return picked;
}

std::vector<ColumnSource> ToSources(const Origin& origin) {
    std::vector<ColumnSource> sources;
    for (const auto& [column, is_copied] : origin) {
        sources.push_back({column.first, column.second, is_copied});
    }
    return sources;
}

class PlanReader {
  public:
    PlanLineage Read(const json& plan) {
        PlanLineage lineage;
        for (const auto& origin : Output(plan)) lineage.columns.push_back(ToSources(origin));
        lineage.conditions = ToSources(conditions_);
        return lineage;
    }

  private:
    // The columns that an operator gives, in its order.
    Columns Output(const json& op) {
        auto columns = Make(op);
        if (const auto index = op.find("table_index"); index != op.end()) {
            by_index_[index->get<std::uint64_t>()] = columns;
        }
        return columns;
    }

    Columns Make(const json& op) {
        const auto& type = op.at("type").get_ref<const std::string&>();
        const auto maker = kMakers.find(type);
        if (maker == kMakers.end()) throw NotUnderstood("the operator " + type);
        return (this->*maker->second)(op);
    }

    Columns Child(const json& op, std::size_t index = 0) {
        return Output(op.at("children").at(index));
    }

    // Everything that an expression refers to.
    void Collect(const json& expression, const Columns& input, Origin& into) {
        if (expression.is_array()) {
            for (const auto& item : expression) Collect(item, input, into);
            return;
        }
        if (!expression.is_object()) return;
        const auto type = expression.value("type", json());
        if (type == "BOUND_REF") {
            AddComputed(into, At(input, expression.at("index").get<std::size_t>()));
            return;
        }
        if (type == "BOUND_COLUMN_REF") {
            AddComputed(into, Bound(expression));
            return;
        }
        for (const auto& [key, part] : expression.items()) {
            // A lambda's body counts its own parameters; what it takes from outside is a child.
            if (key != "function_data") Collect(part, input, into);
        }
    }

    const Origin& Bound(const json& reference) const {
        const auto& binding = reference.at("binding");
        const auto columns = by_index_.find(binding.at("table_index").get<std::uint64_t>());
        if (columns == by_index_.end()) throw NotUnderstood("a column of an unknown operator");
        return At(columns->second, binding.at("column_index").get<std::size_t>());
    }

    Origin OriginOf(const json& expression, const Columns& input) {
        const auto type = expression.value("type", json());
        if (type == "BOUND_REF") return At(input, expression.at("index").get<std::size_t>());
        if (type == "BOUND_COLUMN_REF") return Bound(expression);
        Origin origin;
        Collect(expression, input, origin);
        return origin;
    }

    Columns OriginsOf(const json& expressions, const Columns& input) {
        Columns origins;
        for (const auto& expression : expressions) origins.push_back(OriginOf(expression, input));
        return origins;
    }

    Columns Get(const json& op) {
        Columns columns;
        const auto& data = op.value("function_data", json());
        const bool is_table = op.at("name") == "seq_scan" && data.is_object();
        const auto& names = op.at("names");
        Columns input;
        Origin all_input;  // of a function over rows, such as unnest
        if (const auto children = op.find("children"); children != op.end() && !children->empty()) {
            input = Child(op);
            for (const auto& origin : input) AddComputed(all_input, origin);
        }
        for (const auto& index : op.at("column_indexes")) {
            const auto position = index.at("index").get<std::uint64_t>();
            auto& origin = columns.emplace_back(all_input);
            // Beyond the names are those that every table has, such as rowid.
            if (!is_table || position >= names.size()) continue;
            const TableName table{data.at("schema"), data.at("table")};
            origin[{table, names.at(position).get<std::string>()}] = true;
        }
        columns = Pick(columns, op.at("projection_ids"));
        for (const auto& position : op.value("projected_input", json::array())) {
            columns.push_back(At(input, position.get<std::size_t>()));
        }
        return columns;
    }

    Columns Projection(const json& op) { return OriginsOf(op.at("expressions"), Child(op)); }

    Columns Filter(const json& op) {
        const auto input = Child(op);
        Collect(op.at("expressions"), input, conditions_);
        return Pick(input, op.at("projection_map"));
    }

    Columns Order(const json& op) { return Pick(Child(op), op.value("projections", json())); }

    Columns PassOn(const json& op) { return Child(op); }

    Columns Distinct(const json& op) {
        auto input = Child(op);
        Collect(op.at("distinct_targets"), input, conditions_);
        return input;
    }

    Columns Aggregate(const json& op) {
        const auto input = Child(op);
        auto columns = OriginsOf(op.at("groups"), input);
        Collect(op.at("groups"), input, conditions_);
        for (auto& origin : OriginsOf(op.at("expressions"), input)) {
            for (auto& [column, is_copied] : origin) is_copied = false;
            columns.push_back(std::move(origin));
        }
        columns.resize(columns.size() + op.at("grouping_functions").size());
        return columns;
    }

    // WINDOW and UNNEST: what comes in, and the expressions behind it.
    Columns Extend(const json& op) {
        auto columns = Child(op);
        for (auto& origin : OriginsOf(op.at("expressions"), columns)) {
            columns.push_back(std::move(origin));
        }
        return columns;
    }

    Columns Join(const json& op) {
        const auto left = Child(op, 0);
        const bool has_delim = op.at("type") == "LOGICAL_DELIM_JOIN";
        if (has_delim) {
            if (op.at("delim_flipped") == true) throw NotUnderstood("a flipped join");
            delims_.push_back(OriginsOf(op.at("duplicate_eliminated_columns"), left));
        }
        const auto right = Child(op, 1);
        if (has_delim) delims_.pop_back();
        auto both = left;
        both.insert(both.end(), right.begin(), right.end());

        Origin compared;
        for (const auto& condition : op.value("conditions", json::array())) {
            Collect(condition.at("left"), left, compared);
            Collect(condition.at("right"), right, compared);
        }
        for (const auto* const key : {"condition", "predicate"}) {
            if (const auto found = op.find(key); found != op.end()) {
                Collect(*found, both, compared);
            }
        }
        Add(conditions_, compared);

        auto columns = Pick(left, op.value("left_projection_map", json()));
        const auto& kind = op.at("join_type");
        if (kind == "SEMI" || kind == "ANTI") return columns;
        if (kind == "MARK") {
            columns.push_back(std::move(compared));
            return columns;
        }
        if (kind == "RIGHT_SEMI" || kind == "RIGHT_ANTI") throw NotUnderstood("a turned join");
        const auto others = Pick(right, op.value("right_projection_map", json()));
        columns.insert(columns.end(), others.begin(), others.end());
        return columns;
    }

    Columns Product(const json& op) {
        auto columns = Child(op, 0);
        const auto right = Child(op, 1);
        columns.insert(columns.end(), right.begin(), right.end());
        return columns;
    }

    Columns DelimGet(const json&) {
        if (delims_.empty()) throw NotUnderstood("a scan of nothing");
        return delims_.back();
    }

    Columns Union(const json& op) {
        auto columns = Child(op, 0);
        for (std::size_t child = 1; child < op.at("children").size(); ++child) {
            const auto other = Child(op, child);
            for (std::size_t i = 0; i < columns.size(); ++i) Add(columns[i], At(other, i));
        }
        return columns;
    }

    // Rows of the one that are, or are not, in the other.
    Columns Compare(const json& op) {
        auto columns = Child(op, 0);
        for (const auto& origin : columns) AddComputed(conditions_, origin);
        for (const auto& origin : Child(op, 1)) AddComputed(conditions_, origin);
        return columns;
    }

    Columns Cte(const json& op) {
        tables_[op.at("table_index").get<std::uint64_t>()] = Child(op, 0);
        return Child(op, 1);
    }

    Columns RecursiveCte(const json& op) {
        auto columns = Child(op, 0);
        auto& known = tables_[op.at("table_index").get<std::uint64_t>()];
        // Each round adds at least one source, or is the last.
        do {
            known = columns;
            const auto further = Child(op, 1);
            for (std::size_t i = 0; i < columns.size(); ++i) Add(columns[i], At(further, i));
        } while (columns != known);
        return columns;
    }

    Columns CteRef(const json& op) {
        const auto found = tables_.find(op.at("cte_index").get<std::uint64_t>());
        if (found == tables_.end()) throw NotUnderstood("a WITH table that is not there");
        return found->second;
    }

    Columns Values(const json& op) {
        const auto input = op.at("children").empty() ? Columns() : Child(op);
        Columns columns;
        for (const auto& row : op.at("expressions")) {
            columns.resize(std::max(columns.size(), row.size()));
            for (std::size_t i = 0; i < row.size(); ++i) Collect(row[i], input, columns[i]);
        }
        return columns;
    }

    Columns Chunk(const json& op) { return Columns(op.at("chunk_types").size()); }
    Columns OneEmpty(const json&) { return Columns(1); }

    using Maker = Columns (PlanReader::*)(const json&);
    static const std::map<std::string, Maker, std::less<>> kMakers;

    std::map<std::uint64_t, Columns> by_index_;  // what has been read
    std::map<std::uint64_t, Columns> tables_;    // of WITH
    std::vector<Columns> delims_;                // what correlated subqueries take from outside
    Origin conditions_;
};

const std::map<std::string, PlanReader::Maker, std::less<>> PlanReader::kMakers = {
    {"LOGICAL_GET", &PlanReader::Get},
    {"LOGICAL_PROJECTION", &PlanReader::Projection},
    {"LOGICAL_FILTER", &PlanReader::Filter},
    {"LOGICAL_ORDER_BY", &PlanReader::Order},
    {"LOGICAL_LIMIT", &PlanReader::PassOn},
    {"LOGICAL_TOP_N", &PlanReader::PassOn},
    {"LOGICAL_SAMPLE", &PlanReader::PassOn},
    {"LOGICAL_DISTINCT", &PlanReader::Distinct},
    {"LOGICAL_AGGREGATE_AND_GROUP_BY", &PlanReader::Aggregate},
    {"LOGICAL_WINDOW", &PlanReader::Extend},
    {"LOGICAL_UNNEST", &PlanReader::Extend},
    {"LOGICAL_COMPARISON_JOIN", &PlanReader::Join},
    {"LOGICAL_DELIM_JOIN", &PlanReader::Join},
    {"LOGICAL_ASOF_JOIN", &PlanReader::Join},
    {"LOGICAL_ANY_JOIN", &PlanReader::Join},
    {"LOGICAL_CROSS_PRODUCT", &PlanReader::Product},
    {"LOGICAL_POSITIONAL_JOIN", &PlanReader::Product},
    {"LOGICAL_DELIM_GET", &PlanReader::DelimGet},
    {"LOGICAL_UNION", &PlanReader::Union},
    {"LOGICAL_EXCEPT", &PlanReader::Compare},
    {"LOGICAL_INTERSECT", &PlanReader::Compare},
    {"LOGICAL_MATERIALIZED_CTE", &PlanReader::Cte},
    {"LOGICAL_RECURSIVE_CTE", &PlanReader::RecursiveCte},
    {"LOGICAL_CTE_REF", &PlanReader::CteRef},
    {"LOGICAL_EXPRESSION_GET", &PlanReader::Values},
    {"LOGICAL_CHUNK_GET", &PlanReader::Chunk},
    {"LOGICAL_DUMMY_SCAN", &PlanReader::OneEmpty},
};

Error CannotRead(const char* what) {
    return Error{ErrorKind::kUnavailable,
                 fmt::format("the engine's plan has something that is not understood: {}", what),
                 ""};
}

}  // namespace

Result<PlanLineage> ReadPlan(std::string_view text) {
    // The library throws where a key or a type is not as expected.
    try {
        const auto plan = json::parse(text);
        if (plan.at("error") == true) {
            return UserError(plan.at("error_message").get<std::string>());
        }
        const auto& plans = plan.at("plans");
        if (plans.size() != 1) throw NotUnderstood("there is not one plan");
        return PlanReader().Read(plans.at(0));
    } catch (const NotUnderstood& error) {
        return tl::unexpected(CannotRead(error.what()));
    } catch (const json::exception& error) {
        return tl::unexpected(CannotRead(error.what()));
    }
}

}  // namespace biwa::duck
