#include "source/dump/statements.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace biwa::dump {
namespace {

std::vector<std::string> StatementsOf(std::string_view text) {
    StatementReader reader;
    std::vector<std::string> statements;
    for (const auto& line : Split(text, '\n')) {
        if (reader.Add(line)) statements.emplace_back(Trim(reader.statement()));
    }
    return statements;
}

TEST(StatementReaderTest, SemicolonsInQuotesBodiesAndCommentsEndNothing) {
    EXPECT_EQ(StatementsOf("-- a; b\nSELECT 'it''s; x', \";\" /* ; /* ; */ ' */, 1;\n\nSET a = 1;"),
              (std::vector<std::string>{"SELECT 'it''s; x', \";\" , 1", "SET a = 1"}));
    EXPECT_EQ(
        StatementsOf("CREATE FUNCTION f() AS $_$\nBEGIN; RETURN $1; -- '\nEND $_$;\nSET b = 2;"),
        (std::vector<std::string>{"CREATE FUNCTION f() AS $_$\nBEGIN; RETURN $1; -- '\nEND $_$",
                                  "SET b = 2"}));
    EXPECT_EQ(
        StatementsOf("COMMENT ON t IS E'a\\'; b\\\\';\nCOMMENT ON t IS 'a\\';"),
        (std::vector<std::string>{"COMMENT ON t IS E'a\\'; b\\\\'", "COMMENT ON t IS 'a\\'"}));
    EXPECT_EQ(StatementsOf("SELECT 'never closed;\n;"), std::vector<std::string>{});
}

TEST(TokenizeTest, WordsAreSmallAndNamesInQuotesAreAsTheyAre) {
    std::string shown;
    for (const auto& token :
         Tokenize("ALTER \"My \"\"T\"\"\" x_1 (10,2) E'a\\'b' 'c''d' $$e'$$ 表")) {
        shown += std::to_string(static_cast<int>(token.kind)) + token.text + "|";
    }
    EXPECT_EQ(shown, "0alter|1My \"T\"|0x_1|4(|310|4,|32|4)|2a'b|2c'd|2e'|0表|");
}

}  // namespace
}  // namespace biwa::dump
