// The pages of docs/reference that need both the descriptions of settings and the sources.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/file.h"
#include "project/project.h"
#include "source/dump/dump_source.h"
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
    int dimensions = 0;
};

std::int32_t NumericModifier(int precision, int scale) { return ((precision << 16) | scale) + 4; }

constexpr const char* kBelowTheTable = R"(
What is kept as text is the text of the type's output function, byte for byte, whether it was copied,
followed in binary or followed as text; under these settings: ISO dates, intervals as ISO 8601
(`P1DT2H`), UTC, `bytea_output = hex`, floats in the fewest digits that are exact.

- **What the warehouse's type cannot hold becomes NULL and is counted**; `biwa status` shows how many
  values: NaN and the infinities in a numeric with a precision (without one, they are text),
  timestamps after 294246 AD, infinite intervals, arrays of other dimensions than the column's. A table
  that gets a row with such a key is paused: its rows could not be told apart.
- **Arrays** become lists, as deep as the column was declared: `integer[][]` is `INTEGER[][]`.
  PostgreSQL itself does not hold a column to that; a value of other dimensions is one of the above
  (an empty array has none, and fits all). Lower bounds are not kept: `[0:1]={a,b}` is `[a, b]`.
- **Large values**: 2,048 values of a column that follow each other have to fit into
  `warehouse.memory_limit` together, which is how DuckDB reads them.
- **Generated columns** are left out, and status names them: PostgreSQL does not send their changes.
- **money** is the number, without the currency, by the decimals of the database's `lc_monetary` when
  the stream started. Inside a composite or a range it is written as in the locale C (`$1,234.56`):
  always two decimals, whatever the currency has.
- **time with time zone** is text that casts to DuckDB's `TIMETZ`, **bit** text that casts to `BIT`.
- **reg types** are names in text and numbers in binary, and there is no going from one to the other
  without the catalogue of that moment: so are types of extensions that are not in the table. They
  are kept as text. A column of one makes PostgreSQL send all changes of its stream as text, which
  costs speed and nothing else. Put such tables into a stream of their own, or leave them out.
)";

std::string TypesTable() {
    postgres::TypeCatalog catalog;
    // As pg_type would have them; the OIDs of what is not built in are any.
    const auto add = [&](postgres::TypeInfo info) { catalog[info.oid] = std::move(info); };
    const std::pair<postgres::Oid, const char*> built_in[] = {
        {142, "xml"},     {600, "point"},     {601, "lseg"},     {602, "path"},
        {603, "box"},     {604, "polygon"},   {628, "line"},     {650, "cidr"},
        {718, "circle"},  {774, "macaddr8"},  {829, "macaddr"},  {869, "inet"},
        {1266, "timetz"}, {1560, "bit"},      {1562, "varbit"},  {2205, "regclass"},
        {3220, "pg_lsn"}, {3614, "tsvector"}, {3615, "tsquery"}, {4072, "jsonpath"},
        {5069, "xid8"},   {790, "money"},     {28, "xid"},       {5038, "pg_snapshot"},
    };
    for (const auto& [oid, name] : built_in) add({oid, name, 'b'});
    add({3904, "int4range", 'r', 0, -1, 23});
    add({4451, "int4multirange", 'm', 0, -1, 3904});
    add({1007, "_int4", 'b', 0, -1, 23});
    add({1041, "_inet", 'b', 0, -1, 869});
    add({90'001, "mood", 'e'});
    add({90'002, "score", 'd', 23});
    add({90'003, "address", 'c'});
    catalog[90'003].fields = {25, 23};
    const auto add_extension = [&](postgres::Oid oid, const char* name, const char* functions) {
        add({oid, name, 'b'});
        catalog[oid].send = fmt::format("{}_send", functions);
        catalog[oid].output = fmt::format("{}_out", functions);
    };
    add_extension(90'004, "citext", "");
    catalog[90'004].send = "textsend";
    catalog[90'004].output = "textout";
    add_extension(90'005, "hstore", "hstore.hstore");
    add_extension(90'006, "ltree", "ltree.ltree");
    add_extension(90'007, "geometry", "postgis-3.LWGEOM");
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
        {"money", 790},
        {"text, varchar(n), char(n), name", 25},
        {"citext", 90'004},
        {"bytea", 17},
        {"json, jsonb", 3802},
        {"xml", 142},
        {"date", 1082},
        {"time", 1083},
        {"time with time zone", 1266},
        {"timestamp", 1114},
        {"timestamp with time zone", 1184},
        {"interval", 1186},
        {"uuid", 2950},
        {"an enum", 90'001},
        {"a domain over integer", 90'002},
        {"a composite, such as (text, integer)", 90'003},
        {"integer[]", 1007},
        {"integer[][]", 1007, -1, 2},
        {"inet[]", 1041},
        {"a range, such as int4range", 3904},
        {"a multirange, such as int4multirange", 4451},
        {"inet", 869},
        {"cidr", 650},
        {"macaddr", 829},
        {"macaddr8", 774},
        {"bit(n)", 1560},
        {"bit varying(n)", 1562},
        {"point", 600},
        {"line", 628},
        {"lseg", 601},
        {"box", 603},
        {"path", 602},
        {"polygon", 604},
        {"circle", 718},
        {"tsvector", 3614},
        {"tsquery", 3615},
        {"hstore", 90'005},
        {"ltree", 90'006},
        {"jsonpath", 4072},
        {"pg_lsn", 3220},
        {"pg_snapshot", 5038},
        {"xid", 28},
        {"xid8", 5069},
        {"regclass and the other reg types", 2205},
        {"any other of an extension, such as geometry", 90'007},
    };
    std::string table = "## Types\n\n| in PostgreSQL | in the warehouse | |\n|---|---|---|\n";
    for (const auto& [written, oid, modifier, dimensions] : columns) {
        const auto decoder = postgres::DecoderFor(oid, modifier, catalog, dimensions);
        table += fmt::format("| {} | `{}` | {} |\n", written, ToSql(decoder.type), decoder.note);
    }
    table += kBelowTheTable;
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
        {"char, varchar, text, of any character set, COMPRESSED too", FieldType::kVarchar, 100,
         false, true},
        {"binary, varbinary, blob, COMPRESSED too", FieldType::kBlob, 2},
        {"enum, set: by the names of their values", FieldType::kEnum, 1},
        {"json of MySQL", FieldType::kJson, 4},
        {"json of MariaDB", FieldType::kBlob, 4, false, true, Special::kJson},
        {"uuid", FieldType::kString, 16, false, false, Special::kUuid},
        {"inet4, inet6", FieldType::kString, 4, false, false, Special::kInet4},
        {"geometry, point and their like", FieldType::kGeometry, 4},
        {"vector of MySQL", FieldType::kVector, 4},
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

// What stands behind what is made of the code is written by hand.
void ExpectPageBegins(const std::filesystem::path& path, const std::string& made,
                      const std::string& rest_begins) {
    auto committed = ReadFile(path).value_or("");
    const auto rest = committed.find(rest_begins);
    if (std::getenv("UPDATE_GOLDEN")) {
        committed = made + (rest == std::string::npos ? rest_begins : committed.substr(rest));
        ASSERT_TRUE(WriteFileAtomically(path, committed));
    }
    EXPECT_EQ(committed.substr(0, committed.find(rest_begins)), made)
        << "write it anew: UPDATE_GOLDEN=1 cli_test";
}

TEST(MySqlReferenceTest, TheCommittedPageBeginsWithWhatTheSourceSays) {
    SourceRegistry sources;
    RegisterMySqlSource(sources);
    ExpectPageBegins(
        "docs/reference/mysql.md",
        ConnectionReferencePage("mysql", sources.Find("mysql")->settings) + MySqlTypesTable(),
        "\nWhat is not in the table");
}

TEST(DumpReferenceTest, TheCommittedPageBeginsWithWhatTheSourceSays) {
    SourceRegistry sources;
    RegisterDumpSource(sources);
    ExpectPageBegins("docs/reference/dump.md",
                     ConnectionReferencePage("dump", sources.Find("dump")->settings),
                     "## What is read");
}

}  // namespace
}  // namespace biwa
