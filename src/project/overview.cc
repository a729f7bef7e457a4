#include "project/overview.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "project/scaffold_text.h"

namespace biwa {

namespace {

constexpr std::size_t kCountersMax = 8;
constexpr std::size_t kLinesMax = 3;
constexpr std::size_t kBarsMax = 3;
constexpr std::size_t kShownColumnsMax = 8;

bool Contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

bool EndsWith(const std::string& text, std::string_view end) {
    return text.size() >= end.size() &&
           text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// How well a column tells when a row came to be; 0: not at all.
int TimeScore(const Column& column) {
    if (column.type.id != TypeId::kTimestamp && column.type.id != TypeId::kTimestampTz &&
        column.type.id != TypeId::kDate) {
        return 0;
    }
    const auto name = LowerCase(column.name);
    // Times of what mostly has not happened yet, or says nothing of the row's own time.
    for (const auto* rare :
         {"delet", "expire", "cancel", "birth", "due_", "valid", "until", "ends_"}) {
        if (Contains(name, rare)) return 0;
    }
    int score = 3;
    if (Contains(name, "creat") || Contains(name, "insert")) {
        score = 6;
    } else if (Contains(name, "updat") || Contains(name, "modif")) {
        score = 2;
    } else if (EndsWith(name, "_at") || EndsWith(name, "_on") || EndsWith(name, "日時")) {
        score = 5;
    }
    return std::max(0, column.nullable ? score - 3 : score);
}

const Column* TimeColumn(const ScaffoldTable& table) {
    const Column* best = nullptr;
    for (const auto& column : table.columns.columns) {
        if (TimeScore(column) > (best ? TimeScore(*best) : 0)) best = &column;
    }
    return best;
}

// Few values are to be expected.
bool LooksLikeACategory(const Column& column) {
    if (LooksPersonal(column.name)) return false;
    if (column.type.id == TypeId::kBool) return true;
    if (column.type.id != TypeId::kText) return false;
    const auto name = LowerCase(column.name);
    if (Contains(LowerCase(column.note), "enum")) return true;
    for (const auto* word : {"status", "state", "type", "kind", "category", "result", "level",
                             "plan", "状態", "種別", "区分", "ステータス"}) {
        if (Contains(name, word)) return true;
    }
    return false;
}

std::string Sql(const PlacedTable& table) {
    return QuoteIdentifier(table.dataset) + "." + QuoteIdentifier(table.table->target);
}

// A block of SQL below "sql: |".
std::string SqlBlock(const std::vector<std::string>& lines) {
    std::string text = "    sql: |\n";
    for (const auto& line : lines) text += "      " + line + "\n";
    return text;
}

std::string Counter(const PlacedTable& table) {
    return fmt::format(
        "  - title: {}\n    type: counter\n{}    unit: rows\n    width: 3\n    height: 1\n",
        YamlText(table.table->target), SqlBlock({"SELECT count(*) AS rows FROM " + Sql(table)}));
}

std::string Line(const PlacedTable& table, const Column& column, const std::string& unit,
                 const std::string& span, int width) {
    // Without a time zone, because the calendar of the one who looks is not known here.
    const auto time = fmt::format("CAST({} AS TIMESTAMP)", QuoteIdentifier(column.name));
    return fmt::format(
        "  - title: {}\n    type: line\n{}    x: {}\n    y: rows\n    width: {}\n    height: 3\n",
        YamlText(fmt::format("{} a {}", table.table->target, unit)),
        SqlBlock(
            {fmt::format("SELECT date_trunc('{}', {}) AS {}, count(*) AS rows", unit, time, unit),
             "FROM " + Sql(table), fmt::format("WHERE isfinite({}) AND {} > (", time, time),
             fmt::format("  SELECT max({}) - INTERVAL {} FROM {} WHERE isfinite({})", time, span,
                         Sql(table), time),
             ")", "GROUP BY 1 ORDER BY 1"}),
        unit, width);
}

std::string Bar(const PlacedTable& table, const Column& column) {
    return fmt::format(
        "  - title: {}\n    type: bar\n{}    x: value\n    y: rows\n    width: 4\n    height: 3\n",
        YamlText(fmt::format("{} by {}", table.table->target, column.name)),
        SqlBlock({fmt::format("SELECT coalesce(CAST({} AS VARCHAR), '(none)') AS value,",
                              QuoteIdentifier(column.name)),
                  "  count(*) AS rows", "FROM " + Sql(table),
                  "GROUP BY 1 ORDER BY 2 DESC LIMIT 20"}));
}

// The newest rows, or "" when no column may be shown.
std::string Latest(const PlacedTable& table) {
    std::vector<std::string> shown;
    for (const auto& column : table.table->columns.columns) {
        const bool is_plain = column.type.id != TypeId::kBytes && column.type.id != TypeId::kJson &&
                              column.type.id != TypeId::kList;
        if (is_plain && !LooksPersonal(column.name) && shown.size() < kShownColumnsMax) {
            shown.push_back(QuoteIdentifier(column.name));
        }
    }
    if (shown.empty()) return "";
    const auto& columns = table.table->columns;
    std::string order;
    if (const auto* time = TimeColumn(*table.table)) {
        order = QuoteIdentifier(time->name) + " DESC";
    } else if (!columns.key.empty()) {
        order = QuoteIdentifier(columns.columns[columns.key.back()].name) + " DESC";
    } else {
        order = "1 DESC";
    }
    return fmt::format("  - title: {}\n    type: table\n{}    width: 12\n    height: 4\n",
                       YamlText("Latest " + table.table->target),
                       SqlBlock({"SELECT " + Join(shown, ", "), "FROM " + Sql(table),
                                 "ORDER BY " + order + " LIMIT 20"}));
}

}  // namespace

bool LooksPersonal(const std::string& column) {
    static constexpr std::array kWords = {
        "name",     "mail",     "phone",   "tel",        "mobile",    "fax",     "birth",
        "address",  "addr",     "zip",     "postal",     "password",  "passwd",  "passphrase",
        "token",    "secret",   "api_key", "apikey",     "hash",      "salt",    "otp",
        "ssn",      "card",     "iban",    "passport",   "gender",    "kana",    "avatar",
        "photo",    "latitude", "_ip",     "user_agent", "longitude", "comment", "message",
        "memo",     "note",     "氏名",    "名前",       "姓",        "カナ",    "かな",
        "フリガナ", "ふりがな", "読み",    "住所",       "郵便",      "電話",    "携帯",
        "メール",   "生年月日", "誕生",    "性別",       "パスワード"};
    const auto name = LowerCase(column);
    return name == "ip" || name.compare(0, 3, "ip_") == 0 ||
           std::any_of(kWords.begin(), kWords.end(),
                       [&](const char* word) { return Contains(name, word); });
}

std::string OverviewDashboard(const std::string& title, std::vector<PlacedTable> tables) {
    std::stable_sort(tables.begin(), tables.end(), [](const PlacedTable& a, const PlacedTable& b) {
        return a.table->rows_estimate > b.table->rows_estimate;
    });
    std::string page = fmt::format(
        "# Written from the names and types of the columns, as a first view: change what is "
        "wrong,\n"
        "# keep what is good.\ntitle: {}\ntiles:\n",
        YamlText(title));
    for (std::size_t i = 0; i < std::min(tables.size(), kCountersMax); ++i) {
        page += Counter(tables[i]);
    }
    std::size_t lines = 0;
    for (const auto& table : tables) {
        const auto* column = TimeColumn(*table.table);
        if (!column || lines == kLinesMax) continue;
        const bool by_hour = lines == 0 && column->type.id != TypeId::kDate;
        page += Line(table, *column, "day", "90 DAY", by_hour ? 6 : 4);
        if (by_hour) page += Line(table, *column, "hour", "48 HOUR", 6);
        ++lines;
    }
    std::size_t bars = 0;
    for (const auto& table : tables) {
        const auto& columns = table.table->columns.columns;
        const auto category = std::find_if(columns.begin(), columns.end(), LooksLikeACategory);
        if (category == columns.end() || bars == kBarsMax) continue;
        page += Bar(table, *category);
        ++bars;
    }
    return page + Latest(tables.front());
}

}  // namespace biwa
