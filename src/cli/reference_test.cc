// The pages of docs/reference that need both the descriptions of settings and the sources.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/file.h"
#include "project/project.h"
#include "source/mysql/columns.h"
#include "source/mysql/mysql_source.h"
#include "source/postgres/postgres_source.h"
#include "source/postgres/types.h"
#include "source/registry.h"

namespace biwa {
namespace {

// One row of the page's table of types, as a column of a table would have it.
struct ColumnOfType {
    const char* written;
    postgres::Oid oid;
    std::int32_t modifier = -1;
};

std::int32_t NumericModifier(int precision, int scale) { return ((precision << 16) | scale) + 4; }

std::string TypesTable() {
    postgres::TypeCatalog catalog;
    catalog[90'001] = {90'001, "mood", 'e', 0, -1, 0};
    catalog[90'002] = {90'002, "score", 'd', 23, -1, 0};
    catalog[90'003] = {90'003, "point", 'b', 0, -1, 0};
    catalog[90'004] = {90'004, "int4range", 'r', 0, -1, 0};
    catalog[1007] = {1007, "_int4", 'b', 0, -1, 23};
    const ColumnOfType columns[] = {
        {"boolean", 16},
        {"smallint", 21},
        {"integer", 23},
        {"bigint", 20},
        {"oid", 26},
        {"real", 700},
        {"double precision", 701},
        {"numeric(10,2)", 1700, NumericModifier(10, 2)},
        {"numeric(38,0)", 1700, NumericModifier(38, 0)},
        {"numeric(40,2)", 1700, NumericModifier(40, 2)},
        {"numeric", 1700},
        {"text, varchar(n), char(n), name", 25},
        {"bytea", 17},
        {"json, jsonb", 3802},
        {"date", 1082},
        {"time", 1083},
        {"timestamp", 1114},
        {"timestamp with time zone", 1184},
        {"interval", 1186},
        {"uuid", 2950},
        {"an enum", 90'001},
        {"a domain over integer", 90'002},
        {"integer[]", 1007},
        {"any other, such as point", 90'003},
        {"a range, such as int4range", 90'004},
    };
    std::string table = "## Types\n\n| in PostgreSQL | in the warehouse | |\n|---|---|---|\n";
    for (const auto& [written, oid, modifier] : columns) {
        const auto decoder = postgres::DecoderFor(oid, modifier, catalog);
        table += fmt::format("| {} | `{}` | {} |\n", written, ToSql(decoder.type), decoder.note);
    }
    table +=
        "\nA value that the warehouse's type cannot hold (a NaN in a numeric with a precision, an\n"
        "array of more than one dimension) becomes NULL and is counted: `biwa status` shows how\n"
        "many.\n";
    return table;
}

TEST(PostgresReferenceTest, TheCommittedPageIsWhatTheSourceSays) {
    SourceRegistry sources;
    RegisterPostgresSource(sources);
    const auto page =
        ConnectionReferencePage("postgres", sources.Find("postgres")->settings) + TypesTable();
    const std::filesystem::path path = "docs/reference/postgres.md";
    if (std::getenv("UPDATE_GOLDEN")) {
        ASSERT_TRUE(WriteFileAtomically(path, page));
    }
    const auto committed = ReadFile(path);
    ASSERT_TRUE(committed) << committed.error().ToString();
    EXPECT_EQ(*committed, page) << "write it anew: UPDATE_GOLDEN=1 cli_test";
}

// One row of the table of MySQL's types, as a column of a table would have it.
struct MySqlColumn {
    const char* written;
    mysql::FieldType type;
    std::uint16_t meta = 0;
    bool is_unsigned = false;
    bool is_text = false;
    mysql::ColumnInfo::Special special = mysql::ColumnInfo::Special::kNone;
};

std::string MySqlTypesTable() {
    using mysql::FieldType;
    using Special = mysql::ColumnInfo::Special;
    const MySqlColumn columns[] = {
        {"tinyint, boolean; signed or not", FieldType::kTiny},
        {"smallint", FieldType::kShort},
        {"smallint unsigned", FieldType::kShort, 0, true},
        {"mediumint; signed or not", FieldType::kInt24},
        {"int", FieldType::kLong},
        {"int unsigned", FieldType::kLong, 0, true},
        {"bigint", FieldType::kLongLong},
        {"bigint unsigned", FieldType::kLongLong, 0, true},
        {"float", FieldType::kFloat, 4},
        {"double", FieldType::kDouble, 8},
        {"decimal(10,2)", FieldType::kDecimal, 10 << 8 | 2},
        {"decimal(65,30)", FieldType::kDecimal, 65 << 8 | 30},
        {"bit(1)", FieldType::kBit, 1},
        {"bit(2) to bit(63)", FieldType::kBit, 63},
        {"bit(64)", FieldType::kBit, 64},
        {"year", FieldType::kYear},
        {"date", FieldType::kDate},
        {"datetime, datetime(6)", FieldType::kDateTime2, 6},
        {"timestamp, timestamp(6)", FieldType::kTimestamp2, 6},
        {"time, time(6)", FieldType::kTime2, 6},
        {"char, varchar, text, of any character set", FieldType::kVarchar, 100, false, true},
        {"binary, varbinary, blob", FieldType::kBlob, 2},
        {"enum, set: by the names of their values", FieldType::kEnum, 1},
        {"json of MySQL", FieldType::kJson, 4},
        {"json of MariaDB", FieldType::kBlob, 4, false, true, Special::kJson},
        {"uuid", FieldType::kString, 16, false, false, Special::kUuid},
        {"inet4, inet6", FieldType::kString, 4, false, false, Special::kInet4},
        {"geometry, point and their like", FieldType::kGeometry, 4},
    };
    std::string table = "## Types\n\n| in MariaDB or MySQL | in the warehouse | |\n|---|---|---|\n";
    for (const auto& column : columns) {
        mysql::ColumnInfo info;
        info.type = column.type;
        info.meta = column.meta;
        info.is_unsigned = column.is_unsigned;
        info.special = column.special;
        if (column.is_text) info.characters = std::make_shared<const mysql::CharacterSet>();
        const auto decoder = mysql::DecoderFor(info);
        table +=
            fmt::format("| {} | `{}` | {} |\n", column.written, ToSql(decoder.type), decoder.note);
    }
    return table;
}

// The settings and the types are made of the code; what stands behind them is written by hand.
TEST(MySqlReferenceTest, TheCommittedPageBeginsWithWhatTheSourceSays) {
    SourceRegistry sources;
    RegisterMySqlSource(sources);
    const auto made =
        ConnectionReferencePage("mysql", sources.Find("mysql")->settings) + MySqlTypesTable();
    const std::filesystem::path path = "docs/reference/mysql.md";
    auto committed = ReadFile(path).value_or("");
    const std::string rest_begins = "\nWhat is not in the table";
    const auto rest = committed.find(rest_begins);
    if (std::getenv("UPDATE_GOLDEN")) {
        committed = made + (rest == std::string::npos ? rest_begins : committed.substr(rest));
        ASSERT_TRUE(WriteFileAtomically(path, committed));
    }
    EXPECT_EQ(committed.substr(0, committed.find(rest_begins)), made)
        << "write it anew: UPDATE_GOLDEN=1 cli_test";
}

}  // namespace
}  // namespace biwa
