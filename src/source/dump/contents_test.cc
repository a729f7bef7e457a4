#include "source/dump/contents.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>

#include "base/file.h"
#include "model/format.h"
#include "model/testing.h"
#include "source/dump/dump_rows.h"

namespace biwa::dump {
namespace {

constexpr const char* kBegin =
    "--\n-- PostgreSQL database dump\n--\n\n\\restrict x;'\nSET client_encoding = 'UTF8';\n";
constexpr const char* kEnd = "--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict x\n";

class ContentsTest : public testing::Test {
  protected:
    Result<std::shared_ptr<const Contents>> ReadAs(const std::string& name, const std::string& text,
                                                   const std::string& columns = "") {
        std::filesystem::create_directories(folder_);
        path_ = folder_ + name;
        BIWA_TRY(WriteFileAtomically(path_, text));
        return ReadContents(path_, columns);
    }
    Result<std::shared_ptr<const Contents>> Read(const std::string& text) {
        return ReadAs("dump.sql", kBegin + text + kEnd);
    }

    // The rows of a table as text, "1|NULL\n".
    Result<std::string> Rows(const std::shared_ptr<const Contents>& contents, std::size_t table) {
        const auto& dumped = contents->tables[table];
        std::string text;
        for (std::size_t section = 0; section < dumped.sections.size(); ++section) {
            const auto reader = BIWA_TRY(ReadSection(path_, contents, dumped, section,
                                                     dumped.table.columns, unrepresentable_));
            OwnedBlock block(dumped.table.columns.columns);
            while (const auto rows = BIWA_TRY(reader->Fill(block.block()))) {
                for (std::size_t row = 0; row < rows; ++row) {
                    for (std::size_t i = 0; i < block.block().columns.size(); ++i) {
                        if (i > 0) text += '|';
                        const auto& cells = block.block().columns[i];
                        if (cells.IsNull(row)) {
                            text += "NULL";
                        } else {
                            AppendText(cells, row, text);
                        }
                    }
                    text += '\n';
                }
            }
        }
        return text;
    }

    static std::string Shown(const DumpedTable& dumped) {
        auto text = dumped.table.ToString();
        for (const auto& column : dumped.table.columns.columns) {
            text += " " + column.name + ":" + ToSql(column.type);
        }
        for (const auto key : dumped.table.columns.key) text += " " + std::to_string(key);
        return text + (dumped.table.columns.key_repeats ? " repeats" : "");
    }

    const std::string folder_ = testing::TempDir() + "dumps/";
    std::string path_;
    std::atomic<std::uint64_t> unrepresentable_ = 0;
};

constexpr const char* kTable =
    R"(CREATE FUNCTION public.f() RETURNS text LANGUAGE sql AS $$ SELECT 'COPY x;'; $$;
CREATE TYPE public.mood AS ENUM (
    'sad',
    'o;k'
);
CREATE DOMAIN public.price AS numeric(10,2) DEFAULT 0 CONSTRAINT positive CHECK ((VALUE >= (0)::numeric));
CREATE TABLE public."An Swers" (
    id bigint NOT NULL,
    mark numeric(5,2) DEFAULT 1.5,
    "when" timestamp(3) with time zone DEFAULT now() NOT NULL,
    how public.mood,
    cost public.price,
    costs public.price[],
    tags character varying(20)[] DEFAULT '{a,b}'::character varying[],
    grid integer[],
    took interval day to second(2),
    twice bigint GENERATED ALWAYS AS ((id * 2)) STORED,
    CONSTRAINT c CHECK ((id > 0))
);
COPY public."An Swers" (id, mark, "when", how, cost, costs, tags, grid, took) FROM stdin;
1	1.50	2026-11-26 09:00:00+09	o;k	19.99	{0.01,NULL}	{x,"y,z"}	{{1,2},{3,4}}	1 day -02:03:04.5
2	\N	infinity	\N	\N	\N	{}	\N	\N
\.


ALTER TABLE ONLY public."An Swers"
    ADD CONSTRAINT "An Swers_pkey" PRIMARY KEY (id);
)";

TEST_F(ContentsTest, ADumpSaysWhatItsTablesAre) {
    const auto contents = Read(kTable);
    ASSERT_TRUE(contents) << contents.error().ToString();
    ASSERT_EQ((*contents)->tables.size(), 1U);
    EXPECT_EQ(Shown((*contents)->tables[0]),
              "public.An Swers id:BIGINT mark:DECIMAL(5,2) when:TIMESTAMP WITH TIME ZONE "
              "how:VARCHAR cost:DECIMAL(10,2) costs:DECIMAL(10,2)[] tags:VARCHAR[] "
              "grid:INTEGER[][] took:INTERVAL 0");
    EXPECT_EQ((*contents)->tables[0].table.rows_estimate, 2);
    const auto rows = Rows(*contents, 0);
    ASSERT_TRUE(rows) << rows.error().ToString();
    EXPECT_EQ(*rows,
              "1|1.50|2026-11-26 00:00:00+00|o;k|19.99|{0.01,NULL}|{x,\"y,z\"}|{{1,2},{3,4}}|"
              "1 day -02:03:04.5\n2|NULL|infinity|NULL|NULL|NULL|{}|NULL|NULL\n");
    EXPECT_EQ(unrepresentable_, 0U);
}

TEST_F(ContentsTest, PartitionsAreOneTableAndMayHaveTheirColumnsInAnotherOrder) {
    const auto contents = Read(
        "CREATE TABLE public.sales (\n    id integer,\n    day date\n)\nPARTITION BY RANGE (day);\n"
        "CREATE TABLE public.sales_1 (\n    day date,\n    id integer\n);\n"
        "CREATE TABLE public.sales_2 (\n    id integer,\n    day date\n);\n"
        "ALTER TABLE ONLY public.sales ATTACH PARTITION public.sales_1 FOR VALUES FROM (MINVALUE) "
        "TO ('2026-01-01');\n"
        "ALTER TABLE ONLY public.sales ATTACH PARTITION public.sales_2 DEFAULT;\n"
        "COPY public.sales_1 (day, id) FROM stdin;\n2025-12-31\t1\n\\.\n"
        "COPY public.sales_2 (id, day) FROM stdin;\n2\t2026-01-02\n\\.\n");
    ASSERT_TRUE(contents) << contents.error().ToString();
    ASSERT_EQ((*contents)->tables.size(), 1U);
    EXPECT_EQ(Shown((*contents)->tables[0]), "public.sales day:DATE id:INTEGER 0 1 repeats");
    EXPECT_EQ(Rows(*contents, 0).value_or("?"), "2025-12-31|1\n2026-01-02|2\n");
}

TEST_F(ContentsTest, ColumnsMayBeInherited) {
    const auto contents = Read(
        "CREATE TABLE public.base (\n    id integer\n);\n"
        "CREATE TABLE public.child (\n    extra text\n)\nINHERITS (public.base);\n"
        "COPY public.child (id, extra) FROM stdin;\n1\ta\n\\.\n");
    ASSERT_TRUE(contents) << contents.error().ToString();
    EXPECT_EQ(Shown((*contents)->tables[0]), "public.child id:INTEGER extra:VARCHAR 0 1 repeats");
}

TEST_F(ContentsTest, AValueThatIsNoneOfItsTypeIsNamedByItsLineAndNotShown) {
    const auto contents = Read(
        "CREATE TABLE public.t (\n    id integer,\n    secret integer\n);\n"
        "COPY public.t (id, secret) FROM stdin;\n1\t2\n2\thunter2\n\\.\n");
    ASSERT_TRUE(contents) << contents.error().ToString();
    const auto rows = Rows(*contents, 0);
    ASSERT_FALSE(rows);
    EXPECT_TRUE(
        rows.error().message.ends_with("dump.sql:13: column secret has a value that is no INTEGER"))
        << rows.error().message;
    const auto short_row = Read(
        "CREATE TABLE public.t (\n    id integer,\n    n integer\n);\n"
        "COPY public.t (id, n) FROM stdin;\n1\n\\.\n");
    ASSERT_TRUE(short_row);
    EXPECT_TRUE(Rows(*short_row, 0)
                    .error()
                    .message.ends_with("dump.sql:12: the row has 1 values, the table 2 columns"));
}

TEST_F(ContentsTest, WhatIsNoPlainDumpSaysWhatWouldBe) {
    const auto refusal = [](const Result<std::shared_ptr<const Contents>>& read) {
        return read ? std::string("none") : read.error().message + "|" + read.error().hint;
    };
    const auto says = [&](const Result<std::shared_ptr<const Contents>>& read, const char* words) {
        const auto said = refusal(read);
        EXPECT_NE(said.find(words), std::string::npos) << said;
    };
    says(ReadAs("a.dump", "PGDMP\1\16\0"), "pg_restore -f -");
    says(ReadAs("a.sql", "\x28\xb5\x2f\xfd...."), "zstd -dc");
    says(ReadAs("a.sql", "-- MariaDB dump 10.19\nCREATE TABLE t (a int);\n"), "MariaDB");
    says(ReadAs("a.sql", "hello\n"), "no dump of pg_dump");
    says(ReadAs("a.sql", "--\n-- PostgreSQL database cluster dump\n--\n"), "pg_dumpall");
    says(Read("INSERT INTO public.t VALUES (1);\n"), "--inserts");
    says(Read("SET client_encoding = 'EUC_JP';\nCREATE TABLE public.t (\n    a text\n);\n"
              "COPY public.t (a) FROM stdin;\n\\.\n"),
         "--encoding=UTF8");
    says(ReadAs("a.sql", std::string(kBegin) + kTable), "cut off");
    says(ReadAs("a.sql", std::string(kBegin) +
                             "CREATE TABLE public.t (\n    a text\n);\nCOPY public.t (a) FROM "
                             "stdin;\n1\n"),
         "cut off in the rows of public.t");
    says(ReadContents(folder_, ""), "is no file");
    EXPECT_EQ(ReadContents(folder_ + "none", "").error().kind, ErrorKind::kUnavailable);
    const auto no_types = Read("COPY public.t (a) FROM stdin;\n1\n\\.\n");
    ASSERT_TRUE(no_types);
    EXPECT_NE((*no_types)->tables[0].table.mend_sql.find("--data-only"), std::string::npos);
}

TEST_F(ContentsTest, CsvHasTheColumnsThatItsFirstLineNamesAndTheTypesThatAreSaid) {
    const auto contents = ReadAs(
        "marks.2026.csv", "\xef\xbb\xbfid,name,\"at\"\n1,\"a\nb\",2026-01-01 00:00:00+01\n2,,\n",
        "id bigint, at timestamptz, PRIMARY KEY (id)");
    ASSERT_TRUE(contents) << contents.error().ToString();
    EXPECT_EQ(Shown((*contents)->tables[0]),
              "public.marks id:BIGINT name:VARCHAR at:TIMESTAMP WITH TIME ZONE 0");
    EXPECT_EQ(Rows(*contents, 0).value_or("?"), "1|a\nb|2025-12-31 23:00:00+00\n2|NULL|NULL\n");
    const auto misspelt = ReadAs("t.csv", "id,name\n", "nmae text");
    EXPECT_NE(misspelt.error().hint.find("\"name\""), std::string::npos);
    EXPECT_FALSE(ReadAs("t.csv", "id,id\n"));
    EXPECT_FALSE(ReadAs("t.csv", ""));
    EXPECT_FALSE(ReadAs("t.csv", "id\n", "id bigint ("));
}

TEST_F(ContentsTest, WhatIsCompressedByGzipIsReadAsItIsAndMissedWhenItIsCutOff) {
    ASSERT_TRUE(Read(kTable));
    const auto plain = ReadFile(path_);
    const auto compressed = folder_ + "dump.sql.gz";
    const gzFile file = gzopen(compressed.c_str(), "wb");
    ASSERT_EQ(gzwrite(file, plain->data(), static_cast<unsigned>(plain->size())),
              static_cast<int>(plain->size()));
    gzclose(file);
    path_ = compressed;
    const auto contents = ReadContents(path_, "");
    ASSERT_TRUE(contents) << contents.error().ToString();
    EXPECT_TRUE(Rows(*contents, 0)->ends_with("2|NULL|infinity|NULL|NULL|NULL|{}|NULL|NULL\n"));
    std::filesystem::resize_file(compressed, std::filesystem::file_size(compressed) - 20);
    const auto cut_off = ReadContents(path_, "");
    ASSERT_FALSE(cut_off);
    EXPECT_NE(cut_off.error().message.find("cut off"), std::string::npos)
        << cut_off.error().message;
    // It was read as another file.
    EXPECT_EQ(Rows(*contents, 0).error().kind, ErrorKind::kUnavailable);
}

TEST_F(ContentsTest, LinesMayBeLongerThanWhatIsReadAtOnce) {
    const std::string large(5'000'000, 'x');
    const auto contents = Read(
        "CREATE TABLE public.t (\n    a text,\n    b text\n);\n"
        "COPY public.t (a, b) FROM stdin;\n" +
        large + "\t\\\\" + large + "\nshort\t\\N\n\\.\n");
    ASSERT_TRUE(contents) << contents.error().ToString();
    EXPECT_EQ(Rows(*contents, 0).value_or("?"), large + "|\\" + large + "\nshort|NULL\n");
}

}  // namespace
}  // namespace biwa::dump
