#include "instance/diff_json.h"

#include <nlohmann/json.hpp>

namespace biwa {

std::string DiffJson(const transform::TableDiff& diff) {
    using json = nlohmann::ordered_json;
    json rows = json::array();
    for (const auto& row : diff.sample) {
        auto& values = rows.emplace_back(json::array());
        for (const auto& value : row) values.push_back(value ? json(*value) : json(nullptr));
    }
    json changed_columns = json::array();
    for (const auto& [column, count] : diff.changed_columns) {
        changed_columns.push_back({{"column", column}, {"rows", count}});
    }
    const json answer = {{"same", diff.same()},
                         {"columns", diff.columns},
                         {"rows_before", diff.left_rows},
                         {"rows_after", diff.right_rows},
                         {"only_before", diff.only_left},
                         {"only_after", diff.only_right},
                         {"changed", diff.changed},
                         {"changed_columns", std::move(changed_columns)},
                         {"key", diff.key},
                         {"sample", {{"columns", diff.sample_columns}, {"rows", std::move(rows)}}}};
    return answer.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace biwa
