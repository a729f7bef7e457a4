#include "source/mysql/catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <set>
#include <sstream>
#include <tuple>
#include <utility>

#include "base/text.h"

namespace biwa::mysql {

namespace {

constexpr const char* kSystemSchemas =
    "('mysql', 'information_schema', 'performance_schema', 'sys')";

// Of a prepared statement's rows only UTF-8 is read.
const std::shared_ptr<const CharacterSet>& Utf8() {
    static const auto utf8 = std::make_shared<const CharacterSet>(
        CharacterSet{"utf8mb4", CharacterSet::Form::kUtf8, {}, {}});
    return utf8;
}

FieldType TypeOf(const std::string& name) {
    static const std::map<std::string, FieldType> types = {
        {"tinyint", FieldType::kTiny},
        {"smallint", FieldType::kShort},
        {"mediumint", FieldType::kInt24},
        {"int", FieldType::kLong},
        {"bigint", FieldType::kLongLong},
        {"float", FieldType::kFloat},
        {"double", FieldType::kDouble},
        {"decimal", FieldType::kDecimal},
        {"bit", FieldType::kBit},
        {"year", FieldType::kYear},
        {"date", FieldType::kDate},
        {"datetime", FieldType::kDateTime2},
        {"timestamp", FieldType::kTimestamp2},
        {"time", FieldType::kTime2},
        {"char", FieldType::kString},
        {"binary", FieldType::kString},
        {"varchar", FieldType::kVarchar},
        {"varbinary", FieldType::kVarchar},
        {"tinytext", FieldType::kBlob},
        {"tinyblob", FieldType::kBlob},
        {"text", FieldType::kBlob},
        {"blob", FieldType::kBlob},
        {"mediumtext", FieldType::kBlob},
        {"mediumblob", FieldType::kBlob},
        {"longtext", FieldType::kBlob},
        {"longblob", FieldType::kBlob},
        {"enum", FieldType::kEnum},
        {"set", FieldType::kSet},
        {"json", FieldType::kJson},
        {"vector", FieldType::kVector},
        {"geometry", FieldType::kGeometry},
        {"point", FieldType::kGeometry},
        {"linestring", FieldType::kGeometry},
        {"polygon", FieldType::kGeometry},
        {"multipoint", FieldType::kGeometry},
        {"multilinestring", FieldType::kGeometry},
        {"multipolygon", FieldType::kGeometry},
        {"geometrycollection", FieldType::kGeometry},
        {"geomcollection", FieldType::kGeometry},
        {"uuid", FieldType::kString},
        {"inet4", FieldType::kString},
        {"inet6", FieldType::kString}};
    const auto found = types.find(name);
    return found == types.end() ? FieldType{} : found->second;
}

// The values of "enum('a','it''s')".
std::vector<std::string> ValuesOf(const std::string& column_type) {
    std::vector<std::string> values;
    for (std::size_t at = column_type.find('('); at < column_type.size(); ++at) {
        if (column_type[at] != '\'') continue;
        auto& value = values.emplace_back();
        for (++at; at < column_type.size(); ++at) {
            if (column_type[at] == '\'') {
                if (column_type[at + 1] != '\'') break;
                ++at;
            }
            value += column_type[at];
        }
    }
    return values;
}

struct ColumnRow {
    std::string data_type, column_type, character_set, default_text, extra;
    std::int64_t bytes = 0, precision = 0, scale = 0, decimals = 0;
    bool default_is_null = true;
};

std::uint16_t MetaOf(FieldType type, const ColumnRow& row, std::size_t values) {
    switch (type) {
        case FieldType::kFloat:
            return 4;
        case FieldType::kDouble:
            return 8;
        case FieldType::kDecimal:
            return static_cast<std::uint16_t>(row.precision << 8 | row.scale);
        case FieldType::kBit:
            return static_cast<std::uint16_t>(row.precision);
        case FieldType::kDateTime2:
        case FieldType::kTimestamp2:
        case FieldType::kTime2:
            return static_cast<std::uint16_t>(row.decimals);
        case FieldType::kVarchar:
            return static_cast<std::uint16_t>(row.bytes);
        case FieldType::kVarcharCompressed:
            return static_cast<std::uint16_t>(row.bytes + 1);  // how it is compressed
        case FieldType::kString:
            return row.data_type == "inet4" ? 4
                   : row.data_type == "uuid" || row.data_type == "inet6"
                       ? 16
                       : static_cast<std::uint16_t>(row.bytes);
        case FieldType::kBlob:
        case FieldType::kBlobCompressed:
            return row.data_type.starts_with("tiny")     ? 1
                   : row.data_type.starts_with("medium") ? 3
                   : row.data_type.starts_with("long")   ? 4
                                                         : 2;
        case FieldType::kGeometry:
        case FieldType::kJson:
        case FieldType::kVector:
            return 4;
        case FieldType::kEnum:
            return values < 256 ? 1 : 2;
        case FieldType::kSet: {
            const auto bytes = (values + 7) / 8;
            return static_cast<std::uint16_t>(bytes > 4 ? 8 : bytes);
        }
        default:
            return 0;
    }
}

bool IsVirtual(const std::string& extra) { return extra.find("VIRTUAL") != std::string::npos; }

// What MariaDB has put between quotes.
std::string Unquoted(std::string_view text) {
    std::string plain;
    for (std::size_t i = 1; i + 1 < text.size(); ++i) {
        if (text[i] == '\'' && i + 2 < text.size()) ++i;
        if (text[i] != '\\' || i + 2 >= text.size()) {
            plain += text[i];
            continue;
        }
        constexpr std::string_view kEscapes = "nrtb0Z", kMeant("\n\r\t\b\0\x1a", 6);
        const auto escape = kEscapes.find(text[++i]);
        plain += escape == std::string_view::npos ? text[i] : kMeant[escape];
    }
    return plain;
}

// "b'101'" is 5.
std::string NumberOfBits(std::string_view text) {
    std::uint64_t number = 0;
    for (const char c : text) {
        if (c == '0' || c == '1') number = number << 1 | static_cast<std::uint64_t>(c - '0');
    }
    return std::to_string(number);
}

// The default of a column: MariaDB writes constants as in SQL and all else as an expression, MySQL
// writes constants plainly and marks expressions. Both write bits as in SQL.
void ReadDefault(const ColumnRow& row, bool is_mariadb, CatalogColumn& column) {
    if (column.is_computed || column.is_numbered) return;
    const auto& text = row.default_text;
    if (row.default_is_null || (is_mariadb && text == "NULL")) {
        column.has_default = column.default_is_constant = column.nullable;
        return;
    }
    column.has_default = true;
    const bool is_quoted = text.size() >= 2 && text.front() == '\'' && text.back() == '\'';
    const bool is_bits = column.info.type == FieldType::kBit && text.starts_with("b'");
    column.default_is_constant =
        is_bits ||
        (is_mariadb ? is_quoted || text.find_first_not_of("0123456789.-+eE") == std::string::npos
                    : row.extra.find("DEFAULT_GENERATED") == std::string::npos &&
                          !text.starts_with("CURRENT_TIMESTAMP"));
    if (!column.default_is_constant) return;
    column.default_text = is_bits                   ? NumberOfBits(text)
                          : is_mariadb && is_quoted ? Unquoted(text)
                                                    : text;
}

// Whether "2026-11-27 …" begins with a day that exists.
bool IsDay(const std::string& text) {
    const std::chrono::year_month_day day(
        std::chrono::year(std::atoi(text.substr(0, 4).c_str())),
        std::chrono::month(static_cast<unsigned>(std::atoi(text.substr(5, 2).c_str()))),
        std::chrono::day(static_cast<unsigned>(std::atoi(text.substr(8, 2).c_str()))));
    return day.ok();
}

// What the rows that are there got when the column was added, where that is known.
void SetFill(const CatalogColumn& source, bool is_mariadb, Column& column) {
    const auto type = column.type.id;
    if (source.default_is_constant) {
        if (!source.default_text) return;
        const auto& text = *source.default_text;
        // A date that does not exist is NULL.
        const bool is_day =
            type == TypeId::kDate || type == TypeId::kTimestamp || type == TypeId::kTimestampTz;
        if (is_day && (text.size() < 10 || !IsDay(text))) return;
        // MySQL tells a moment as it was written, in a time zone that it does not tell; a
        // statement cannot have a zero byte in it; the catalogue has a question mark for each
        // character of four bytes.
        const bool is_text = type == TypeId::kText || type == TypeId::kJson;
        column.fill_unknown = (is_text && text.find('?') != std::string::npos) ||
                              type == TypeId::kBytes || text.find('\0') != std::string::npos ||
                              (type == TypeId::kTimestampTz && !is_mariadb);
        if (!column.fill_unknown) column.fill = text;
        return;
    }
    if (source.has_default || source.is_computed) {
        // An expression: each row may have something else.
        column.fill_unknown = true;
        return;
    }
    if (source.nullable) return;
    // NOT NULL without a default: the zero of its type.
    switch (type) {
        case TypeId::kInt16:
        case TypeId::kInt32:
        case TypeId::kInt64:
        case TypeId::kInt128:
        case TypeId::kFloat:
        case TypeId::kDouble:
        case TypeId::kDecimal:
            // Not of an AUTO_INCREMENT, which numbers the rows.
            column.fill_unknown = source.is_numbered;
            if (!column.fill_unknown) column.fill = "0";
            return;
        case TypeId::kText:
            // Exact texts of numbers and addresses have a zero of their own, and the first name of
            // an enum may have characters that the catalogue does not tell.
            column.fill_unknown =
                source.info.type == FieldType::kDecimal ||
                source.info.special != ColumnInfo::Special::kNone ||
                (source.info.type == FieldType::kEnum && !source.info.values.empty() &&
                 source.info.values.front().find('?') != std::string::npos);
            if (column.fill_unknown) return;
            column.fill = source.info.type == FieldType::kEnum && !source.info.values.empty()
                              ? source.info.values.front()
                              : std::string();
            return;
        case TypeId::kDate:
        case TypeId::kTimestamp:
        case TypeId::kTimestampTz:
            return;  // a date that does not exist
        default:
            column.fill_unknown = true;
    }
}

Result<CatalogColumn> ReadColumn(const Connection& connection, const QueryRows& rows, std::size_t i,
                                 bool is_json, CharacterSets* sets) {
    ColumnRow row;
    CatalogColumn column;
    column.name = rows.Text(i, 2);
    row.data_type = rows.Text(i, 3);
    row.column_type = rows.Text(i, 4);
    row.bytes = rows.Number(i, 5);
    row.precision = rows.Number(i, 6);
    row.scale = rows.Number(i, 7);
    row.decimals = rows.Number(i, 8);
    row.character_set = rows.Text(i, 9);
    row.default_is_null = rows.IsNull(i, 10);
    row.default_text = rows.Text(i, 10);
    row.extra = rows.Text(i, 11);
    column.nullable = rows.Text(i, 12) == "YES";
    column.is_virtual = IsVirtual(row.extra);
    column.is_computed = row.extra.find(" GENERATED") != std::string::npos;
    column.is_numbered = row.extra.find("auto_increment") != std::string::npos;

    auto& info = column.info;
    info.name = column.name;
    info.type = TypeOf(row.data_type);
    // MariaDB's has another type in the log, which was not at hand.
    if (info.type == FieldType::kVector && connection.is_mariadb()) info.type = FieldType{};
    if (row.column_type.find("COMPRESSED") != std::string::npos) {
        info.type = info.type == FieldType::kVarchar ? FieldType::kVarcharCompressed
                                                     : FieldType::kBlobCompressed;
    }
    if (info.type == FieldType::kEnum || info.type == FieldType::kSet) {
        info.values = ValuesOf(row.column_type);
    }
    info.meta = MetaOf(info.type, row, info.values.size());
    info.is_unsigned = row.column_type.find("unsigned") != std::string::npos;
    if (row.data_type == "uuid") info.special = ColumnInfo::Special::kUuid;
    if (row.data_type == "inet4") info.special = ColumnInfo::Special::kInet4;
    if (row.data_type == "inet6") info.special = ColumnInfo::Special::kInet6;
    if (is_json) info.special = ColumnInfo::Special::kJson;
    const bool is_values = info.type == FieldType::kEnum || info.type == FieldType::kSet;
    if (!row.character_set.empty() && !is_values) {
        info.characters =
            sets == nullptr ? Utf8() : BIWA_TRY(sets->Find(connection, row.character_set));
        info.has_twins = HasTwins(row.character_set);
    }
    ReadDefault(row, connection.is_mariadb(), column);
    return column;
}

// Why the log does not have the changes of a schema; empty when it has them.
class LogFilter {
  public:
    // Where the user may not ask, what follows says so.
    explicit LogFilter(const Connection& connection) {
        const auto rows = LogStatus(connection);
        if (!rows || rows->empty()) return;
        only_ = SplitNames(rows->Text(0, 2));
        not_ = SplitNames(rows->Text(0, 3));
    }
    std::string WhyNot(const std::string& schema) const {
        if (!only_.empty() && !only_.contains(schema)) return "binlog_do_db is without it";
        return not_.contains(schema) ? "binlog_ignore_db has it" : "";
    }

  private:
    static std::set<std::string> SplitNames(std::string_view list) {
        std::set<std::string> names;
        while (!list.empty()) {
            const auto comma = std::min(list.find(','), list.size());
            if (comma > 0) names.emplace(list.substr(0, comma));
            list.remove_prefix(std::min(comma + 1, list.size()));
        }
        return names;
    }

    std::set<std::string> only_, not_;
};

void Judge(CatalogTable& found, const std::string& engine, const std::string& type, bool whole_rows,
           const LogFilter& filter) {
    auto& table = found.table;
    const auto name = QuoteName(table.schema) + "." + QuoteName(table.name);
    if (const auto why = filter.WhyNot(table.schema); !why.empty()) {
        table.refusal =
            fmt::format("is of a database whose changes are not in the binary log: {}", why);
        table.mend_sql =
            "change binlog_do_db and binlog_ignore_db in the server's configuration, and restart "
            "it";
        return;
    }
    if (type == "SYSTEM VERSIONED") {
        table.refusal = "is system-versioned: its former rows stay in it";
        table.mend_sql = "ALTER TABLE " + name + " DROP SYSTEM VERSIONING;";
        return;
    }
    if (table.name.ends_with('*')) {
        table.refusal = "has a name that ends in *, as patterns do";
        table.mend_sql = "RENAME TABLE " + name + " TO …;";
        return;
    }
    if (engine != "InnoDB") {
        table.refusal =
            fmt::format("is kept by the engine {}, which cannot be read as of one moment", engine);
        table.mend_sql = "ALTER TABLE " + name + " ENGINE = InnoDB;";
        return;
    }
    for (const auto& decoder : found.decoders) {
        if (decoder.binlog != nullptr) continue;
        table.refusal = fmt::format(
            "has column {}, of a type that cannot be read in the binary log", decoder.info.name);
        table.mend_sql = "ALTER TABLE " + name + " MODIFY " + QuoteName(decoder.info.name) +
                         " … to a plain type;";
        return;
    }
    for (const auto place : table.columns.key) {
        const auto& info = found.decoders[place].info;
        if (!info.has_twins) continue;
        table.notes.push_back(
            fmt::format("has {} in its key, in a character set in which several characters are the "
                        "same one of Unicode: rows whose keys differ by those alone are one here",
                        info.name));
    }
    if (!table.columns.key.empty()) return;
    if (!whole_rows) {
        table.refusal =
            "has no primary key, and the binary log does not have its whole old rows "
            "(binlog_row_image)";
        table.mend_sql = "ALTER TABLE " + name +
                         " ADD PRIMARY KEY (…);  -- or: SET GLOBAL binlog_row_image = 'FULL';";
        return;
    }
    table.columns.key_repeats = true;
    for (std::size_t i = 0; i < table.columns.columns.size(); ++i) table.columns.key.push_back(i);
    table.notes.push_back(
        "has no primary key: its rows are told apart by all of their values, which takes longer");
}

std::string FullPattern(const std::string& pattern, const std::string& database) {
    return pattern.find('.') == std::string::npos && pattern != "*" ? database + "." + pattern
                                                                    : pattern;
}

bool Matches(const std::string& full_pattern, const std::string& name) {
    if (!full_pattern.ends_with('*')) return name == full_pattern;
    return name.starts_with(std::string_view(full_pattern).substr(0, full_pattern.size() - 1));
}

// What the catalogue is asked for. It opens every table that it is not told to leave out, and takes
// only an equality for that.
std::string Within(const Connection& connection, const std::vector<std::string>& patterns,
                   std::string_view schema_column, std::string_view table_column) {
    std::set<std::string> schemas;
    for (const auto& pattern : patterns) {
        const auto dot = pattern.find('.');
        if (dot == std::string::npos)
            return fmt::format("{} NOT IN {}", schema_column, kSystemSchemas);
        schemas.insert(connection.Literal(pattern.substr(0, dot)));
    }
    auto sql = fmt::format("{} IN ({})", schema_column, fmt::join(schemas, ", "));
    if (patterns.size() == 1 && !patterns[0].ends_with('*')) {
        const auto name = patterns[0].substr(patterns[0].find('.') + 1);
        sql += fmt::format(" AND {} = {}", table_column, connection.Literal(name));
    }
    return sql;
}

// The tables of those schemas: what a name that is not there may have been meant for.
Result<std::vector<std::string>> NamesWithin(const Connection& connection,
                                             const std::vector<std::string>& patterns) {
    std::vector<std::string> schemas;
    for (const auto& pattern : patterns) {
        const auto dot = pattern.find('.');
        schemas.push_back(dot == std::string::npos ? pattern : pattern.substr(0, dot) + ".*");
    }
    const auto rows = BIWA_TRY(connection.Query(
        "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES "
        "WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND " +
        Within(connection, schemas, "TABLE_SCHEMA", "TABLE_NAME") + " ORDER BY 1, 2"));
    std::vector<std::string> names;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        names.push_back(rows.Text(i, 0) + "." + rows.Text(i, 1));
    }
    return names;
}

// Schema, table and column: each may have a dot in it.
using ColumnName = std::tuple<std::string, std::string, std::string>;

// MariaDB's JSON is a longtext with a check of its own name. Those of `columns`.
Result<std::set<ColumnName>> JsonColumns(const Connection& connection,
                                         const std::vector<std::string>& patterns,
                                         const QueryRows& columns) {
    std::set<ColumnName> texts, found;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        if (columns.Text(i, 3) != "longtext") continue;
        texts.emplace(columns.Text(i, 0), columns.Text(i, 1), columns.Text(i, 2));
    }
    if (!connection.is_mariadb() || texts.empty()) return found;
    const auto checks = BIWA_TRY(connection.Query(
        "SELECT CONSTRAINT_SCHEMA, TABLE_NAME, CONSTRAINT_NAME FROM "
        "information_schema.CHECK_CONSTRAINTS WHERE CHECK_CLAUSE LIKE 'json_valid(%' AND " +
        Within(connection, patterns, "CONSTRAINT_SCHEMA", "TABLE_NAME")));
    for (std::size_t i = 0; i < checks.size(); ++i) {
        ColumnName name(checks.Text(i, 0), checks.Text(i, 1), checks.Text(i, 2));
        if (texts.contains(name)) found.insert(std::move(name));
    }
    return found;
}

// What is said behind the columns of a foreign key, in the text of SHOW CREATE TABLE: one line for
// each, in which a name may have anything and is followed by a bracket.
bool HasCascade(const std::string& definition) {
    std::istringstream lines(definition);
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with("  CONSTRAINT `")) continue;
        if (line.find("` FOREIGN KEY (`") == std::string::npos) continue;
        const auto rules = line.substr(line.rfind(')') + 1);
        if (rules.find(" CASCADE") != std::string::npos ||
            rules.find(" SET NULL") != std::string::npos) {
            return true;
        }
    }
    return false;
}

// InnoDB changes rows by foreign keys without a word in the log; newer MySQL does so itself. What
// the keys do it tells in one place only to those who have more rights than SELECT.
Status NoteCascades(const Connection& connection, const std::vector<std::string>& patterns,
                    const std::map<std::string, std::size_t>& place_of,
                    std::vector<CatalogTable>& tables) {
    if (!connection.is_mariadb()) {
        // Where MySQL leaves keys to InnoDB, as all did before 9.6, they are not in its log either.
        const auto native =
            BIWA_TRY(connection.Query("SHOW GLOBAL VARIABLES LIKE 'innodb_native_foreign_keys'"));
        if (native.size() > 0 && native.Text(0, 1) != "ON") return {};
    }
    const auto rules = BIWA_TRY(connection.Query(
        "SELECT CONSTRAINT_SCHEMA, TABLE_NAME, DELETE_RULE IN ('CASCADE', 'SET NULL') OR "
        "UPDATE_RULE IN ('CASCADE', 'SET NULL') FROM information_schema.REFERENTIAL_CONSTRAINTS "
        "WHERE " +
        Within(connection, patterns, "CONSTRAINT_SCHEMA", "TABLE_NAME")));
    std::map<std::pair<std::string, std::string>, bool> cascades;
    for (std::size_t i = 0; i < rules.size(); ++i) {
        auto& has_any = cascades[{rules.Text(i, 0), rules.Text(i, 1)}];
        has_any = has_any || rules.Text(i, 2) == "1";
    }
    const auto keys = BIWA_TRY(connection.Query(
        "SELECT DISTINCT TABLE_SCHEMA, TABLE_NAME FROM information_schema.KEY_COLUMN_USAGE WHERE "
        "REFERENCED_TABLE_NAME IS NOT NULL AND " +
        Within(connection, patterns, "TABLE_SCHEMA", "TABLE_NAME")));
    for (std::size_t i = 0; i < keys.size(); ++i) {
        const auto schema = keys.Text(i, 0), name = keys.Text(i, 1);
        const auto place = place_of.find(schema + "." + name);
        if (place == place_of.end()) continue;
        auto known = cascades.find({schema, name});
        if (known == cascades.end()) {
            const auto definition = connection.Query(
                fmt::format("SHOW CREATE TABLE {}.{}", QuoteName(schema), QuoteName(name)));
            // It may have gone meanwhile. Where nothing is told, it may do anything.
            const bool has_any =
                !definition || definition->size() == 0 || HasCascade(definition->Text(0, 1));
            known = cascades.emplace(std::pair(schema, name), has_any).first;
        }
        if (!known->second) continue;
        auto& table = tables[place->second].table;
        table.columns.rows_vanish = true;
        table.notes.push_back(
            "has foreign keys that cascade: what they delete or change is not in the server's log, "
            "and stays here as it was until `biwa reconcile --repair`");
    }
    return {};
}

}  // namespace

Result<QueryRows> LogStatus(const Connection& connection) {
    // MySQL 8.4 has the new name only.
    auto rows = connection.Query("SHOW MASTER STATUS");
    return rows ? std::move(rows) : connection.Query("SHOW BINARY LOG STATUS");
}

Result<std::vector<CatalogTable>> ReadTables(const Connection& connection,
                                             const std::string& database,
                                             const std::vector<std::string>& patterns,
                                             IfMissing if_missing, CharacterSets* sets) {
    std::vector<std::string> full;
    for (const auto& pattern : patterns) full.push_back(FullPattern(pattern, database));
    // The log has the primary keys that MySQL makes by itself, where the catalogue may hide them.
    // Older ones do not know the setting.
    if (!connection.is_mariadb()) {
        std::ignore =
            connection.Execute("SET SESSION show_gipk_in_create_table_and_information_schema = ON");
    }
    const auto within = Within(connection, full, "TABLE_SCHEMA", "TABLE_NAME");
    const auto rows = BIWA_TRY(connection.Query(
        "SELECT TABLE_SCHEMA, TABLE_NAME, ENGINE, TABLE_ROWS, DATA_LENGTH, TABLE_TYPE "
        "FROM information_schema.TABLES WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') "
        "AND " +
        within + " ORDER BY TABLE_SCHEMA, TABLE_NAME"));
    std::vector<CatalogTable> tables;
    std::vector<std::size_t> places;
    std::map<std::string, std::size_t> place_of;
    std::set<std::string> used;
    std::string list;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const auto name = rows.Text(i, 0) + "." + rows.Text(i, 1);
        bool wanted = false;
        for (const auto& pattern : full) {
            if (!Matches(pattern, name)) continue;
            wanted = true;
            used.insert(pattern);
        }
        if (!wanted) continue;
        place_of[name] = tables.size();
        auto& table = tables.emplace_back().table;
        table.schema = rows.Text(i, 0);
        table.name = rows.Text(i, 1);
        table.rows_estimate = rows.Number(i, 3);
        table.bytes = rows.Number(i, 4);
        places.push_back(i);
        list += fmt::format("{}({}, {})", list.empty() ? "" : ", ",
                            connection.Literal(table.schema), connection.Literal(table.name));
    }
    for (const auto& pattern : full) {
        if (used.contains(pattern) || if_missing == IfMissing::kPassOver) continue;
        const auto meant = DidYouMean(pattern, BIWA_TRY(NamesWithin(connection, full)));
        return UserError(fmt::format("table \"{}\" is not at the server", pattern),
                         meant.empty()
                             ? "Check the name, and that the connection's user may see it."
                             : fmt::format("Did you mean \"{}\"?", meant));
    }
    if (tables.empty()) return tables;

    const auto columns = BIWA_TRY(connection.Query(fmt::format(
        "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, lower(DATA_TYPE), COLUMN_TYPE, "
        "CHARACTER_OCTET_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION, "
        "CHARACTER_SET_NAME, COLUMN_DEFAULT, EXTRA, IS_NULLABLE FROM information_schema.COLUMNS "
        "WHERE {} AND (TABLE_SCHEMA, TABLE_NAME) IN ({}) "
        "ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION",
        within, list)));
    const auto json = BIWA_TRY(JsonColumns(connection, full, columns));
    for (std::size_t i = 0; i < columns.size(); ++i) {
        const auto place = place_of.find(columns.Text(i, 0) + "." + columns.Text(i, 1));
        if (place == place_of.end()) continue;
        auto& found = tables[place->second];
        const bool is_json =
            json.contains({columns.Text(i, 0), columns.Text(i, 1), columns.Text(i, 2)});
        auto column = BIWA_TRY(ReadColumn(connection, columns, i, is_json, sets));
        if (!column.is_virtual) {
            auto decoder = DecoderFor(column.info);
            auto& added = found.table.columns.columns.emplace_back();
            added.name = column.name;
            added.type = decoder.type;
            added.nullable = column.nullable;
            added.note = decoder.note;
            SetFill(column, connection.is_mariadb(), added);
            found.decoders.push_back(std::move(decoder));
        }
        found.columns.push_back(std::move(column));
    }
    const auto keys = BIWA_TRY(connection.Query(fmt::format(
        "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME FROM information_schema.STATISTICS "
        "WHERE INDEX_NAME = 'PRIMARY' AND {} AND (TABLE_SCHEMA, TABLE_NAME) IN ({}) "
        "ORDER BY TABLE_SCHEMA, TABLE_NAME, SEQ_IN_INDEX",
        within, list)));
    for (std::size_t i = 0; i < keys.size(); ++i) {
        const auto place = place_of.find(keys.Text(i, 0) + "." + keys.Text(i, 1));
        if (place == place_of.end()) continue;
        auto& schema = tables[place->second].table.columns;
        if (const auto column = schema.Find(keys.Text(i, 2))) schema.key.push_back(*column);
    }
    BIWA_TRY(NoteCascades(connection, full, place_of, tables));
    const bool whole_rows =
        BIWA_TRY(connection.Query("SELECT @@GLOBAL.binlog_row_image")).Text(0, 0) == "FULL";
    const LogFilter filter(connection);
    for (std::size_t i = 0; i < tables.size(); ++i) {
        Judge(tables[i], rows.Text(places[i], 2), rows.Text(places[i], 5), whole_rows, filter);
    }
    return tables;
}

bool Fits(const ColumnInfo& info, const MappedColumn& mapped) {
    if (mapped.is_unsigned && info.type != FieldType::kYear &&
        *mapped.is_unsigned != info.is_unsigned) {
        return false;
    }
    if (mapped.type == info.type) return mapped.meta == info.meta;
    // Columns from before MySQL 5.6 keep their old form until the table is made anew.
    const bool is_whole = info.meta == 0;
    return is_whole &&
           ((mapped.type == FieldType::kDateTime && info.type == FieldType::kDateTime2) ||
            (mapped.type == FieldType::kTimestamp && info.type == FieldType::kTimestamp2) ||
            (mapped.type == FieldType::kTime && info.type == FieldType::kTime2));
}

}  // namespace biwa::mysql
