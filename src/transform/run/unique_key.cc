#include "transform/run/unique_key.h"

#include <fmt/format.h>

#include "base/text.h"
#include "transform/run/sql_results.h"

namespace biwa::transform {

Status CheckUniqueKey(WriteTransaction& transaction, const Action& action,
                      const std::string& table) {
    if (action.unique_key.empty()) return {};
    std::vector<std::string> columns;
    std::vector<std::string> texts;
    for (const auto& column : action.unique_key) {
        columns.push_back(QuoteIdentifier(column));
        texts.push_back(columns.back() + "::VARCHAR");
    }
    const auto key = Join(columns, ", ");
    const auto found = [&]() -> Result<std::vector<TextRow>> {
        const auto stream = BIWA_TRY(transaction.Query(fmt::format(
            "SELECT (count(*) OVER ())::VARCHAR, {} FROM (SELECT {} FROM {} GROUP BY {} HAVING "
            "count(*) > 1) ORDER BY {} LIMIT 1",
            Join(texts, ", "), key, table, key, key)));
        return ReadTexts(*stream);
    }();
    if (!found) {
        return Within(fmt::format("{}: checking uniqueKey", action.location.ToString()),
                      found.error());
    }
    if (found->empty()) return {};
    const auto& one = found->front();
    return UserError(
        fmt::format(
            "{}: uniqueKey ({}) is not unique: {} of its values come more than once, such as {}",
            action.location.ToString(), Join(action.unique_key, ", "),
            HumanCount(std::stoll(*one[0])), KeyText(action, one, 1)),
        "Choose other columns for uniqueKey, or let the query give one row for each value "
        "(QUALIFY row_number() OVER (…) = 1).");
}

std::string KeyText(const Action& action, const TextRow& row, std::size_t first) {
    std::vector<std::string> parts;
    for (std::size_t i = 0; i < action.unique_key.size(); ++i) {
        parts.push_back(
            fmt::format("{} = {}", action.unique_key[i], row.at(first + i).value_or("NULL")));
    }
    return Join(parts, ", ");
}

}  // namespace biwa::transform
