#include "lsp/framing.h"

#include <gtest/gtest.h>

#include <sstream>

namespace biwa::lsp {
namespace {

TEST(ReadMessageTest, ReadsWhatWasWrittenOneBehindAnother) {
    std::stringstream stream;
    WriteMessage(stream, "{\"名\":1}");
    WriteMessage(stream, "");
    EXPECT_EQ(ReadMessage(stream).value(), "{\"名\":1}");
    EXPECT_EQ(ReadMessage(stream).value(), "");
    EXPECT_EQ(ReadMessage(stream).value(), std::nullopt);
}

TEST(ReadMessageTest, HeadersComeInAnyCaseAndOrder) {
    std::istringstream in("Content-Type: application/vscode-jsonrpc\r\ncontent-length:  2\n\r\n{}");
    EXPECT_EQ(ReadMessage(in).value(), "{}");
}

TEST(ReadMessageTest, WhatIsNoMessageIsAnErrorAndNotAWait) {
    for (const auto bad :
         {"hello\r\n\r\n", "\r\n{}", "Content-Length: x\r\n\r\n", "Content-Length: -1\r\n\r\n",
          "Content-Length: 99999999999\r\n\r\n", "Content-Length: 5\r\n\r\n{}",
          "Content-Length: 5\r\n", "Content-Le", "Content-Length: 184467440737095516170\r\n\r\n"}) {
        std::istringstream in(bad);
        EXPECT_FALSE(ReadMessage(in)) << bad;
    }
    std::istringstream endless(std::string(20'000, 'x'));
    EXPECT_FALSE(ReadMessage(endless));
}

}  // namespace
}  // namespace biwa::lsp
