#include "transform/run/table_diff.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "transform/run/sql_results.h"

namespace biwa::transform {

namespace {

bool IsNumber(std::string_view type) {
    for (const auto* number : {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT",
                               "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE"}) {
        if (type == number) return true;
    }
    return type.starts_with("DECIMAL(");
}

// A column that both have.
struct Common {
    TableColumn left;
    TableColumn right;

    bool IsSameKind() const {
        return left.type == right.type || (IsNumber(left.type) && IsNumber(right.type));
    }
    // Values of different kinds are not to be compared by the engine, which refuses.
    std::string Value(std::string_view side, const TableColumn& column) const {
        const auto name = fmt::format("{}.{}", side, QuoteIdentifier(column.name));
        return IsSameKind() ? name : fmt::format("CAST({} AS VARCHAR)", name);
    }
    std::string Distinct() const {
        return fmt::format("{} IS DISTINCT FROM {}", Value("l", left), Value("r", right));
    }
    std::string NotDistinct() const {
        return fmt::format("{} IS NOT DISTINCT FROM {}", Value("l", left), Value("r", right));
    }
    std::string Label() const {
        return left.type == right.type ? fmt::format("{} {}", left.name, left.type)
                                       : fmt::format("{} {}|{}", left.name, left.type, right.type);
    }
};

class Comparison {
  public:
    Comparison(WriteTransaction& transaction, const std::string& left, const std::string& right,
               const DiffWords& words)
        : transaction_(transaction), left_(left), right_(right), words_(words) {}

    Result<TableDiff> Run(const std::vector<std::string>& key) {
        BIWA_TRY(ReadColumns());
        diff_.left_rows = BIWA_TRY(ReadCount(transaction_, "SELECT count(*) FROM " + left_));
        diff_.right_rows = BIWA_TRY(ReadCount(transaction_, "SELECT count(*) FROM " + right_));
        if (common_.empty()) {
            diff_.only_left = diff_.left_rows;
            diff_.only_right = diff_.right_rows;
            return std::move(diff_);
        }
        const auto places = BIWA_TRY(FindKey(key));
        if (places.empty()) {
            BIWA_TRY(CompareWhole());
        } else {
            BIWA_TRY(CompareByKey(places));
        }
        return std::move(diff_);
    }

  private:
    Status ReadColumns() {
        const auto left = BIWA_TRY(DescribeColumns(transaction_, left_));
        const auto right = BIWA_TRY(DescribeColumns(transaction_, right_));
        const auto find = [](const std::vector<TableColumn>& columns, const TableColumn& wanted) {
            return std::find_if(columns.begin(), columns.end(), [&](const auto& column) {
                return SmallLetters(column.name) == SmallLetters(wanted.name);
            });
        };
        for (const auto& column : left) {
            const auto other = find(right, column);
            if (other == right.end()) {
                diff_.columns.push_back(
                    fmt::format("column {} {} is {}", column.name, column.type, words_.only_left));
                continue;
            }
            common_.push_back({column, *other});
            if (!common_.back().IsSameKind()) {
                diff_.columns.push_back(fmt::format("column {}: {} {}, {} {}", column.name,
                                                    words_.left, column.type, words_.right,
                                                    other->type));
            }
        }
        for (const auto& column : right) {
            if (find(left, column) == left.end()) {
                diff_.columns.push_back(
                    fmt::format("column {} {} is {}", column.name, column.type, words_.only_right));
            }
        }
        diff_.sample_columns = {""};
        for (const auto& column : common_) diff_.sample_columns.push_back(column.Label());
        return {};
    }

    // The places of the key's columns; none where it does not find rows again.
    Result<std::vector<std::size_t>> FindKey(const std::vector<std::string>& key) {
        std::vector<std::size_t> places;
        for (const auto& name : key) {
            for (std::size_t i = 0; i < common_.size(); ++i) {
                if (SmallLetters(common_[i].left.name) == SmallLetters(name) &&
                    common_[i].IsSameKind())
                    places.push_back(i);
            }
        }
        if (places.size() != key.size()) return std::vector<std::size_t>();
        for (const auto& table : {left_, right_}) {
            std::vector<std::string> names;
            for (const auto& name : key) names.push_back(QuoteIdentifier(name));
            if (names.empty()) break;
            const auto list = Join(names, ", ");
            const auto twice = BIWA_TRY(ReadCount(
                transaction_, fmt::format("SELECT count(*) FROM (SELECT {0} FROM {1} GROUP BY {0} "
                                          "HAVING count(*) > 1)",
                                          list, table)));
            if (twice > 0) return std::vector<std::size_t>();
        }
        return places;
    }

    std::string Texts(std::string_view side) const {
        std::vector<std::string> texts;
        for (const auto& column : common_) {
            const auto& of = side == "l" ? column.left : column.right;
            texts.push_back(fmt::format("CAST({}.{} AS VARCHAR)", side, QuoteIdentifier(of.name)));
        }
        return Join(texts, ", ");
    }

    Status AddSample(const std::string& sql) {
        const auto stream = BIWA_TRY(transaction_.Query(sql));
        for (auto& row : BIWA_TRY(ReadTexts(*stream))) diff_.sample.push_back(std::move(row));
        return {};
    }

    Status CompareByKey(const std::vector<std::size_t>& places) {
        std::vector<std::string> match, values, order;
        for (std::size_t i = 0; i < common_.size(); ++i) {
            if (std::find(places.begin(), places.end(), i) == places.end())
                values.push_back(common_[i].Distinct());
        }
        for (const auto place : places) {
            const auto& column = common_[place];
            match.push_back(column.NotDistinct());
            diff_.key.push_back(column.left.name);
            order.push_back(fmt::format("coalesce({}, {})", column.Value("l", column.left),
                                        column.Value("r", column.right)));
        }
        const auto joined = fmt::format(
            "(SELECT *, true AS biwa_in FROM {}) AS l FULL JOIN (SELECT *, true AS biwa_in FROM "
            "{}) "
            "AS r ON {}",
            left_, right_, Join(match, " AND "));
        const auto changed = fmt::format("l.biwa_in AND r.biwa_in AND ({})",
                                         values.empty() ? "false" : Join(values, " OR "));
        std::string counts =
            "SELECT count(*) FILTER (r.biwa_in IS NULL)::VARCHAR, count(*) FILTER (l.biwa_in IS "
            "NULL)::VARCHAR, count(*) FILTER (" +
            changed + ")::VARCHAR";
        for (const auto& value : values) {
            counts +=
                fmt::format(", count(*) FILTER (l.biwa_in AND r.biwa_in AND {})::VARCHAR", value);
        }
        const auto stream = BIWA_TRY(transaction_.Query(counts + " FROM " + joined));
        const auto rows = BIWA_TRY(ReadTexts(*stream));
        const auto number = [&](std::size_t at) { return std::stoull(*rows.at(0).at(at)); };
        diff_.only_left = number(0);
        diff_.only_right = number(1);
        diff_.changed = number(2);
        std::size_t at = 3;
        for (std::size_t i = 0; i < common_.size(); ++i) {
            if (std::find(places.begin(), places.end(), i) != places.end()) continue;
            if (const auto count = number(at++); count > 0)
                diff_.changed_columns.emplace_back(common_[i].left.name, count);
        }

        const auto by_key = Join(order, ", ");
        const auto one_side = [&](const std::string& word, std::string_view side,
                                  const std::string& where) {
            return AddSample(fmt::format("SELECT {}, {} FROM {} WHERE {} ORDER BY {} LIMIT {}",
                                         QuoteLiteral(word), Texts(side), joined, where, by_key,
                                         kSampleRows));
        };
        if (diff_.only_left > 0) BIWA_TRY(one_side(words_.only_left, "l", "r.biwa_in IS NULL"));
        if (diff_.only_right > 0) BIWA_TRY(one_side(words_.only_right, "r", "l.biwa_in IS NULL"));
        if (diff_.changed > 0) BIWA_TRY(AddPairs(joined, changed, by_key));
        return {};
    }

    // A changed row as two lines, one under the other.
    Status AddPairs(const std::string& joined, const std::string& changed,
                    const std::string& by_key) {
        const auto stream = BIWA_TRY(transaction_.Query(
            fmt::format("SELECT {}, {} FROM {} WHERE {} ORDER BY {} LIMIT {}", Texts("l"),
                        Texts("r"), joined, changed, by_key, kSampleRows)));
        const auto width = static_cast<std::ptrdiff_t>(common_.size());
        for (const auto& row : BIWA_TRY(ReadTexts(*stream))) {
            TextRow before{words_.left}, after{words_.right};
            before.insert(before.end(), row.begin(), row.begin() + width);
            after.insert(after.end(), row.begin() + width, row.end());
            diff_.sample.push_back(std::move(before));
            diff_.sample.push_back(std::move(after));
        }
        return {};
    }

    Status CompareWhole() {
        std::vector<std::string> match;
        for (const auto& column : common_) match.push_back(column.NotDistinct());
        const auto counted = [&](const std::string& table, bool is_left) {
            std::vector<std::string> names;
            for (const auto& column : common_)
                names.push_back(QuoteIdentifier(is_left ? column.left.name : column.right.name));
            const auto list = Join(names, ", ");
            return fmt::format("(SELECT {}, count(*) AS biwa_times FROM {} GROUP BY {})", list,
                               table, list);
        };
        const auto joined = fmt::format("{} AS l FULL JOIN {} AS r ON {}", counted(left_, true),
                                        counted(right_, false), Join(match, " AND "));
        const std::string surplus = "(coalesce(l.biwa_times, 0) - coalesce(r.biwa_times, 0))";
        const auto stream = BIWA_TRY(
            transaction_.Query(fmt::format("SELECT coalesce(sum(greatest({0}, 0)), 0)::VARCHAR, "
                                           "coalesce(sum(greatest(-{0}, 0)), 0)::VARCHAR FROM {1}",
                                           surplus, joined)));
        const auto rows = BIWA_TRY(ReadTexts(*stream));
        diff_.only_left = std::stoull(*rows.at(0).at(0));
        diff_.only_right = std::stoull(*rows.at(0).at(1));
        const auto one_side = [&](const std::string& word, std::string_view side,
                                  std::string_view sign) {
            return AddSample(
                fmt::format("SELECT {0} || CASE WHEN {1}{2} > 1 THEN ' ×' || ({1}{2}) ELSE '' END, "
                            "{3} FROM {4} "
                            "WHERE {1}{2} > 0 ORDER BY ALL LIMIT {5}",
                            QuoteLiteral(word), sign, surplus, Texts(side), joined, kSampleRows));
        };
        if (diff_.only_left > 0) BIWA_TRY(one_side(words_.only_left, "l", ""));
        if (diff_.only_right > 0) BIWA_TRY(one_side(words_.only_right, "r", "-"));
        return {};
    }

    WriteTransaction& transaction_;
    const std::string left_;
    const std::string right_;
    const DiffWords& words_;
    std::vector<Common> common_;
    TableDiff diff_;
};

}  // namespace

Result<TableDiff> CompareTables(WriteTransaction& transaction, const std::string& left,
                                const std::string& right, const std::vector<std::string>& key,
                                const DiffWords& words) {
    return Comparison(transaction, left, right, words).Run(key);
}

}  // namespace biwa::transform
