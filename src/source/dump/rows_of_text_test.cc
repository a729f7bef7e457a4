#include "source/dump/rows_of_text.h"

#include <gtest/gtest.h>

#include "base/file.h"

namespace biwa::dump {
namespace {

using Fields = std::vector<std::optional<std::string>>;

Fields Copied(const TextRow& row) {
    Fields fields;
    for (const auto& field : row.fields) {
        fields.push_back(field ? std::optional<std::string>(*field) : std::nullopt);
    }
    return fields;
}

Fields Read(std::string_view line) {
    TextRow row;
    ReadCopyRow(line, row);
    return Copied(row);
}

TEST(CopyRowTest, FieldsAreBetweenTabs) {
    EXPECT_EQ(Read("1\tab\t"), (Fields{"1", "ab", ""}));
    EXPECT_EQ(Read(""), Fields{""});
}

TEST(CopyRowTest, NullIsNotAnEmptyTextNorTheTextThatLooksLikeIt) {
    EXPECT_EQ(Read("\\N\t\t\\\\N\tN\t\\Nx"), (Fields{std::nullopt, "", "\\N", "N", "Nx"}));
}

TEST(CopyRowTest, BackslashesAreReadAsCopyWritesThem) {
    EXPECT_EQ(Read("a\\tb\\nc\\rd\\\\e\\bf\\fg\\v"), Fields{"a\tb\nc\rd\\e\bf\fg\v"});
    EXPECT_EQ(Read("\\101\\x41\\x4g\\7z\\q\\x"), Fields{"AA\x04g\x07zqx"});
    EXPECT_EQ(Read("end\\"), Fields{"end\\"});
}

class CsvRowTest : public testing::Test {
  protected:
    Result<std::vector<Fields>> Read(const std::string& content) {
        const auto path = testing::TempDir() + "rows.csv";
        BIWA_TRY(WriteFileAtomically(path, content));
        auto file = BIWA_TRY(LineFile::Open(path));
        std::vector<Fields> rows;
        TextRow row;
        while (BIWA_TRY(ReadCsvRow(file, row))) rows.push_back(Copied(row));
        return rows;
    }
};

TEST_F(CsvRowTest, AnEmptyFieldIsNullUnlessItIsQuoted) {
    const auto rows = Read("1,,\"\"\n,a,\n");
    ASSERT_TRUE(rows) << rows.error().ToString();
    EXPECT_EQ(*rows,
              (std::vector<Fields>{{"1", std::nullopt, ""}, {std::nullopt, "a", std::nullopt}}));
}

TEST_F(CsvRowTest, QuotesHoldCommasQuotesAndEndsOfLines) {
    const auto rows = Read("\"a,b\",\"say \"\"hi\"\"\",\"two\r\nlines\n\nfour\"\r\nx,y,z");
    ASSERT_TRUE(rows) << rows.error().ToString();
    EXPECT_EQ(*rows, (std::vector<Fields>{{"a,b", "say \"hi\"", "two\r\nlines\n\nfour"},
                                          {"x", "y", "z"}}));
}

TEST_F(CsvRowTest, AQuoteThatIsNotClosedIsNamedWithTheLineItOpensIn) {
    const auto rows = Read("a,b\n1,\"open\nand\nso on\n");
    ASSERT_FALSE(rows);
    EXPECT_TRUE(rows.error().message.find("rows.csv:2: a quote") != std::string::npos)
        << rows.error().message;
}

}  // namespace
}  // namespace biwa::dump
