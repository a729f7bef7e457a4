// The pages of docs/reference that need both the descriptions of settings and the sources.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/file.h"
#include "project/project.h"
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

}  // namespace
}  // namespace biwa
